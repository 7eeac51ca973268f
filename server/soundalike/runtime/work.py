"""What an engine host does: opens an engine, and turns jobs into frames.

The same code runs in a child process and in a thread of the server; only the way in which frames
come and go differs.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soundalike.audio.refusals import LONGEST_SECONDS
from soundalike.audio.uploads import InlineDecoder, UploadDecoder, upload_decoder
from soundalike.engines.base import (
    EngineConfig,
    InspectionJob,
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

if TYPE_CHECKING:
    from soundalike.audio.pcm import Pcm

log = logging.getLogger(__name__)


class EngineHost:
    """The far side of a link: takes frames, emits frames, owns one engine and its lanes.

    Args:
        confined: decode uploads in processes that hold nothing else.
    """

    def __init__(self, emit: Emit, *, confined: bool = False) -> None:
        self._emit = emit
        self._uploads = upload_decoder(confined=confined)
        self._returning = Returning()
        self._lanes: Lanes | None = None
        self._load_codecs: Callable[[], None] = _load_encoders
        self._preparing: threading.Thread | None = None

    def handle(self, frame: Frame) -> None:
        """Act on one frame. Never blocks on an engine."""
        if frame.op == "open":
            self._open(load_opening(frame.value))
        elif frame.op == "prepare":
            self._prepare()
        elif frame.op == "ping":
            self._emit(Frame("pong", value=self._lanes.look() if self._lanes else 0))
            self._returning.now_and_then()
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
        if self._preparing is not None:
            self._preparing.join()

    def leave(self) -> None:
        """Before the process ends, without waiting for steps under way: end what it has started,
        which would else end after it, and be nobody's."""
        self._uploads.close()

    def _open(self, opening: Opening) -> None:
        openers: dict[str, Callable[..., tuple[Capabilities, Work, Any]]] = {
            "speech": open_speech,
            "transcription": open_transcription,
        }
        codecs = {"speech": _load_encoders, "transcription": self._uploads.start}
        self._load_codecs = codecs[opening.kind]

        def open_work() -> tuple[Work, Callable[[], None]]:
            capabilities, work, engine = openers[opening.kind](opening.config, self._uploads)
            self._emit(Frame("opened", value=dump_capabilities(capabilities)))
            self._returning.give_all()  # what the loading took

            def close() -> None:
                engine.close()
                self._uploads.close()

            return work, close

        self._lanes = Lanes(
            open_work,
            self._emit,
            threads=opening.threads,
            depth=opening.depth,
            late=_waits_for_its_upload,
            after_step=self._returning.after_step,
        )

    def _prepare(self) -> None:
        """Load codecs on a thread of its own: the engine may have jobs that need none."""

        def load() -> None:
            try:
                self._load_codecs()
            except Exception:  # each job that needs them fails, and those alone
                log.exception("codecs cannot be loaded")
            self._returning.give_all()

        if self._preparing is None:
            self._preparing = threading.Thread(target=load, name="codecs")
            self._preparing.start()


def _waits_for_its_upload(job: Job) -> bool:
    """Its decoder says when it begins: before that it may wait in line for long."""
    return isinstance(job, TranscriptionJob | InspectionJob)


def _load_encoders() -> None:
    import soundalike.audio.encode  # noqa: F401


def open_speech(
    config: EngineConfig, uploads: UploadDecoder | None = None
) -> tuple[Capabilities, Work, SpeechEngine]:
    """Open a speech engine; its jobs become frames of encoded audio.

    Args:
        uploads: decodes the recordings that are to be played.
    """
    engine = speech_engine(config.engine)(config)
    decoder = uploads or InlineDecoder()

    def work(job: Job) -> Steps:
        from soundalike.audio.encode import encode

        assert isinstance(job, SpeechJob)
        recording = job.recording
        sound = _recorded(recording, engine, decoder) if recording else engine.synthesize(job)
        spoken = 0

        def counted(pcm: "Pcm") -> "Pcm":
            nonlocal spoken
            spoken += len(pcm)
            return pcm

        for data in encode(map(counted, sound), engine.sample_rate, job.format):
            yield Frame("item", value=spoken / engine.sample_rate, payload=data)

    return Capabilities(engine.languages(), engine.voices()), work, engine


def _recorded(recording: Path, engine: SpeechEngine, decoder: UploadDecoder) -> Iterator["Pcm"]:
    from soundalike.audio.frames import pcm16

    yield pcm16(decoder.decode(recording, engine.sample_rate))


def open_transcription(
    config: EngineConfig, uploads: UploadDecoder | None = None
) -> tuple[Capabilities, Work, TranscriptionEngine]:
    """Open a transcription engine; its jobs become frames of transcription events.

    Args:
        uploads: decodes the files of the jobs.
    """
    engine = transcription_engine(config.engine)(config)
    decoder = uploads or InlineDecoder()

    def work(job: Job) -> Steps:
        if isinstance(job, InspectionJob):
            yield Frame("item", value=dump_event(decoder.inspect(job.path)))
            return
        assert isinstance(job, TranscriptionJob)
        longest = min(job.max_seconds or LONGEST_SECONDS, LONGEST_SECONDS)
        for event in engine.transcribe(job, decoder.decode(job.path, max_seconds=longest)):
            yield Frame("item", value=dump_event(event))

    return Capabilities(engine.languages()), work, engine
