"""What became of each request, and what may have become of it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["right", "refused", "left", "failed", "wrong"]
"""- `right`: answered as the same request is when the server has nothing else to do;
- `refused`: not accepted, with 429 or 503 and the time after which to come back;
- `left`: the client went away, as it meant to;
- `failed`: with a `server_error`, an error event, or a broken stream;
- `wrong`: anything else."""

NOTICE = 1.0
"""Seconds after a kill in which a request may still be given to the host that is gone."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request; times in seconds since watching began."""

    kind: str
    began: float
    ended: float
    verdict: Verdict
    note: str = ""

    def excused(self, kills: Iterable[float]) -> bool:
        """Whether a host was killed while it was under way."""
        return any(self.began - NOTICE <= kill <= self.ended for kill in kills)


def lost(outcomes: Iterable[Outcome], kills: Sequence[float]) -> list[Outcome]:
    """The requests that were accepted and neither answered rightly nor failed with a kill."""
    return [
        outcome
        for outcome in outcomes
        if outcome.verdict == "wrong"
        or (outcome.verdict == "failed" and not outcome.excused(kills))
    ]


def counted(outcomes: Iterable[Outcome]) -> dict[str, Counter[Verdict]]:
    """How often each verdict was given, by kind of request."""
    counts: dict[str, Counter[Verdict]] = {}
    for outcome in outcomes:
        counts.setdefault(outcome.kind, Counter())[outcome.verdict] += 1
    return dict(sorted(counts.items()))
