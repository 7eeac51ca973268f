"""Engines that fail on demand. Installed for a server under test by `conftest.py`.

What a speech job does is told by its text: `name= steps= pause= samples= hang spin die`. How its
opening goes is told by a file, one word for each, the last one for all that follow: `ok fail hang
die slow`.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from soundalike.audio.pcm import Pcm, Samples
from soundalike.engines.base import EngineConfig, SpeechJob, TranscriptionJob, Voice
from soundalike.engines.underway import underway
from soundalike.errors import ServerError
from soundalike.transcript import Detected, Segment, TranscriptionEvent

FOREVER = 3600


def note(line: str) -> None:
    """Tell the test what happens."""
    with Path(os.environ["SOUNDALIKE_FAULTY_LOG"]).open("a") as log:
        print(line, file=log, flush=True)


def work_for(seconds: float) -> None:
    """Take so long without a pause of the process."""
    for _ in range(round(seconds * 20)):
        time.sleep(0.05)


def open_as_told() -> None:
    note(f"speech in {os.getpid()}")
    plan = Path(os.environ["SOUNDALIKE_FAULTY_PLAN"])
    first, *rest = plan.read_text().split()
    if rest:
        plan.write_text(" ".join(rest))
    if first == "fail":
        raise ServerError("the weights cannot be read")
    if first == "hang":
        time.sleep(FOREVER)
    if first == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if first == "slow":
        work_for(1.0)
    note("opened")


class FaultySpeech:
    thread_safe: ClassVar[bool] = True

    def __init__(self, config: EngineConfig) -> None:
        del config
        self.sample_rate = 24_000
        open_as_told()

    def voices(self) -> tuple[Voice, ...]:
        return (Voice("alloy", "A tone"),)

    def languages(self) -> tuple[str, ...]:
        return ("en",)

    def synthesize(self, job: SpeechJob) -> Iterator[Pcm]:
        words = job.text.split()
        told = dict(word.split("=", 1) for word in words if "=" in word)
        name = told.get("name", "")
        note(f"begin {name}")
        try:
            for step in range(int(told.get("steps", 1))):
                time.sleep(float(told.get("pause", 0)))
                yield np.full(int(told.get("samples", 2400)), step % 100, np.int16)
            if "hang" in words:
                time.sleep(FOREVER)
            if "spin" in words:  # a long step that looks up now and then
                job_under_way = underway()
                while True:
                    time.sleep(0.02)
                    job_under_way.come_forward()
            if "die" in words:
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            note(f"end {name}")

    def close(self) -> None:
        pass


def heard(text: str, end: float) -> Segment:
    return Segment(0, 0, 0.0, end, text, (), 0.0, -0.1, 1.0, 0.0)


class FaultyTranscription:
    thread_safe: ClassVar[bool] = True

    def __init__(self, config: EngineConfig) -> None:
        del config
        note(f"transcription in {os.getpid()}")

    def languages(self) -> tuple[str, ...]:
        return ("en",)

    def transcribe(self, job: TranscriptionJob, audio: Samples) -> Iterator[TranscriptionEvent]:
        """A segment that says how many samples there are; the prompt may say `die` or `hang`."""
        note("hearing")
        yield Detected("en", len(audio) / 16_000)
        if job.prompt == "die":
            yield heard(" half", 0.1)
            os.kill(os.getpid(), signal.SIGKILL)
        if job.prompt == "hang":
            time.sleep(FOREVER)
        yield heard(f" {len(audio)} samples", len(audio) / 16_000)

    def close(self) -> None:
        pass
