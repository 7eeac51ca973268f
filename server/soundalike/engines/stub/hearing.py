"""The hearing half of the stub engine."""

from collections.abc import Iterator
from itertools import chain
from typing import ClassVar

from soundalike.audio.pcm import RECOGNITION_RATE, Samples
from soundalike.engines.base import EngineConfig, TranscriptionJob
from soundalike.engines.stub.wording import Stretch, deltas, segment
from soundalike.languages import WHISPER_LANGUAGES
from soundalike.transcript import Detected, TranscriptionEvent


class StubTranscriptionEngine:
    """Reads text out of the sound of `StubSpeechEngine`, and makes words up for other sounds.

    The same audio always gives the same text. The task `translate` gives the same text too: the
    stub does not translate. The language is the job's, or English. Prompt, keywords and the
    settings of voice activity and loudness change nothing.
    """

    thread_safe: ClassVar[bool] = True

    def __init__(self, config: EngineConfig) -> None:
        del config  # there is nothing to choose

    def languages(self) -> tuple[str, ...]:
        return tuple(sorted(WHISPER_LANGUAGES))

    def transcribe(self, job: TranscriptionJob, audio: Samples) -> Iterator[TranscriptionEvent]:
        """One segment for each packet; see `soundalike.engines.base.TranscriptionEngine`."""
        from soundalike.engines.stub.impression import impressions

        sound = _sane(audio)
        stretches = _spoken(sound)
        first = next(stretches, None)
        if first is None:
            stretches = impressions(sound)
            first = next(stretches, None)
        language = None if first is None else job.language or "en"
        yield Detected(language, len(audio) / RECOGNITION_RATE)
        if first is None:
            return
        for number, stretch in enumerate(chain([first], stretches)):
            if job.deltas:
                yield from deltas(stretch, job)
            yield segment(number, stretch, job)

    def close(self) -> None:
        pass


def _spoken(audio: Samples) -> Iterator[Stretch]:
    from soundalike.engines.stub.reception import receive

    space = " "
    for reception in receive(audio):
        spoken = reception.packet.text
        text = f" {spoken}" if reception.packet.opens else space + spoken
        # White space belongs to the packet before it, and to the segment behind it.
        heard = text.rstrip() or text
        space = text[len(heard) :]
        yield Stretch(heard, reception.start, reception.end)


def _sane(audio: Samples) -> Samples:
    """The audio in the range -1 to 1, silent where it is no number. What is so already, as all that
    was decoded, is not copied: six hours of it are 1.4 GB."""
    import numpy as np

    from soundalike.engines.stub.stretches import blocks

    sound = np.asarray(audio, np.float32)
    # Comparisons with what is no number fail.
    if all(block.max() <= 1 and block.min() >= -1 for block in blocks(sound)):
        return sound
    sound = np.nan_to_num(sound, nan=0.0, posinf=0.0, neginf=0.0)
    peak = np.abs(sound).max(initial=1.0)
    return sound / peak if peak > 1 else sound
