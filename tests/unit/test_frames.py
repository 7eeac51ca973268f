"""Frames: what goes over a pipe comes back the same, and garbage is refused."""

import asyncio
import io
from pathlib import Path

import pytest

from soundalike.engines.base import (
    EngineConfig,
    SpeechJob,
    TranscriptionJob,
    VadSettings,
    Voice,
)
from soundalike.runtime.base import Capabilities
from soundalike.runtime.frames import (
    MAX_HEADER,
    MAX_PAYLOAD,
    BrokenFrameError,
    Frame,
    Job,
    Opening,
    dump_capabilities,
    dump_event,
    dump_job,
    dump_opening,
    load_capabilities,
    load_event,
    load_job,
    load_opening,
    read_frame,
    receive_frame,
)
from soundalike.transcript import (
    Delta,
    Detected,
    Segment,
    TokenLogprob,
    TranscriptionEvent,
    Word,
)

FRAMES = [
    Frame("open", value={"a": 1}),
    Frame("item", 7, payload=bytes(range(256))),
    Frame("failed", 2, "émoji 🎉 \ud800"),
    Frame("done", 3),
]


def test_frames_survive_the_pipe() -> None:
    pipe = io.BytesIO(b"".join(frame.encode() for frame in FRAMES))
    assert [read_frame(pipe) for _ in FRAMES] == FRAMES
    assert read_frame(pipe) is None


def test_frames_survive_the_stream() -> None:
    async def main() -> list[Frame | None]:
        stream = asyncio.StreamReader()
        stream.feed_data(b"".join(frame.encode() for frame in FRAMES))
        stream.feed_eof()
        return [await receive_frame(stream) for _ in range(len(FRAMES) + 1)]

    assert asyncio.run(main()) == [*FRAMES, None]


@pytest.mark.parametrize("length", [1, 8, 9, 20, 100])
def test_a_frame_that_is_cut_off_ends_the_pipe(length: int) -> None:
    """The other side was killed in the midst of it."""
    assert read_frame(io.BytesIO(FRAMES[1].encode()[:length])) is None


@pytest.mark.parametrize(
    "frame",
    [Frame("run", 1, "a" * MAX_HEADER), Frame("item", 1, payload=bytes(MAX_PAYLOAD + 1))],
    ids=["header", "payload"],
)
def test_a_frame_that_the_other_side_would_not_take_is_not_sent(frame: Frame) -> None:
    with pytest.raises(BrokenFrameError):
        frame.encode()


def test_a_frame_that_is_cut_off_ends_the_stream() -> None:
    async def main() -> Frame | None:
        stream = asyncio.StreamReader()
        stream.feed_data(FRAMES[1].encode()[:-1])
        stream.feed_eof()
        return await receive_frame(stream)

    assert asyncio.run(main()) is None


@pytest.mark.parametrize(
    "garbage", [b"\xff" * 8 + b"x" * 64, b"\x00\x00\x00\x01\x00\x00\x00\x00{"], ids=["huge", "json"]
)
def test_what_is_no_frame_is_refused(garbage: bytes) -> None:
    with pytest.raises(BrokenFrameError):
        read_frame(io.BytesIO(garbage))


@pytest.mark.parametrize(
    "job",
    [
        SpeechJob("Hi 🎉\n", "alloy", "opus", 0.25, "slowly", "fr"),
        TranscriptionJob(Path("/tmp/a b"), "translate", "de", "prompt", 0.5, True, True, True),
        TranscriptionJob(
            Path("a"),
            languages=("de", "fr"),
            keywords=("Dashwood", "Ελένη"),
            vad=VadSettings(0.25, 300, 200),
            normalize_loudness=True,
        ),
    ],
)
def test_jobs_survive(job: Job) -> None:
    assert load_job(dump_job(job)) == job


@pytest.mark.parametrize(
    "event",
    [
        Detected(None, 1.5),
        Delta(" hé", (TokenLogprob(" h", -0.5, (32, 104)),)),
        Segment(
            *(0, 0, 0.0, 1.0, " Hi.", (50364, 1), 0.0, -0.1, 0.9, 0.01),
            words=(Word(" Hi.", 0.0, 0.9, 0.8),),
            logprobs=(TokenLogprob("Hi", -0.25, (72, 105)),),
            speaker="A",
        ),
    ],
)
def test_events_survive(event: TranscriptionEvent) -> None:
    assert load_event(dump_event(event)) == event


def test_openings_and_capabilities_survive() -> None:
    config = EngineConfig("whisper", Path("/models/x"), {"slots": 2, "device": "cpu", "a": None})
    opening = Opening("transcription", config, 2, 1)
    assert load_opening(dump_opening(opening)) == opening
    capabilities = Capabilities(("de", "en"), (Voice("alloy", "even"),))
    assert load_capabilities(dump_capabilities(capabilities)) == capabilities
