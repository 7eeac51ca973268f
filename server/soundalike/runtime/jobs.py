"""What the server knows of the jobs of one deployment: of each that it runs, and of all so far."""

import asyncio
import math
from typing import Any

from soundalike.runtime.frames import Frame
from soundalike.runtime.spans import JobSpans
from soundalike.transcript import Detected, Segment


class RunningJob:
    """A job from its submission to its end.

    Attributes:
        frames: what comes of it, in order.
        begun: set while the engine is at it, and once it has ended.
        taken: the engine is at it.
        audio: seconds that it has spoken so far, or recognised: up to the end of the last segment,
            and once it is done, all of its recording.
    """

    def __init__(self, deployment: str) -> None:
        self.frames: asyncio.Queue[Frame] = asyncio.Queue()
        self.begun = asyncio.Event()
        self.taken = False
        self.audio = 0.0
        self._recording = 0.0
        self._left = False
        self._spans = JobSpans(deployment)

    def receive(self, frame: Frame) -> None:
        """Take a frame from its host."""
        if frame.op == "waits":
            self.begun.clear()
            self.taken = False
            self._spans.waits()
            self.frames.put_nowait(frame)
            return
        self.begun.set()
        if frame.op == "taken":
            self.taken = True
            self._spans.taken()
            return
        if frame.op == "item":
            self._count(frame.value)
        else:
            if frame.op == "done" and not self._left:
                self.audio = max(self.audio, self._recording)
            self._spans.ended()
        self.frames.put_nowait(frame)

    def leave(self) -> None:
        """Nobody waits for it any more. Without effect on one that has ended."""
        self._left = True
        self._spans.ended()

    def _count(self, value: Any) -> None:
        """Note what an item tells of audio."""
        match value:
            case [Detected.__name__, {"duration": duration}]:
                self._recording = _seconds(duration)
            case [Segment.__name__, {"end": end}]:
                self.audio = max(self.audio, _seconds(end))
            case _:
                self.audio = _seconds(value) or self.audio


class Tally:
    """Sums over all jobs, ended or broken off.

    Attributes:
        audio: seconds of audio, spoken or recognised.
        busy: seconds for which the engine worked on it.
        factor: seconds of work for a second of audio, in the job that ended last; None before.
    """

    def __init__(self) -> None:
        self.audio = 0.0
        self.busy = 0.0
        self.factor: float | None = None

    def add(self, job: RunningJob, last: Frame) -> None:
        """Count a job that has ended with this frame."""
        self.audio += job.audio
        if last.op == "done":
            busy = _seconds(last.value)
            self.busy += busy
            if job.audio and busy:
                self.factor = busy / job.audio


def _seconds(value: Any) -> float:
    """A duration that a host names, which may be taken over and name anything; 0 if it is none."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and math.isfinite(value) and value > 0 else 0.0
