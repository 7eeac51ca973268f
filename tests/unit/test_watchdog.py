"""When a host is given up."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from soundalike.runtime.frames import Frame
from soundalike.runtime.links import Link, Receive
from soundalike.runtime.watchdog import MISSED, Watchdog, watched

PATIENCE = 0.08


class Watched:
    """What a watchdog sends and says."""

    def __init__(self, patience: float = PATIENCE, answer: Any = None, often: int = 12) -> None:
        self.pings = 0
        self.often = asyncio.Event()
        self.given_up: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._answer, self._often = answer, often
        self.dog = Watchdog(patience, self._ping, self.given_up.set_result)

    def _ping(self, frame: Frame) -> None:
        assert frame.op == "ping"
        self.pings += 1
        if self.pings == self._often:
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
        watched.dog.opening = False
        assert "does not answer" in await watched.reason()
        assert watched.pings == MISSED

    run(test)


def test_an_engine_that_does_not_open_in_time_is_given_up() -> None:
    async def test() -> None:
        watched = Watched(answer=0)
        assert "did not open" in await watched.reason()
        assert watched.pings == MISSED

    run(test)


def test_a_job_that_is_stuck_is_reason_enough() -> None:
    async def test() -> None:
        watched = Watched(answer=MISSED + 1)
        watched.dog.opening = False
        assert "no progress" in await watched.reason()
        assert watched.pings == 1

    run(test)


@pytest.mark.parametrize("opening", [True, False])
def test_a_pause_of_everything_is_no_reason(opening: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """After it, all clocks have gone on, and no ping was sent."""

    async def test() -> None:
        watched = Watched(answer=1, often=2)
        watched.dog.opening = opening
        loop = asyncio.get_running_loop()
        before = loop.time
        monkeypatch.setattr(loop, "time", lambda: before() + 100 * PATIENCE)
        async with asyncio.timeout(20 + 100 * PATIENCE):
            await watched.often.wait()
        assert not watched.given_up.done()
        watched.dog.stop()

    run(test)


@pytest.mark.parametrize("answer", [MISSED, 1e9, "long", [1], -5])
def test_a_host_that_answers_is_left_alone_whatever_it_says(answer: Any) -> None:
    async def test() -> None:
        watched = Watched(answer=answer)
        watched.dog.opening = False
        async with asyncio.timeout(20):
            await watched.often.wait()
        assert not watched.given_up.done()
        watched.dog.stop()

    run(test)


class StuckLink:
    """A link whose host answers pings, with a job that is stuck once a test says so."""

    pid = 4711

    def __init__(self, receive: Receive) -> None:
        self.still = 0
        self.pinged = asyncio.Event()
        self.killed = asyncio.Event()
        self.closed = False
        self.say = receive

    def send(self, frame: Frame) -> None:
        self.pinged.set()
        self.say(Frame("pong", value=self.still))

    def kill(self) -> None:
        self.killed.set()
        self.say(None)

    async def close(self) -> None:
        self.closed = True


def test_a_watched_link_kills_its_host_and_keeps_pings_to_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        links: list[StuckLink] = []
        heard: list[Frame | None] = []

        async def open_link(receive: Receive) -> Link:
            links.append(StuckLink(receive))
            return links[-1]

        link = await watched(open_link, "model", PATIENCE)(heard.append)
        (inner,) = links
        assert link.pid == 4711
        inner.say(Frame("opened"))
        async with asyncio.timeout(20):
            await inner.pinged.wait()
            assert not inner.killed.is_set()
            inner.still = MISSED + 1
            await inner.killed.wait()
        assert heard == [Frame("opened"), None]
        assert "the host of model is killed: a job has made no progress" in caplog.text
        await link.close()
        assert inner.closed

    run(test)


def test_a_host_that_is_given_up_while_it_loads_counts_as_one_that_cannot_open(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        links: list[StuckLink] = []
        heard: list[Frame | None] = []

        async def open_link(receive: Receive) -> Link:
            links.append(StuckLink(receive))
            return links[-1]

        await watched(open_link, "model", PATIENCE)(heard.append)
        async with asyncio.timeout(20):
            await links[0].killed.wait()
        failed, gone = heard
        assert failed is not None
        assert (failed.op, failed.job, gone) == ("failed", 0, None)
        assert "did not open within" in failed.value["message"]

    run(test)


def test_a_link_that_is_closed_is_watched_no_more() -> None:
    async def test() -> None:
        links: list[StuckLink] = []

        async def open_link(receive: Receive) -> Link:
            links.append(StuckLink(receive))
            return links[-1]

        heard: list[Frame | None] = []
        link = await watched(open_link, "model", PATIENCE)(heard.append)
        await link.close()
        await asyncio.sleep(PATIENCE)
        assert not links[0].pinged.is_set()

    run(test)
