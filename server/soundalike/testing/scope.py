"""One scope of a server, as a test uses it."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from pydantic import ValidationError

from soundalike.errors import InvalidRequestError
from soundalike.fixture.control.verification import Expectation, verify
from soundalike.fixture.faults import ActiveFault, fault
from soundalike.fixture.matching import Match
from soundalike.fixture.recordings.recorder import Recorder
from soundalike.fixture.recordings.spec import Mode, RecordingSpec
from soundalike.fixture.scopes import PARTS, Part, Scope, Scopes
from soundalike.testing import NoRequestsWarning
from soundalike.testing.conditions import RequestConditions, match_of, refused, unknown
from soundalike.testing.report import problems, request_line
from soundalike.testing.requests import MOMENT, Request, Requests
from soundalike.testing.stubbing import SpeechStubs, TranscriptStubs

__tracebackhide__ = True

API_KEY = "sk-soundalike"
"""What clients are given; the server takes any key."""

SETTLE = 1.0
"""Seconds for which a check waits for requests that are under way."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What all scopes of a server stand on. `is_audio` tells whether a file can be decoded."""

    scopes: Scopes
    is_audio: Callable[[Path], bool]


class Soundalike:
    """What one test prepares, and what it was asked. Safe for several threads.

    In a `with` block, the scope is checked at the end unless the block raised, and then deleted.

    Attributes:
        name: of the scope.
        url: base URL for SDKs, with its `/v1`.
        transcriptions, translations, speech: where answers are prepared.
    """

    def __init__(self, scope: Scope, url: str, ground: Ground) -> None:
        self._scope = scope
        self._ground = ground
        self._reset = False
        self.name = scope.name
        self.url = url
        self.transcriptions = TranscriptStubs(scope, "transcriptions")
        self.translations = TranscriptStubs(scope, "translations")
        self.speech = SpeechStubs(scope, ground.is_audio)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.url!r})"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the official SDKs find it."""
        return {"OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": API_KEY}

    @property
    def requests(self) -> Requests:
        """Every request so far, the oldest first."""
        return Requests(self._scope)

    @property
    def strict(self) -> bool:
        """Whether requests that no stub answers are refused, and fail the check."""
        return self._scope.strict

    @strict.setter
    def strict(self, strict: bool) -> None:
        self._scope.strict = strict

    def seed(self, seed: int | None) -> None:
        """Request ids, dates and chances follow from this and the name of the scope from now on;
        None makes them differ in every run."""
        self._scope.reseed(seed)

    def fault(
        self, kind: str, *, match: Match | Mapping[str, Any] | None = None, **options: Any
    ) -> ActiveFault:
        """Fail requests. Of several faults the oldest that a request meets is applied.

        Args:
            kind: such as `status` or `latency`.
            match: which requests, as a mapping; see `RequestConditions`.
            options: those of the kind, and `times`, `skip` and `probability`.

        Returns:
            The fault; its `uses` counts the requests that it has failed.

        Raises:
            TypeError: there is no such condition.
            ValueError: there is no such fault or option, or an option has no such value.
        """
        if match is not None:
            options["match"] = match if isinstance(match, Match) else match_of(match)
        try:
            return self._scope.faults.add(fault(kind, options))
        except InvalidRequestError as error:
            raise ValueError(error.message) from None

    def record(self, folder: str | PathLike[str], mode: Mode = "once", **options: Any) -> Recorder:
        """Answer from recordings of another service, and record what there is none of.

        Args:
            folder: where the recordings lie.
            mode: `none`, `once`, `new_episodes`, `all` or `rewrite`; see `docs/recordings.md`.
            options: others of `soundalike.fixture.recordings.RecordingSpec`, such as `upstream`.

        Raises:
            ValueError: an option is not one, or the folder cannot be used.
        """
        try:
            recorder = Recorder(RecordingSpec(folder=Path(folder), mode=mode, **options))
        except ValidationError as error:
            raise refused(error, RecordingSpec) from None
        except InvalidRequestError as error:
            raise ValueError(error.message) from None
        self._scope.recorder = recorder
        return recorder

    def verify(
        self,
        count: int | None = None,
        *,
        at_least: int | None = None,
        at_most: int | None = None,
        **conditions: Unpack[RequestConditions],
    ) -> Sequence[Request]:
        """The requests that meet the conditions, of which there must be so many.

        Args:
            count: exactly so many; where nothing is said, one or more.
            at_least: so many or more.
            at_most: so many or fewer.
            conditions: see `RequestConditions`.

        Raises:
            AssertionError: there are more or fewer; tells what came nearest.
            TypeError, ValueError: an argument is not one.
        """
        match = match_of(conditions)
        try:
            expected = Expectation(match=match, count=count, at_least=at_least, at_most=at_most)
        except ValidationError as error:
            raise refused(error, Expectation) from None
        self._scope.journal.settle(MOMENT)
        verdict = verify(expected, self._scope.journal.all())
        if not verdict.verified:
            raise AssertionError(verdict.message)
        return Requests(self._scope, match)[:]

    def reset(self, *, keep: Part | Iterable[Part] = ()) -> None:
        """Forget stubs, faults, requests and recordings, but for the parts to keep."""
        kept = [keep] if isinstance(keep, str) else list(keep)
        for part in kept:
            if part not in PARTS:
                raise ValueError(unknown("part", part, PARTS))
        self._reset |= "requests" not in kept and bool(self._scope.journal.all())
        self._scope.reset(kept)

    def check(self) -> None:
        """Hold what happened against what was prepared.

        Raises:
            AssertionError: a request that no stub answered (if `strict`), a stub or a fault that
                was not used, or an answer that failed by itself; each with what came nearest.

        Warns:
            NoRequestsWarning: there was no request.
        """
        self._scope.journal.settle(SETTLE)
        if found := problems(self._scope):
            raise AssertionError("\n".join(["soundalike:", *_listed(found)]))
        if not (self._reset or self._scope.journal.all()):
            message = "no request came to soundalike: does the application use OPENAI_BASE_URL?"
            warnings.warn(message, NoRequestsWarning, stacklevel=2)

    def report(self) -> str:
        """Every request in a line, and everything that a check would find."""
        asked = [request_line(exchange) for exchange in self._scope.journal.all()]
        return "\n".join([*(asked or ["no request came"]), *_listed(problems(self._scope))])

    def close(self) -> None:
        """Delete the scope."""
        self._ground.scopes.remove(self.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.check()
        finally:
            self.close()


def _listed(found: Sequence[str]) -> list[str]:
    return [f"- {problem.replace(chr(10), chr(10) + '  ')}" for problem in found]
