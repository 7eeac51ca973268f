"""Jobs of hosts on the server's side: none is forgotten, and none runs on."""

import asyncio
from typing import Any

import pytest

from soundalike.engines.base import SpeechJob
from soundalike.errors import ContentTooLargeError, OverloadedError, ServerError
from soundalike.runtime.base import Status
from soundalike.runtime.frames import MAX_HEADER, Frame


def test_a_client_that_goes_away_cancels_its_job_which_counts_until_it_has_ended(
    opened_rig: Any,
) -> None:
    async def test() -> None:
        async with opened_rig() as rig:
            jobs = [asyncio.create_task(rig.run()) for _ in range(4)]
            await rig.settled()
            with pytest.raises(OverloadedError) as refused:
                await rig.run()
            assert refused.value.retry_after
            jobs[0].cancel()
            await rig.settled()
            number = rig.links[0].heard[1].job
            assert rig.links[0].heard[-1] == Frame("cancel", number)
            with pytest.raises(OverloadedError):
                await rig.run()
            rig.links[0].say(Frame("done", number))
            jobs.append(asyncio.create_task(rig.run()))
            await rig.settled()
            assert rig.links[0].ops() == ["open", *["run"] * 4, "cancel", "run"]
            for sent in rig.links[0].heard[2:]:
                rig.links[0].say(Frame("done", sent.job))
            await asyncio.gather(*jobs, return_exceptions=True)

    asyncio.run(test())


def test_a_host_that_dies_fails_its_jobs_alone(opened_rig: Any) -> None:
    async def test() -> None:
        async with opened_rig() as rig:
            job = asyncio.create_task(rig.run())
            await rig.settled()
            rig.links[0].say(None)
            with pytest.raises(ServerError):
                await job
            assert rig.host.status.state == "unloaded"
            assert rig.host.status.reason == "its host died"
            opening = asyncio.create_task(rig.host.open())
            await rig.settled()
            again = rig.host.status
            assert (again.state, again.reason, again.opened) == ("loading", "its host died", True)
            rig.links[1].say_opened()
            await opening
            assert rig.host.status == Status("model", "speech", "ready", opened=True)

    asyncio.run(test())


def test_a_job_that_no_engine_begins_with_in_time_is_refused_and_cancelled(opened_rig: Any) -> None:
    async def test() -> None:
        async with opened_rig(queue_timeout=0.05) as rig:
            with pytest.raises(OverloadedError, match="waited too long") as refused:
                await rig.run()
            assert refused.value.retry_after
            assert rig.links[0].ops() == ["open", "run", "cancel"]
            job = asyncio.create_task(rig.run())
            await rig.settled()
            number = rig.links[0].heard[-1].job
            rig.links[0].say(Frame("taken", number))
            await asyncio.sleep(0.1)  # it may take its time, now that it has begun
            rig.links[0].say(Frame("done", number))
            assert await job == []

    asyncio.run(test())


def test_a_job_that_is_too_large_to_be_passed_on_fails_alone(opened_rig: Any) -> None:
    async def test() -> None:
        async with opened_rig() as rig:
            job = asyncio.create_task(rig.run())
            await rig.settled()
            with pytest.raises(ContentTooLargeError):
                async for _ in rig.host.run(SpeechJob("a" * MAX_HEADER, "alloy")):
                    pass
            assert rig.host.load.queued == 1
            assert rig.links[0].ops() == ["open", "run"]
            rig.links[0].say(Frame("done", rig.links[0].heard[-1].job))
            assert await job == []

    asyncio.run(test())


def test_an_engine_that_fails_after_it_was_open_loses_its_host(
    opened_rig: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with opened_rig() as rig:
            job = asyncio.create_task(rig.run())
            await rig.settled()
            rig.links[0].say_failed()
            with pytest.raises(ServerError):
                await job
            assert rig.links[0].killed
            assert rig.host.status.state == "unloaded"
            assert "no such weights" in caplog.text

    asyncio.run(test())
