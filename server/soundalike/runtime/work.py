"""What an engine host does: opens an engine, and turns jobs into frames.

The same code runs in a child process and in a thread of the server; only the way in which frames
come and go differs.
"""

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

from soundalike.engines.base import (
    EngineConfig,
    SpeechEngine,
    SpeechJob,
    TranscriptionEngine,
    TranscriptionJob,
)
from soundalike.engines.registry import speech_engine, transcription_engine
from soundalike.runtime.base import Capabilities
from soundalike.runtime.frames import (
    Frame,
    Job,
    Opening,
    dump_capabilities,
    dump_event,
    load_job,
    load_opening,
)
from soundalike.runtime.lanes import Emit, Lanes, Steps, Work
from soundalike.runtime.memory import Returning

_CODECS = {"speech": "soundalike.audio.encode", "transcription": "soundalike.audio.decode"}


class EngineHost:
    """The far side of a link: takes frames, emits frames, owns one engine and its lanes."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._lanes: Lanes | None = None

    def handle(self, frame: Frame) -> None:
        """Act on one frame. Never blocks on an engine."""
        if frame.op == "open":
            self._open(load_opening(frame.value))
        elif self._lanes is not None:
            if frame.op == "run":
                self._lanes.submit(frame.job, load_job(frame.value))
            elif frame.op == "credit":
                self._lanes.credit(frame.job, frame.value)
            elif frame.op == "cancel":
                self._lanes.cancel(frame.job)

    def close(self) -> None:
        if self._lanes is not None:
            self._lanes.close()

    def _open(self, opening: Opening) -> None:
        openers: dict[str, Callable[[EngineConfig], tuple[Capabilities, Work, Any]]] = {
            "speech": open_speech,
            "transcription": open_transcription,
        }

        def open_work() -> tuple[Work, Callable[[], None]]:
            capabilities, work, engine = openers[opening.kind](opening.config)
            self._emit(Frame("opened", value=dump_capabilities(capabilities)))
            with suppress(ImportError):  # the first job, which would wait for it, will tell
                import_module(_CODECS[opening.kind])
            return work, engine.close

        self._lanes = Lanes(
            open_work,
            self._emit,
            threads=opening.threads,
            depth=opening.depth,
            after_job=Returning().after_job,
        )


def open_speech(config: EngineConfig) -> tuple[Capabilities, Work, SpeechEngine]:
    """Open a speech engine; its jobs become frames of encoded audio."""
    engine = speech_engine(config.engine)(config)

    def work(job: Job) -> Steps:
        from soundalike.audio.encode import encode

        assert isinstance(job, SpeechJob)
        for data in encode(engine.synthesize(job), engine.sample_rate, job.format):
            yield Frame("item", payload=data)

    return Capabilities(engine.languages(), engine.voices()), work, engine


def open_transcription(config: EngineConfig) -> tuple[Capabilities, Work, TranscriptionEngine]:
    """Open a transcription engine; its jobs become frames of transcription events."""
    engine = transcription_engine(config.engine)(config)

    def work(job: Job) -> Steps:
        from soundalike.audio.decode import decode

        assert isinstance(job, TranscriptionJob)
        for event in engine.transcribe(job, decode(job.path)):
            yield Frame("item", value=dump_event(event))

    return Capabilities(engine.languages()), work, engine
