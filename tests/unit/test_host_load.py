"""What the server knows of the work of a host: jobs that wait and run, audio, restarts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from soundalike.engines.base import EngineConfig, SpeechJob
from soundalike.errors import ServerError
from soundalike.runtime.base import Capabilities, Deployment, Load
from soundalike.runtime.frames import Frame, dump_capabilities, dump_event
from soundalike.runtime.hosts import Host
from soundalike.runtime.jobs import RunningJob, Tally
from soundalike.runtime.links import Receive
from soundalike.transcript import Delta, Detected, Segment

OPENED = Frame("opened", value=dump_capabilities(Capabilities(("en",))))
JOB = SpeechJob("text", "alloy")


class Link:
    """A link whose host says what a test has it say."""

    pid = 4711

    def __init__(self, receive: Receive) -> None:
        self.say = receive
        self.heard: list[Frame] = []

    def send(self, frame: Frame) -> None:
        self.heard.append(frame)

    def kill(self) -> None:
        pass

    async def close(self) -> None:
        pass


class Rig:
    """A host, and every link that it opened."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        deployment = Deployment(
            "model", "speech", EngineConfig("stub"), threads=2, depth=3, queue=5
        )
        self.host = Host(deployment, self._open_link, 0)

    async def _open_link(self, receive: Receive) -> Link:
        self.links.append(Link(receive))
        return self.links[-1]

    async def run(self) -> list[Frame]:
        return [frame async for frame in self.host.run(JOB)]

    async def settled(self) -> Load:
        """The load once everything that can go on without the world has gone on."""
        for _ in range(20):
            await asyncio.sleep(0)
        return self.host.load


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def test_jobs_wait_until_the_engine_takes_them() -> None:
    async def test() -> None:
        rig = Rig()
        assert rig.host.load == Load("model", "speech", slots=6, queue=5)
        jobs = [asyncio.create_task(rig.run()) for _ in range(2)]
        load = await rig.settled()
        assert (load.queued, load.running, load.pid) == (2, 0, 4711), "the engine opens"
        say = rig.links[0].say
        say(OPENED)
        load = await rig.settled()
        assert (load.queued, load.running) == (2, 0)
        first, second = (frame.job for frame in rig.links[0].heard[1:])
        say(Frame("taken", first))
        load = await rig.settled()
        assert (load.queued, load.running) == (1, 1)
        say(Frame("done", first, 0.5))
        say(Frame("done", second))
        load = await rig.settled()
        assert (load.queued, load.running) == (0, 0)
        assert await asyncio.gather(*jobs) == [[], []], "a job's frames are its items alone"
        await rig.host.close()
        assert rig.host.load.pid is None

    run(test)


def test_audio_and_work_are_summed_over_jobs_also_of_clients_that_went_away() -> None:
    async def test() -> None:
        rig = Rig()
        jobs = [asyncio.create_task(rig.run()) for _ in range(2)]
        await rig.settled()
        say = rig.links[0].say
        say(OPENED)
        await rig.settled()
        first, second = (frame.job for frame in rig.links[0].heard[1:])
        for number, spoken in ((first, 1.0), (first, 2.0), (second, 3.0)):
            say(Frame("item", number, spoken, b"sound"))
        say(Frame("done", first, 0.5))
        jobs[1].cancel()
        await rig.settled()
        say(Frame("done", second, 1.5))
        load = await rig.settled()
        assert (load.audio_seconds, load.busy_seconds, load.real_time_factor) == (5.0, 2.0, 0.5)

    run(test)


def test_an_engine_that_is_opened_after_its_host_died_was_restarted(caplog: Any) -> None:
    async def test() -> None:
        rig = Rig()
        for deaths in range(3):
            opening = asyncio.create_task(rig.host.open())
            assert (await rig.settled()).restarts == deaths
            rig.links[-1].say(OPENED)
            await opening
            rig.links[-1].say(None)
        assert rig.host.load.pid is None

    run(test)


HEARD = [
    dump_event(Detected("en", 60.0)),
    dump_event(Segment(0, 0, 0.0, 4.5, " Half", (), 0.0, -0.1, 1.0, 0.0)),
    dump_event(Delta(" Half")),
]
"""What a host tells of the first seconds of a minute."""


@pytest.mark.parametrize(
    ("ends", "seconds"), [("done", 60.0), ("failed", 4.5), ("left", 4.5), ("dies", 4.5)]
)
def test_a_recording_counts_as_far_as_it_was_recognised(
    ends: str, seconds: float, caplog: Any
) -> None:
    async def test() -> None:
        rig = Rig()
        job = asyncio.create_task(rig.run())
        await rig.settled()
        say = rig.links[0].say
        say(OPENED)
        await rig.settled()
        number = rig.links[0].heard[-1].job
        for value in HEARD:
            say(Frame("item", number, value))
        await rig.settled()
        if ends == "left":
            job.cancel()
            await rig.settled()
        if ends == "dies":
            say(None)
        elif ends == "failed":
            say(Frame("failed", number, ServerError("no").fields()))
        else:
            say(Frame("done", number, 1.0))
        await asyncio.gather(job, return_exceptions=True)
        assert rig.host.load.audio_seconds == seconds

    run(test)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (dump_event(Detected("en", 12.5)), 12.5),
        (dump_event(Delta("text")), 0.0),
        (3, 3.0),
        (True, 0.0),
        (-1.0, 0.0),
        (float("nan"), 0.0),
        (float("inf"), 0.0),
        ("12", 0.0),
        (["Detected", {"duration": "long"}], 0.0),
        (["Segment", {"end": "late"}], 0.0),
        (None, 0.0),
    ],
)
def test_a_host_is_believed_durations_alone(value: Any, seconds: float) -> None:
    async def test() -> None:
        job, tally = RunningJob("model"), Tally()
        job.receive(Frame("item", 1, value))
        last = Frame("done", 1, value)
        job.receive(last)
        tally.add(job, last)
        assert tally.audio == seconds

    run(test)
