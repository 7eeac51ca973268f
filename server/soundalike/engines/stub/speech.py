"""The speaking half of the stub engine."""

from collections.abc import Iterator
from typing import ClassVar

from soundalike.audio.pcm import SPEECH_RATE, Pcm
from soundalike.engines import utterances
from soundalike.engines.base import EngineConfig, SpeechJob, Voice
from soundalike.engines.stub.packets import LONGEST_BODY, OVERHEAD_BYTES, Packet, pack, spell
from soundalike.engines.stub.symbols import LONGEST_SYMBOL, PREAMBLE_TONES, SHORTEST_SYMBOL
from soundalike.errors import InvalidRequestError
from soundalike.languages import WHISPER_LANGUAGES

PACE = 15
"""Characters spoken in a second at speed 1, as in ordinary English speech. Three bytes of UTF-8
make Chinese and the like a third as fast, which is ordinary for them."""

_BRIEFEST_SYMBOL = 40
"""Milliseconds at speed 1: a word of one letter still lasts as long as a syllable or two."""

_BRIEFEST_PACKET = 120
"""Milliseconds at any speed: the API does not listen to less than 100."""

_MOST_BYTES_PER_CHARACTER = 4

PITCHES = {
    "alloy": 220.0,
    "ash": 100.0,
    "ballad": 180.0,
    "coral": 300.0,
    "echo": 120.0,
    "fable": 200.0,
    "nova": 280.0,
    "onyx": 80.0,
    "sage": 260.0,
    "shimmer": 320.0,
    "verse": 160.0,
    "marin": 240.0,
    "cedar": 140.0,
}
"""Hz of the tone under the speech of each voice."""

_VOICES = tuple(Voice(name, f"Test tones over {pitch:.0f} Hz") for name, pitch in PITCHES.items())


class StubSpeechEngine:
    """Speaks text as tones from which `StubTranscriptionEngine` reads it again, exactly.

    `language` and `instructions` of a job change nothing.
    """

    thread_safe: ClassVar[bool] = True

    def __init__(self, config: EngineConfig) -> None:
        del config  # there is nothing to choose
        self.sample_rate = SPEECH_RATE

    def voices(self) -> tuple[Voice, ...]:
        return _VOICES

    def languages(self) -> tuple[str, ...]:
        return tuple(sorted(WHISPER_LANGUAGES))

    def synthesize(self, job: SpeechJob) -> Iterator[Pcm]:
        """One chunk for each packet; see `soundalike.engines.base.SpeechEngine`."""
        pitch = PITCHES.get(job.voice)
        if pitch is None:
            known = ", ".join(voice.id for voice in _VOICES)
            raise InvalidRequestError(
                f"The voice {job.voice!r} is not known. Known voices: {known}.", param="voice"
            )
        spell(job.text)  # an error in the last sentence is known before the first is heard
        return _speak(job.text, job.speed, pitch)

    def close(self) -> None:
        pass


def _speak(text: str, speed: float, pitch: float) -> Iterator[Pcm]:
    from soundalike.engines.stub.modem import modulate

    for place, piece in enumerate(_pieces(text)):
        packed = pack(Packet(piece, opens=place == 0))
        yield modulate(packed, symbol_milliseconds(len(packed), speed), pitch)


def _pieces(text: str) -> Iterator[str]:
    for utterance in utterances.split(text):
        if len(spell(utterance)[1]) <= LONGEST_BODY:
            yield utterance
        else:
            yield from utterances.split(utterance, LONGEST_BODY // _MOST_BYTES_PER_CHARACTER)


def symbol_milliseconds(packed_bytes: int, speed: float) -> int:
    """How long each symbol of a packet lasts, so that the packet, preamble and all, takes the
    time of its body at `PACE`."""
    symbols = packed_bytes + len(PREAMBLE_TONES)
    body = 1000 * (packed_bytes - OVERHEAD_BYTES) / PACE
    exact = max(max(body / symbols, _BRIEFEST_SYMBOL) / speed, _BRIEFEST_PACKET / symbols)
    return min(max(round(exact), SHORTEST_SYMBOL), LONGEST_SYMBOL)
