"""What a server was asked, as a test looks at it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Unpack, overload

from soundalike.fixture.exchange import Exchange
from soundalike.fixture.journal import Bodies
from soundalike.fixture.matching import Match
from soundalike.fixture.scopes import Scope
from soundalike.testing.conditions import RequestConditions, match_of
from soundalike.testing.report import request_line

__tracebackhide__ = True

MOMENT = 0.05
"""Seconds that requests under way are given to end before the requests are looked at."""


@dataclass(slots=True)
class Request(Exchange):
    """One request and its answer, as they were when it was looked at."""

    bodies: Bodies = field(kw_only=True, repr=False)

    @property
    def body(self) -> bytes:
        """The uploaded file; empty where there was none.

        Raises:
            LookupError: it is not kept any more.
        """
        return self._kept(self.file.sha256) if self.file else b""

    @property
    def response(self) -> bytes:
        """The body of the answer.

        Raises:
            LookupError: it is not kept any more.
        """
        return self._kept(self.response_sha256) if self.response_sha256 else b""

    def __str__(self) -> str:
        return request_line(self)

    def _kept(self, sha256: str) -> bytes:
        if (found := self.bodies.read(sha256)) is None:
            raise LookupError(f"the bytes of request {self.number} are not kept any more")
        return found


class Requests(Sequence[Request]):
    """The requests of a scope, or those of them that meet some conditions, in the order in which
    they began. Always those that there are now."""

    def __init__(self, scope: Scope, match: Match | None = None) -> None:
        self._scope = scope
        self._match = match or Match()

    @property
    def transcriptions(self) -> "Requests":
        return self.matching(endpoint="transcriptions")

    @property
    def translations(self) -> "Requests":
        return self.matching(endpoint="translations")

    @property
    def speech(self) -> "Requests":
        return self.matching(endpoint="speech")

    def matching(self, **conditions: Unpack[RequestConditions]) -> "Requests":
        """Those of them that meet these conditions too."""
        return Requests(self._scope, match_of({**self._match.conditions(), **conditions}))

    def wait(self, count: int = 1, timeout: float = 5.0) -> Sequence[Request]:
        """All of them, as soon as at least `count` have been answered. Blocks the thread.

        Args:
            timeout: seconds.

        Raises:
            TimeoutError: there were fewer by then.
        """
        found = self._scope.journal.wait(count, timeout, self._match)
        return self._enough(found, count, timeout)

    async def until(
        self,
        count: int = 1,
        timeout: float = 5.0,  # noqa: ASYNC109 - it tells what did come
    ) -> Sequence[Request]:
        """As `wait`, for coroutines on an asyncio loop."""
        found = await self._scope.journal.until(count, timeout, self._match)
        return self._enough(found, count, timeout)

    @overload
    def __getitem__(self, index: int) -> Request: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Request]: ...
    def __getitem__(self, index: int | slice) -> Request | Sequence[Request]:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._now())

    def __iter__(self) -> Iterator[Request]:
        return iter(self._all())

    def __repr__(self) -> str:
        return f"<Requests {[str(request) for request in self]}>"

    def _enough(self, found: Sequence[Exchange], count: int, timeout: float) -> Sequence[Request]:
        if len(found) >= count:
            return self._seen(found)
        came = "".join(f"\n  {request_line(exchange)}" for exchange in found)
        raise TimeoutError(f"{len(found)} of {count} requests came within {timeout:g} s{came}")

    def _all(self) -> Sequence[Request]:
        return self._seen(self._now())

    def _now(self) -> Sequence[Exchange]:
        # That a client has given up, the server hears a moment later than the test.
        self._scope.journal.settle(MOMENT)
        return self._scope.journal.all(self._match)

    def _seen(self, exchanges: Sequence[Exchange]) -> Sequence[Request]:
        return [
            Request(
                **{each.name: getattr(exchange, each.name) for each in fields(Exchange)},
                bodies=self._scope.bodies,
            )
            for exchange in exchanges
        ]
