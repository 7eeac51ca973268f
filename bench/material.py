"""The speech that is transcribed: human where `../shared/audio` lies beside the checkout, else
spoken by soundalike itself."""

import random
import wave
from io import BytesIO
from pathlib import Path

import numpy as np

from bench.client import Client
from bench.plain import Plain
from bench.reading import Reading, clips, strung, timed
from soundalike.audio.decode import decode
from soundalike.audio.pcm import RECOGNITION_RATE, Samples

RECORDINGS = Path(__file__).parents[2] / "shared" / "audio"

NOVEL = {
    "librivox-0870.wav": "and mister john dashwood had then leisure to consider how much there "
    "might be prudently in his power to do for them",
    "librivox-0880.wav": "he was not an ill disposed young man",
    "librivox-0890.wav": "unless to be rather cold hearted and rather selfish is to be ill "
    "disposed",
}
ADDRESS = {
    "jfk.flac": "and so my fellow americans ask not what your country can do for you ask what you "
    "can do for your country",
}
"""What is said in each recording. The chapters of the novel follow each other."""

JOURNEY = (
    "The train to the coast leaves from platform nine at half past seven, and the children are "
    "already waiting near the gate with their bags and their coats. She bought some bread, milk "
    "and apples at the market, and on the way home she met an old friend."
)
GARDEN = (
    "There is a small garden behind the house, with many flowers and a bench under the tree. In "
    "the evening the neighbours sit there and talk about the weather, the price of bread, and the "
    "letters that their sons and daughters write from far away."
)

BREATH = 0.4
"""Seconds of silence between recordings that follow each other."""


class Material:
    """Readings to cut clips from, and files made of them.

    Args:
        plain: finds when each word is spoken.
        client: of a server that speaks, where there are no recordings.
        folder: where files go.
    """

    def __init__(self, plain: Plain, client: Client, folder: Path) -> None:
        self._folder = folder
        self.human = all((RECORDINGS / name).is_file() for name in (*NOVEL, *ADDRESS))
        if self.human:
            spoken = [_joined(NOVEL), _joined(ADDRESS)]
        else:
            spoken = [
                (_read(client.speak(text, "wav").body, folder), text) for text in (JOURNEY, GARDEN)
            ]
        self.readings = []
        for samples, text in spoken:
            heard = plain.words(self.file(samples))
            self.readings.append(Reading(samples, timed(text, heard)))

    def clips(self, seconds: float, count: int, seed: int = 1) -> list[Reading]:
        """`count` clips of about `seconds`, always the same, and different as long as there are
        enough; none where no reading is long enough."""
        every = [clip for reading in self.readings for clip in clips(reading, seconds)]
        random.Random(seed).shuffle(every)
        return [every[number % len(every)] for number in range(count)] if every else []

    def long(self, seconds: float) -> Reading:
        return strung(self.readings, seconds)

    def file(self, samples: Samples) -> Path:
        """A WAV file of the samples."""
        path = self._folder / f"{len(list(self._folder.iterdir()))}.wav"
        path.write_bytes(wav(samples))
        return path


def wav(samples: Samples) -> bytes:
    """16 bit, 16 kHz, mono."""
    file = BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RECOGNITION_RATE)
        writer.writeframes((samples * 32767).clip(-32768, 32767).astype("<i2").tobytes())
    return file.getvalue()


def text(length: int) -> str:
    """English of so many characters; a single word for fewer than six."""
    if length < 6:
        return "Hello"
    sentences = f"{JOURNEY} {GARDEN} "
    return (sentences * (length // len(sentences) + 1))[:length]


def _joined(recordings: dict[str, str]) -> tuple[Samples, str]:
    breath = np.zeros(round(BREATH * RECOGNITION_RATE), np.float32)
    pieces = [piece for name in recordings for piece in (decode(RECORDINGS / name), breath)]
    return np.concatenate(pieces[:-1]), " ".join(recordings.values())


def _read(body: bytes, folder: Path) -> Samples:
    path = folder / "spoken.wav"
    path.write_bytes(body)
    return decode(path)
