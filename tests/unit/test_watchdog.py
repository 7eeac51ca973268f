"""When a host is given up."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from soundalike.runtime.frames import Frame
from soundalike.runtime.watchdog import Watchdog

PATIENCE = 0.08


class Watched:
    """What a watchdog sends and says."""

    def __init__(self, patience: float = PATIENCE, answer: Any = None) -> None:
        self.pings = 0
        self.often = asyncio.Event()
        self.given_up: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self.dog = Watchdog(patience, self._ping, self.given_up.set_result)

    def _ping(self, frame: Frame) -> None:
        assert frame.op == "ping"
        self.pings += 1
        if self.pings == 12:
            self.often.set()
        if self._answer is not None:
            self.dog.answered(self._answer)

    async def reason(self) -> str:
        async with asyncio.timeout(20):
            return await self.given_up


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def test_a_host_that_does_not_answer_is_given_up_after_several_pings() -> None:
    async def test() -> None:
        watched = Watched()
        watched.dog.opened()
        assert "does not answer" in await watched.reason()
        assert watched.pings == 4

    run(test)


def test_an_engine_that_does_not_open_in_time_is_given_up() -> None:
    async def test() -> None:
        assert "did not open" in await Watched(answer=0.0).reason()

    run(test)


def test_a_job_that_is_stuck_is_reason_enough() -> None:
    async def test() -> None:
        watched = Watched(answer=PATIENCE * 2)
        watched.dog.opened()
        assert "no progress" in await watched.reason()
        assert watched.pings == 1

    run(test)


@pytest.mark.parametrize("nonsense", [math.nan, "long", [1], -5])
def test_a_host_that_answers_is_left_alone_whatever_it_says(nonsense: Any) -> None:
    async def test() -> None:
        watched = Watched(answer=nonsense)
        watched.dog.opened()
        async with asyncio.timeout(20):
            await watched.often.wait()
        assert not watched.given_up.done()
        watched.dog.stop()

    run(test)
