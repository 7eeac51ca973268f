"""Engines that are ended while nobody needs them, or since the server ends."""

import asyncio
from typing import Any

import pytest

from soundalike.errors import OverloadedError
from soundalike.runtime.frames import Frame


def test_a_job_that_comes_while_its_engine_unloads_runs_on_the_next_one(opened_rig: Any) -> None:
    async def test() -> None:
        async with opened_rig(idle_unload=0.001) as rig:
            rig.may_close.clear()
            await asyncio.sleep(0.05)
            await rig.settled()
            job = asyncio.create_task(rig.run())
            await rig.settled()
            assert len(rig.links) == 1, "two engines in memory"
            rig.may_close.set()
            await rig.settled()
            rig.links[1].say_opened()
            await rig.settled()
            (sent,) = rig.links[1].heard[1:]
            rig.links[1].say(Frame("item", sent.job, payload=b"a"))
            rig.links[1].say(Frame("done", sent.job))
            assert [frame.payload for frame in await job] == [b"a"]

    asyncio.run(test())


def test_an_engine_that_never_had_a_job_unloads_too_and_can_be_opened_again(
    opened_rig: Any,
) -> None:
    async def test() -> None:
        async with opened_rig(idle_unload=0.001) as rig:
            await asyncio.sleep(0.05)
            await rig.settled()
            assert rig.links[0].closed
            assert rig.host.status.state == "unloaded"
            opening = asyncio.create_task(rig.host.open())
            await rig.settled()
            rig.links[1].say_opened()
            assert (await opening).languages == ("en",)

    asyncio.run(test())


def test_an_engine_with_a_job_is_not_unloaded(opened_rig: Any) -> None:
    async def test() -> None:
        async with opened_rig(idle_unload=0.001) as rig:
            job = asyncio.create_task(rig.run())
            await asyncio.sleep(0.05)
            await rig.settled()
            assert not rig.links[0].closed
            rig.links[0].say(Frame("done", 1))
            await job

    asyncio.run(test())


def test_closing_while_an_engine_loads_ends_it_and_tells_who_waits(new_rig: Any) -> None:
    async def test() -> None:
        rig = new_rig()
        job = asyncio.create_task(rig.run())
        await rig.settled()
        await rig.host.close()
        with pytest.raises(OverloadedError, match="shutting down"):
            await job
        assert rig.links[0].closed
        assert rig.host.status.state == "stopped"

    asyncio.run(test())


def test_a_host_that_is_closed_opens_nothing_any_more(opened_rig: Any) -> None:
    async def test() -> None:
        async with opened_rig() as rig:
            await rig.host.close()
            with pytest.raises(OverloadedError, match="shutting down") as refused:
                await rig.run()
            assert refused.value.retry_after
            assert len(rig.links) == 1

    asyncio.run(test())
