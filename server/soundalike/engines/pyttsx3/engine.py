"""The speech engine: from a job to sound, utterance by utterance."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from soundalike.audio.pcm import Pcm
from soundalike.audio.resample import resampled
from soundalike.audio.tempo import stretch
from soundalike.engines import utterances
from soundalike.engines.base import EngineConfig, SpeechJob, Voice
from soundalike.engines.pyttsx3 import japanese, language, spoken_text, voices
from soundalike.engines.pyttsx3.delivery import Delivery, delivery
from soundalike.engines.pyttsx3.espeak import FASTEST, SAMPLE_RATE, SLOWEST, Espeak, Manner
from soundalike.engines.pyttsx3.voices import Profile
from soundalike.errors import InvalidRequestError, ServerError

_SLOWEST_SPEED, _FASTEST_SPEED = 0.25, 4.0
_STRETCH_WINDOW = 4096
_SILENCE_SECONDS = 0.3
_CUT_SENTENCE = re.compile(r"\w[^\S\n]*\Z")


@dataclass(frozen=True, slots=True)
class Utterance:
    """A text and the espeak voice that speaks it ("gmw/de+Denis"); whether a pause follows."""

    text: str
    voice: str
    pause: bool


class Pyttsx3Engine:
    """Speaks with espeak-ng, in the language of the text.

    The option `language` fixes the language of every text (an ISO 639-1 code or a tag of espeak);
    without it, and without one in the job, it is detected once per text.

    Raises:
        ServerError: espeak-ng is missing, or cannot speak the language of the option.
    """

    thread_safe: ClassVar[bool] = False
    sample_rate = SAMPLE_RATE

    def __init__(self, config: EngineConfig) -> None:
        self._espeak = Espeak()
        fixed = config.options.get("language")
        self._language = str(fixed) if fixed else None
        if self._language is None:
            language.load_classifier()
        elif language.espeak_voice(self._language, self._espeak.voices) is None:
            raise ServerError(f"espeak-ng has no voice for the language {self._language!r}.")

    def voices(self) -> tuple[Voice, ...]:
        return tuple(voices.listed(self._espeak.voices))

    def languages(self) -> tuple[str, ...]:
        return language.languages(self._espeak.voices)

    def close(self) -> None:
        """Nothing: espeak can be started only once in a process, so it stays."""

    def synthesize(self, job: SpeechJob) -> Iterator[Pcm]:
        """The speech, utterance by utterance, a pause after each sentence.

        A text without words ("...") is 0.3 seconds of silence.

        Raises:
            InvalidRequestError: the voice or the language is not known (raised before the
                iterator is returned), or the text has kanji and no dictionary is installed.
            ServerError: espeak failed.
        """
        return self._speak(job, self._profile(job), delivery(job.instructions))

    def plan(self, job: SpeechJob) -> Iterator[Utterance]:
        """What a job comes down to: each utterance, and espeak's voice for it."""
        profile = self._profile(job)
        whispers = delivery(job.instructions).whisper
        text = spoken_text.speakable(job.text)
        fixed = profile.language or job.language or self._language
        code = fixed or language.identify(text)
        spoken = 0
        for utterance in utterances.split(text):
            spoken += len(utterance)
            pause = spoken == len(text) or not _CUT_SENTENCE.search(utterance)
            own = code if fixed else language.of_utterance(utterance, code)
            parts = tuple(language.runs(spoken_text.without_inner_stops(utterance), own))
            for number, (part, part_code) in enumerate(parts, 1):
                if spoken_text.has_words(part):
                    voice = self._espeak_voice(profile, part_code, whispers=whispers)
                    yield Utterance(part, voice, pause and number == len(parts))

    def _profile(self, job: SpeechJob) -> Profile:
        if job.language and language.espeak_voice(job.language, self._espeak.voices) is None:
            raise InvalidRequestError(
                f"The language {job.language!r} cannot be spoken. Those that can:"
                f" {', '.join(self.languages())}.",
                param="language",
            )
        return voices.find(job.voice, self._espeak.voices, self._espeak.variants)

    def _espeak_voice(self, profile: Profile, code: str, *, whispers: bool) -> str:
        accent, _, variant = profile.english.partition("+")
        tag = language.espeak_voice(code, self._espeak.voices)
        if code == "en" or tag is None:
            tag = accent
        elif tag.partition("-")[0] != "en":
            variant = profile.variant
        variant = "whisper" if whispers else variant
        return self._espeak.identifier(tag) + (f"+{variant}" if variant else "")

    def _speak(self, job: SpeechJob, profile: Profile, asked: Delivery) -> Iterator[Pcm]:
        silent = True
        for utterance in self.plan(job):
            text = utterance.text
            if utterance.voice.startswith("jpx/ja"):
                text = japanese.in_kana(text)
            manner = Manner(
                utterance.voice,
                rate=max(SLOWEST, round(profile.rate * asked.pace / profile.tract)),
                pitch=min(99, max(0, profile.pitch + asked.pitch)),
                range=min(99, max(0, profile.range + asked.range)),
                volume=voices.volume(utterance.voice.partition("+")[2]),
            )
            sound = self._sound(text, manner, job.speed, pause=utterance.pause)
            # A speaker whose vocal tract is 1 / `tract` as long, speaking as much faster.
            for piece in resampled(
                sound, round(self.sample_rate * profile.tract), self.sample_rate
            ):
                silent = False
                yield piece
        if silent:
            yield np.zeros(round(_SILENCE_SECONDS / job.speed * self.sample_rate), np.int16)

    def _sound(self, text: str, manner: Manner, speed: float, *, pause: bool) -> Iterator[Pcm]:
        """An utterance that lasts 1 / `speed` of its natural time.

        espeak articulates better at its own other rates than a stretched recording of it, but its
        pauses do not keep up and its rates are limited, so the rest is stretched.
        """
        spoken = self._espeak.speak(text, manner, pause=pause)
        if speed == 1.0:
            yield from spoken
            return
        if not (natural := sum(piece.size for piece in spoken)):
            return
        rate = min(FASTEST, max(SLOWEST, round(manner.rate * speed)))
        paced = list(self._espeak.speak(text, replace(manner, rate=rate), pause=pause))
        factor = sum(piece.size for piece in paced) * speed / natural
        factor = min(_FASTEST_SPEED, max(_SLOWEST_SPEED, factor))
        # The filter keeps its last window to itself; let that be silence.
        padded = np.concatenate([*paced, np.zeros(_STRETCH_WINDOW, np.int16)])
        stretched = np.concatenate(list(stretch(iter([padded]), self.sample_rate, factor)))
        yield stretched[: round(natural / speed)]
