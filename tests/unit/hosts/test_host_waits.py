"""What a request waits for engines counts against one limit, however often it has to."""

import asyncio
from typing import Any, ClassVar

import pytest

from soundalike.errors import OverloadedError
from soundalike.observation import Observation, current
from soundalike.runtime.frames import Frame

LIMIT = 0.05
"""Seconds."""


def test_a_job_that_waits_once_more_may_wait_no_longer_than_for_its_turn(opened_rig: Any) -> None:
    async def test() -> None:
        async with opened_rig(queue_timeout=LIMIT) as rig:
            job = asyncio.create_task(rig.run())
            await rig.settled()
            link = rig.links[0]
            number = link.heard[-1].job
            link.say(Frame("taken", number))
            await rig.settled()
            link.say(Frame("waits", number))
            with pytest.raises(OverloadedError, match="waited too long"):
                await job
            assert link.ops() == ["open", "run", "cancel"]

    asyncio.run(test())


class Spans:
    """Notes what a trace would be told."""

    told: ClassVar[list[str]] = []

    def __init__(self, deployment: str) -> None:
        self.told.append("queue")

    def taken(self) -> None:
        self.told.append("taken")

    def waits(self) -> None:
        self.told.append("waits")

    def ended(self) -> None:
        self.told.append("ended")


def test_a_job_that_waits_once_more_is_queued_until_it_goes_on(
    opened_rig: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("soundalike.runtime.jobs.JobSpans", Spans)

    async def test() -> None:
        async with opened_rig(queue_timeout=60) as rig:
            job = asyncio.create_task(rig.run())
            await rig.settled()
            link = rig.links[0]
            number = link.heard[-1].job
            seen = []
            for op in ("taken", "waits", "taken"):
                link.say(Frame(op, number))
                await rig.settled()
                seen.append((rig.host.load.running, rig.host.load.queued))
            assert seen == [(1, 0), (0, 1), (1, 0)]
            link.say(Frame("item", number, payload=b"sound"))
            link.say(Frame("done", number))
            assert [frame.payload for frame in await job] == [b"sound"]
            assert Spans.told[:5] == ["queue", "taken", "waits", "taken", "ended"]

    asyncio.run(test())


def test_what_a_request_has_waited_is_taken_off_what_it_still_may(opened_rig: Any) -> None:
    async def test() -> None:
        async with opened_rig(queue_timeout=3600) as rig:
            request = Observation("POST", "/v1/audio/speech", waited=3600)
            current.set(request)
            async with asyncio.timeout(60):
                with pytest.raises(OverloadedError, match="waited too long"):
                    await rig.run()
            assert request.waited >= 3600

    asyncio.run(test())


def test_the_wait_for_what_an_engine_can_do_counts(new_rig: Any) -> None:
    async def test() -> None:
        rig = new_rig(queue=1, queue_timeout=60)
        request = Observation("POST", "/v1/audio/speech")
        current.set(request)
        asking = asyncio.create_task(rig.host.capabilities())
        await rig.settled()
        await asyncio.sleep(LIMIT)
        rig.links[0].say_opened()
        await asking
        assert request.waited >= LIMIT
        await rig.host.close()

    asyncio.run(test())
