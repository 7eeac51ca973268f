"""espeak-ng as pyttsx3 binds it, driven synchronously.

pyttsx3 finds and initialises the library, lists its voices and declares its functions; those
functions are called from here. Its own `save_to_file` and `runAndWait` are not used, since they
drive espeak in the mode in which another thread delivers the sound: some results come back empty,
the length given for the text makes espeak read beyond it, and every utterance waits for a timer.
In synchronous mode, in which pyttsx3's loop would never end, `espeak_Synth` returns when all is
spoken, on the calling thread.

The library and its data come from the espeakng-loader wheel; where that has none for the platform,
a system's espeak-ng serves.
"""

import ctypes
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import Any

import espeakng_loader
import numpy as np
import pyttsx3

from soundalike.audio.pcm import Pcm
from soundalike.errors import ServerError

SAMPLE_RATE = 22_050
"""Hz. What espeak's own voices sound at."""

SLOWEST, FASTEST = 80, 350
"""Words a minute. espeak goes up to 450, but swallows sounds above this."""

# Of espeak's speak_lib.h, not declared by pyttsx3.
_DONT_EXIT = 0x8000
_BUFFER_MS = 500
_SEED = 1


@dataclass(frozen=True, slots=True)
class Manner:
    """How a text is spoken.

    `voice` is a voice and perhaps a variant in espeak's terms ("gmw/en-us+f3"); `rate` is in words
    a minute; `pitch` and `range` go from 0 to 100 with 50 for the voice's own, and a range of 0
    is monotonous; `volume` is in per cent.
    """

    voice: str
    rate: int
    pitch: int = 50
    range: int = 50
    volume: int = 100


class Espeak:
    """The one espeak of this process."""

    def __init__(self) -> None:
        self._binding = _binding()
        try:
            self._pyttsx3 = pyttsx3.init("espeak")  # keeps the driver alive
        except (RuntimeError, ValueError) as error:
            raise ServerError(
                "espeak-ng does not start; its data are missing, or lie at a path of more than 160"
                " characters"
            ) from error
        listed = self._pyttsx3.getProperty("voices")
        self.voices: dict[str, str] = {voice.id.rpartition("/")[2]: voice.name for voice in listed}
        """The name for people of each voice, by its tag ("en-us")."""
        self._identifiers = {voice.id.rpartition("/")[2]: voice.id for voice in listed}
        self.variants = self._list_variants()
        """The names of the variants ("f3") that any voice can be given, by their lower case."""

    def identifier(self, tag: str) -> str:
        """espeak's unmistakable name of a listed voice: "gmw/en-us" for "en-us"."""
        identifier: str = self._identifiers[tag]
        return identifier

    def speak(self, text: str, manner: Manner, *, pause: bool) -> Generator[Pcm, None, None]:
        """The sound of a text, at `SAMPLE_RATE`, while espeak speaks on; the pause that follows a
        sentence if asked for.

        The first piece lasts 0.5 s, and each about twice as long as the last: the first is soon
        there, and there are few. Closing the iterator stops espeak.

        Raises:
            ServerError: espeak refused the voice or the text.
        """
        heard: SimpleQueue[bytes | None] = SimpleQueue()
        stopped = False

        def collect(samples: Any, count: int, _events: object) -> int:
            if samples and count > 0:
                heard.put(ctypes.string_at(samples, count * 2))
            return int(stopped)

        def speak() -> None:
            try:
                self._speak(text, manner, collect, pause=pause)
            except ServerError:
                if not stopped:
                    raise
            finally:
                heard.put(None)

        speaking = _thread().submit(speak)
        try:
            yield from _doubling(iter(heard.get, None))
            speaking.result()
        finally:
            stopped = True
            wait([speaking])

    def _speak(
        self, text: str, manner: Manner, collect: Callable[..., int], *, pause: bool
    ) -> None:
        espeak = self._binding
        espeak.SetSynthCallback(collect)
        self._check("set its voice", espeak.SetVoiceByName(manner.voice.encode()), manner)
        for parameter, value in (
            (espeak.RATE, manner.rate),
            (espeak.PITCH, manner.pitch),
            (espeak.RANGE, manner.range),
            (espeak.VOLUME, manner.volume),
        ):
            self._check("set its manner", espeak.SetParameter(parameter, value, 0), manner)
        self._reseed()
        flags = espeak.CHARS_UTF8 | (espeak.ENDPAUSE if pause else 0)
        self._check("speak", espeak.Synth(text.encode(), flags=flags), manner)

    def _check(self, deed: str, status: int, manner: Manner) -> None:
        if status != self._binding.EE_OK:
            raise ServerError(f"espeak-ng could not {deed} ({manner.voice}): error {status}")

    def _reseed(self) -> None:
        # The noise in its consonants is random; seeded, the same text sounds the same again.
        # espeak-ng before 1.52 has no such function.
        seed = getattr(self._binding.dll, "espeak_ng_SetRandSeed", None)
        if seed is not None:
            seed(ctypes.c_long(_SEED))

    def _list_variants(self) -> dict[str, str]:
        of_variants = self._binding.VOICE(languages=b"variant")
        names = [
            voice.identifier.decode().rpartition("/")[2]
            for voice in self._binding.ListVoices(ctypes.byref(of_variants))
        ]
        return {name.lower(): name for name in names}


@cache
def _thread() -> ThreadPoolExecutor:
    """The one thread on which espeak speaks: it has one state, and utterances must not mix."""
    return ThreadPoolExecutor(1, thread_name_prefix="espeak")


def _doubling(buffers: Iterator[bytes]) -> Iterator[Pcm]:
    held, size = bytearray(), 0
    for buffer in buffers:
        held += buffer
        if len(held) > size:
            yield np.frombuffer(bytes(held), np.int16)
            size = 2 * len(held)
            held.clear()
    if held:
        yield np.frombuffer(bytes(held), np.int16)


@cache
def _binding() -> ModuleType:
    """pyttsx3's declarations of espeak's functions, bound to the library that is to be used.

    pyttsx3 searches a few fixed places, none of them the wheel's: for the moment of its import,
    any of them leads there. It initialises the library on its own, in the wrong mode, and lets it
    end the process when its data are missing, so that step is replaced.
    """
    library, data = _bundled()
    if library is not None:
        ctypes.cdll.LoadLibrary = lambda _name: library  # type: ignore[method-assign, assignment]
    try:
        from pyttsx3.drivers import _espeak
    except RuntimeError as error:
        raise ServerError("No espeak-ng library was found; install espeak-ng.") from error
    finally:
        if library is not None:
            del ctypes.cdll.LoadLibrary

    initialize = _espeak.Initialize

    def initialize_synchronous(_output: int, _buffer_ms: int) -> int:
        rate: int = initialize(_espeak.AUDIO_OUTPUT_SYNCHRONOUS, _BUFFER_MS, data, _DONT_EXIT)
        return rate

    _espeak.Initialize = initialize_synchronous
    binding: ModuleType = _espeak
    return binding


def _bundled() -> tuple[ctypes.CDLL | None, bytes | None]:
    """The wheel's library and the folder that holds its data, or nothing where it has none."""
    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = Path(espeakng_loader.get_data_path()).parent
    except (OSError, RuntimeError):
        return None, None
    return library, str(data).encode()
