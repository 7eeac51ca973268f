"""Engines that are opened, at once or anew: one at a time, and those who wait learn how it went."""

import asyncio
from typing import Any, NoReturn

import pytest

from soundalike.engines.base import EngineConfig
from soundalike.errors import ApiError, OverloadedError, ServerError
from soundalike.runtime.base import Deployment
from soundalike.runtime.frames import Frame
from soundalike.runtime.hosts import Host
from soundalike.runtime.links import Receive


def test_all_who_wait_for_an_engine_that_cannot_be_opened_share_its_failure(new_rig: Any) -> None:
    async def test() -> None:
        rig = new_rig()
        jobs = [asyncio.create_task(rig.run()) for _ in range(3)]
        await rig.settled()
        (link,) = rig.links
        link.say_failed()
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
        assert [str(outcome) for outcome in outcomes] == ["no such weights"] * 3
        await rig.settled()
        assert link.closed
        assert len(rig.links) == 1
        assert rig.host.status.state == "failed"

    asyncio.run(test())


def test_a_host_that_dies_while_it_loads_fails_those_who_wait_and_is_opened_anew_by_the_next(
    new_rig: Any,
) -> None:
    async def test() -> None:
        rig = new_rig()
        jobs = [asyncio.create_task(rig.run()) for _ in range(2)]
        await rig.settled()
        rig.links[0].say(None)
        for outcome in await asyncio.gather(*jobs, return_exceptions=True):
            assert isinstance(outcome, ServerError)
        assert len(rig.links) == 1
        assert rig.host.status.state == "failed"
        job = asyncio.create_task(rig.run())
        await rig.settled()
        rig.links[1].say_opened()
        await rig.settled()
        rig.links[1].say(Frame("done", rig.links[1].heard[-1].job))
        assert await job == []

    asyncio.run(test())


def test_codecs_are_loaded_after_each_opening(new_rig: Any) -> None:
    async def test() -> None:
        rig = new_rig()
        rig.host.prepare()
        for number in range(2):
            opening = asyncio.create_task(rig.host.open())
            await rig.settled()
            assert rig.links[number].ops() == ["open"]
            rig.links[number].say_opened()
            await opening
            assert rig.links[number].ops() == ["open", "prepare"]
            rig.links[number].say(None)

    asyncio.run(test())


def test_codecs_are_loaded_at_once_where_the_engine_is_open(opened_rig: Any) -> None:
    async def test() -> None:
        async with opened_rig() as rig:
            assert rig.links[0].ops() == ["open"]
            rig.host.prepare()
            assert rig.links[0].ops() == ["open", "prepare"]

    asyncio.run(test())


def test_a_client_that_goes_away_while_the_engine_loads_leaves_it_loading(new_rig: Any) -> None:
    async def test() -> None:
        rig = new_rig()
        going, staying = (asyncio.create_task(rig.run()) for _ in range(2))
        await rig.settled()
        going.cancel()
        await rig.settled()
        rig.links[0].say_opened()
        await rig.settled()
        assert rig.links[0].ops() == ["open", "run"]
        rig.links[0].say(Frame("done", rig.links[0].heard[-1].job))
        assert await staying == []

    asyncio.run(test())


def test_a_process_that_cannot_be_started_is_a_failure_and_not_an_endless_wait() -> None:
    async def test() -> None:
        async def no_process(receive: Receive) -> NoReturn:
            raise BlockingIOError("no more processes")

        host = Host(Deployment("model", "speech", EngineConfig("stub")), no_process, 0)
        with pytest.raises(ApiError, match="no more processes"):
            await host.open()
        assert host.status.state == "failed"

    asyncio.run(test())


def test_who_asks_what_an_engine_can_do_waits_like_a_job(new_rig: Any) -> None:
    async def test() -> None:
        rig = new_rig(queue=1, queue_timeout=0.05)
        asking = [asyncio.create_task(rig.host.capabilities()) for _ in range(5)]
        await rig.settled()
        assert rig.host.load.queued == 5
        for refused in (rig.host.capabilities(), rig.run()):
            with pytest.raises(OverloadedError, match="currently overloaded"):
                await refused
        for outcome in await asyncio.gather(*asking, return_exceptions=True):
            assert "waited too long" in str(outcome)
        assert rig.host.load.queued == 0
        await rig.host.close()

    asyncio.run(test())


def test_what_an_engine_can_do_is_known_while_it_is_opened_again(opened_rig: Any) -> None:
    async def test() -> None:
        async with opened_rig() as rig:
            rig.links[0].say(None)
            assert (await rig.host.capabilities()).languages == ("en",)
            assert len(rig.links) == 1
            opening = asyncio.create_task(rig.host.open())
            await rig.settled()
            assert (await rig.host.capabilities()).languages == ("en",)
            rig.links[1].say_opened("de")
            await opening
            assert (await rig.host.capabilities()).languages == ("de",)

    asyncio.run(test())


def test_a_host_that_dies_again_and_again_while_it_loads_is_left_alone_for_a_while(
    new_rig: Any,
) -> None:
    async def test() -> None:
        rig = new_rig()
        for deaths in range(2):
            job = asyncio.create_task(rig.run())
            await rig.settled()
            rig.links[deaths].say(None)
            with pytest.raises(ServerError, match="died"):
                await job
        with pytest.raises(OverloadedError, match="could not be opened"):
            await rig.run()
        assert len(rig.links) == 2
        await rig.host.close()

    asyncio.run(test())


def test_deaths_of_an_engine_that_was_open_are_no_reason_to_wait(new_rig: Any) -> None:
    async def test() -> None:
        rig = new_rig()
        for deaths in range(12):
            opening = asyncio.create_task(rig.host.open())
            await rig.settled()
            rig.links[deaths].say_opened()
            await opening
            rig.links[deaths].say(None)

    asyncio.run(test())


def test_why_an_engine_cannot_be_opened_again_is_logged(
    opened_rig: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with opened_rig() as rig:
            rig.links[0].say(None)
            job = asyncio.create_task(rig.run())
            await rig.settled()
            rig.links[1].say_failed()
            with pytest.raises(ServerError):
                await job
        assert "model cannot be opened: no such weights" in caplog.text

    asyncio.run(test())


def test_an_engine_that_failed_is_left_alone_for_a_while_and_then_tried_again(new_rig: Any) -> None:
    async def test() -> None:
        rig = new_rig()
        job = asyncio.create_task(rig.run())
        await rig.settled()
        rig.links[0].say_failed()
        with pytest.raises(ServerError, match="no such weights"):
            await job
        for _ in range(3):
            with pytest.raises(OverloadedError, match="could not be opened") as refused:
                await rig.run()
            assert refused.value.retry_after
        assert len(rig.links) == 1
        async with asyncio.timeout(20):
            await rig.opened_again.wait()  # without being asked
        await rig.settled()
        assert rig.host.status.state == "failed"
        assert rig.host.status.reason == "no such weights"
        rig.links[1].say_opened()
        await rig.host.open()
        await rig.host.close()

    asyncio.run(test())
