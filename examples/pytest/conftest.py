import math
import struct
import wave
from pathlib import Path

import pytest

RATE = 16_000


@pytest.fixture(autouse=True)
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A second of a tone as `hi.wav`, in a working directory of the test's own."""
    monkeypatch.chdir(tmp_path)
    tone = (round(8000 * math.sin(2 * math.pi * 440 * n / RATE)) for n in range(RATE))
    with wave.open("hi.wav", "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in tone))
    return tmp_path / "hi.wav"
