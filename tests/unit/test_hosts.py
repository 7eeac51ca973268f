"""Hosts on the server's side: one engine at a time, and no job that is forgotten or runs on."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from soundalike.engines.base import EngineConfig, SpeechJob
from soundalike.errors import ApiError, ContentTooLargeError, OverloadedError, ServerError
from soundalike.runtime.base import Capabilities, Deployment, Status
from soundalike.runtime.frames import MAX_HEADER, Frame, dump_capabilities
from soundalike.runtime.hosts import Host
from soundalike.runtime.links import Receive

OPENED = Frame("opened", value=dump_capabilities(Capabilities(("en",))))
FAILED = Frame("failed", value=ServerError("no such weights").fields())
JOB = SpeechJob("text", "alloy")


class FakeLink:
    """A link whose host says what a test has it say."""

    pid = None

    def __init__(self, receive: Receive, may_close: asyncio.Event) -> None:
        self.say = receive
        self.heard: list[Frame] = []
        self.closed = self.killed = False
        self._may_close = may_close

    def send(self, frame: Frame) -> None:
        frame.encode()
        self.heard.append(frame)

    def kill(self) -> None:
        self.killed = True
        self.say(None)

    async def close(self) -> None:
        await self._may_close.wait()
        self.closed = True

    def ops(self) -> list[str]:
        return [frame.op for frame in self.heard]


class Rig:
    """A host, and every link that it opened."""

    def __init__(self, *, queue: int = 0, idle_unload: float = 0, queue_timeout: float = 0) -> None:
        self.links: list[FakeLink] = []
        self.opened_again = asyncio.Event()
        self.may_close = asyncio.Event()
        self.may_close.set()
        deployment = Deployment("model", "speech", EngineConfig("stub"), depth=4, queue=queue)
        self.host = Host(deployment, self._open_link, idle_unload, queue_timeout=queue_timeout)

    async def _open_link(self, receive: Receive) -> FakeLink:
        link = FakeLink(receive, self.may_close)
        self.links.append(link)
        if len(self.links) == 2:
            self.opened_again.set()
        return link

    async def run(self) -> list[Frame]:
        async with aclosing(self.host.run(JOB)) as frames:
            return [frame async for frame in frames]


@asynccontextmanager
async def opened(**options: Any) -> AsyncGenerator[Rig]:
    rig = Rig(**options)
    opening = asyncio.create_task(rig.host.open())
    await settled()
    rig.links[0].say(OPENED)
    await opening
    yield rig
    await rig.host.close()


async def settled() -> None:
    """Everything that can go on without the world has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def test_all_who_wait_for_an_engine_that_cannot_be_opened_share_its_failure() -> None:
    async def test() -> None:
        rig = Rig()
        jobs = [asyncio.create_task(rig.run()) for _ in range(3)]
        await settled()
        (link,) = rig.links
        link.say(FAILED)
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
        assert [str(outcome) for outcome in outcomes] == ["no such weights"] * 3
        await settled()
        assert link.closed
        assert len(rig.links) == 1
        assert rig.host.status.state == "failed"

    run(test)


def test_a_host_that_dies_while_it_loads_fails_those_who_wait_and_is_opened_anew_by_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        rig = Rig()
        jobs = [asyncio.create_task(rig.run()) for _ in range(2)]
        await settled()
        rig.links[0].say(None)
        for outcome in await asyncio.gather(*jobs, return_exceptions=True):
            assert isinstance(outcome, ServerError)
        assert len(rig.links) == 1
        assert rig.host.status.state == "failed"
        job = asyncio.create_task(rig.run())
        await settled()
        rig.links[1].say(OPENED)
        await settled()
        rig.links[1].say(Frame("done", rig.links[1].heard[-1].job))
        assert await job == []

    run(test)


def test_a_job_that_comes_while_its_engine_unloads_runs_on_the_next_one() -> None:
    async def test() -> None:
        async with opened(idle_unload=0.001) as rig:
            rig.may_close.clear()
            await asyncio.sleep(0.05)
            await settled()
            job = asyncio.create_task(rig.run())
            await settled()
            assert len(rig.links) == 1, "two engines in memory"
            rig.may_close.set()
            await settled()
            rig.links[1].say(OPENED)
            await settled()
            (sent,) = rig.links[1].heard[1:]
            rig.links[1].say(Frame("item", sent.job, payload=b"a"))
            rig.links[1].say(Frame("done", sent.job))
            assert [frame.payload for frame in await job] == [b"a"]

    run(test)


def test_an_engine_that_never_had_a_job_unloads_too_and_can_be_opened_again() -> None:
    async def test() -> None:
        async with opened(idle_unload=0.001) as rig:
            await asyncio.sleep(0.05)
            await settled()
            assert rig.links[0].closed
            assert rig.host.status.state == "unloaded"
            opening = asyncio.create_task(rig.host.open())
            await settled()
            rig.links[1].say(OPENED)
            assert (await opening).languages == ("en",)

    run(test)


def test_an_engine_with_a_job_is_not_unloaded() -> None:
    async def test() -> None:
        async with opened(idle_unload=0.001) as rig:
            job = asyncio.create_task(rig.run())
            await asyncio.sleep(0.05)
            await settled()
            assert not rig.links[0].closed
            rig.links[0].say(Frame("done", 1))
            await job

    run(test)


def test_a_client_that_goes_away_cancels_its_job_which_counts_until_it_has_ended() -> None:
    async def test() -> None:
        async with opened() as rig:
            jobs = [asyncio.create_task(rig.run()) for _ in range(4)]
            await settled()
            with pytest.raises(OverloadedError) as refused:
                await rig.run()
            assert refused.value.retry_after
            jobs[0].cancel()
            await settled()
            number = rig.links[0].heard[1].job
            assert rig.links[0].heard[-1] == Frame("cancel", number)
            with pytest.raises(OverloadedError):
                await rig.run()
            rig.links[0].say(Frame("done", number))
            jobs.append(asyncio.create_task(rig.run()))
            await settled()
            assert rig.links[0].ops() == ["open", *["run"] * 4, "cancel", "run"]
            for sent in rig.links[0].heard[2:]:
                rig.links[0].say(Frame("done", sent.job))
            await asyncio.gather(*jobs, return_exceptions=True)

    run(test)


def test_a_client_that_goes_away_while_the_engine_loads_leaves_it_loading() -> None:
    async def test() -> None:
        rig = Rig()
        going, staying = (asyncio.create_task(rig.run()) for _ in range(2))
        await settled()
        going.cancel()
        await settled()
        rig.links[0].say(OPENED)
        await settled()
        assert rig.links[0].ops() == ["open", "run"]
        rig.links[0].say(Frame("done", rig.links[0].heard[-1].job))
        assert await staying == []

    run(test)


def test_a_host_that_dies_fails_its_jobs_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with opened() as rig:
            job = asyncio.create_task(rig.run())
            await settled()
            rig.links[0].say(None)
            with pytest.raises(ServerError):
                await job
            assert rig.host.status.state == "unloaded"
            assert rig.host.status.reason == "its host died"
            opening = asyncio.create_task(rig.host.open())
            await settled()
            again = rig.host.status
            assert (again.state, again.reason, again.opened) == ("loading", "its host died", True)
            rig.links[1].say(OPENED)
            await opening
            assert rig.host.status == Status("model", "speech", "ready", opened=True)

    run(test)


def test_closing_while_an_engine_loads_ends_it_and_tells_who_waits() -> None:
    async def test() -> None:
        rig = Rig()
        job = asyncio.create_task(rig.run())
        await settled()
        await rig.host.close()
        with pytest.raises(OverloadedError, match="shutting down"):
            await job
        assert rig.links[0].closed
        assert rig.host.status.state == "stopped"

    run(test)


def test_a_process_that_cannot_be_started_is_a_failure_and_not_an_endless_wait() -> None:
    async def test() -> None:
        async def no_process(receive: Receive) -> FakeLink:
            raise BlockingIOError("no more processes")

        host = Host(Deployment("model", "speech", EngineConfig("stub")), no_process, 0)
        with pytest.raises(ApiError, match="no more processes"):
            await host.open()
        assert host.status.state == "failed"

    run(test)


def test_a_job_that_no_engine_begins_with_in_time_is_refused_and_cancelled() -> None:
    async def test() -> None:
        async with opened(queue_timeout=0.05) as rig:
            with pytest.raises(OverloadedError, match="waited too long") as refused:
                await rig.run()
            assert refused.value.retry_after
            assert rig.links[0].ops() == ["open", "run", "cancel"]
            job = asyncio.create_task(rig.run())
            await settled()
            number = rig.links[0].heard[-1].job
            rig.links[0].say(Frame("taken", number))
            await asyncio.sleep(0.1)  # it may take its time, now that it has begun
            rig.links[0].say(Frame("done", number))
            assert await job == []

    run(test)


def test_who_asks_what_an_engine_can_do_waits_like_a_job() -> None:
    async def test() -> None:
        rig = Rig(queue=1, queue_timeout=0.05)
        asking = [asyncio.create_task(rig.host.capabilities()) for _ in range(5)]
        await settled()
        assert rig.host.load.queued == 5
        for refused in (rig.host.capabilities(), rig.run()):
            with pytest.raises(OverloadedError, match="currently overloaded"):
                await refused
        for outcome in await asyncio.gather(*asking, return_exceptions=True):
            assert "waited too long" in str(outcome)
        assert rig.host.load.queued == 0
        await rig.host.close()

    run(test)


def test_what_an_engine_can_do_is_known_while_it_is_opened_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        async with opened() as rig:
            rig.links[0].say(None)
            assert (await rig.host.capabilities()).languages == ("en",)
            assert len(rig.links) == 1
            opening = asyncio.create_task(rig.host.open())
            await settled()
            assert (await rig.host.capabilities()).languages == ("en",)
            rig.links[1].say(Frame("opened", value=dump_capabilities(Capabilities(("de",)))))
            await opening
            assert (await rig.host.capabilities()).languages == ("de",)

    run(test)


def test_a_job_that_is_too_large_to_be_passed_on_fails_alone() -> None:
    async def test() -> None:
        async with opened() as rig:
            job = asyncio.create_task(rig.run())
            await settled()
            with pytest.raises(ContentTooLargeError):
                async for _ in rig.host.run(SpeechJob("a" * MAX_HEADER, "alloy")):
                    pass
            assert rig.host.load.queued == 1
            assert rig.links[0].ops() == ["open", "run"]
            rig.links[0].say(Frame("done", rig.links[0].heard[-1].job))
            assert await job == []

    run(test)


def test_an_engine_that_fails_after_it_was_open_loses_its_host(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        async with opened() as rig:
            job = asyncio.create_task(rig.run())
            await settled()
            rig.links[0].say(FAILED)
            with pytest.raises(ServerError):
                await job
            assert rig.links[0].killed
            assert rig.host.status.state == "unloaded"
            assert "no such weights" in caplog.text

    run(test)


def test_a_host_that_dies_again_and_again_while_it_loads_is_left_alone_for_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        rig = Rig()
        for deaths in range(2):
            job = asyncio.create_task(rig.run())
            await settled()
            rig.links[deaths].say(None)
            with pytest.raises(ServerError, match="died"):
                await job
        with pytest.raises(OverloadedError, match="could not be opened"):
            await rig.run()
        assert len(rig.links) == 2
        await rig.host.close()

    run(test)


def test_deaths_of_an_engine_that_was_open_are_no_reason_to_wait(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        rig = Rig()
        for deaths in range(12):
            opening = asyncio.create_task(rig.host.open())
            await settled()
            rig.links[deaths].say(OPENED)
            await opening
            rig.links[deaths].say(None)

    run(test)


def test_why_an_engine_cannot_be_opened_again_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with opened() as rig:
            rig.links[0].say(None)
            job = asyncio.create_task(rig.run())
            await settled()
            rig.links[1].say(FAILED)
            with pytest.raises(ServerError):
                await job
        assert "model cannot be opened: no such weights" in caplog.text

    run(test)


def test_an_engine_that_failed_is_left_alone_for_a_while_and_then_tried_again() -> None:
    async def test() -> None:
        rig = Rig()
        job = asyncio.create_task(rig.run())
        await settled()
        rig.links[0].say(FAILED)
        with pytest.raises(ServerError, match="no such weights"):
            await job
        for _ in range(3):
            with pytest.raises(OverloadedError, match="could not be opened") as refused:
                await rig.run()
            assert refused.value.retry_after
        assert len(rig.links) == 1
        async with asyncio.timeout(20):
            await rig.opened_again.wait()  # without being asked
        await settled()
        assert rig.host.status.state == "failed"
        assert rig.host.status.reason == "no such weights"
        rig.links[1].say(OPENED)
        await rig.host.open()
        await rig.host.close()

    run(test)


def test_a_host_that_is_closed_opens_nothing_any_more() -> None:
    async def test() -> None:
        async with opened() as rig:
            await rig.host.close()
            with pytest.raises(OverloadedError, match="shutting down") as refused:
                await rig.run()
            assert refused.value.retry_after
            assert len(rig.links) == 1

    run(test)
