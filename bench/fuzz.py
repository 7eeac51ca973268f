"""Mutated files of every container, sent to a server: `python -m bench.fuzz --minutes 60`.

The server must answer each with 200 or 400, in time, and still be there at the end. The test
`test_fuzz_uploads` runs the same for a few thousand files.
"""

import http.client
import io
import random
import time
from functools import cache
from pathlib import Path

import av
import click
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from bench.process import running, soundalike

PATIENCE = 20.0
"""Seconds after which an answer is taken to be missing."""

HEAD = 256
"""Bytes at the start of a file, in which half of all edits are made."""

CONTAINERS = {
    "flac": ("flac", "flac"),
    "mp3": ("mp3", "libmp3lame"),
    "mp4": ("mp4", "aac"),
    "m4a": ("ipod", "aac"),
    "mpeg": ("mpeg", "mp2"),
    "ogg": ("ogg", "libopus"),
    "oga": ("ogg", "flac"),
    "wav": ("wav", "pcm_s16le"),
    "webm": ("webm", "libopus"),
    "adts.mp3": ("adts", "aac"),  # not among the names that are taken, but decoded
    "aiff.wav": ("aiff", "pcm_s16be"),
}

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)


class BrokenServerError(Exception):
    """A file was answered with something else than 200 or 400."""


@cache
def originals() -> dict[str, bytes]:
    """A fifth of a second of sound in each container, by its extension."""
    times = np.arange(9600) / 48_000
    sound = (np.sin(2 * np.pi * 440 * times) * 2**13).astype(np.int16).reshape(1, -1)
    files = {}
    for extension, (container, codec) in CONTAINERS.items():
        file = io.BytesIO()
        with av.open(file, "w", format=container) as output:
            stream = output.add_stream(codec, rate=48_000, layout="mono")
            assert isinstance(stream, av.AudioStream)
            frame = av.AudioFrame.from_ndarray(sound, "s16", "mono")
            frame.sample_rate, frame.pts = 48_000, 0
            output.mux([*stream.encode(frame), *stream.encode(None)])
        files[extension] = file.getvalue()
    return files


EDIT = st.tuples(
    st.sampled_from(
        ["set", "number", "number", "flip", "cut", "repeat", "insert", "splice", "end"]
    ),
    st.booleans(),
    st.integers(0, 2**16),
    st.integers(0, 255),
    st.sampled_from(NUMBERS),
    st.sampled_from(sorted(CONTAINERS)),
)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """An extension, and a file of that kind after one to eight edits."""
    extension = draw(st.sampled_from(sorted(CONTAINERS)))
    data = bytearray(originals()[extension])
    for kind, early, where, byte, number, other in draw(st.lists(EDIT, min_size=1, max_size=8)):
        place = where % (HEAD if early else len(data) + 1)
        edit(data, kind, min(place, len(data)), byte, number, originals()[other])
    return extension, bytes(data)


def edit(data: bytearray, kind: str, place: int, byte: int, number: int, other: bytes) -> None:
    """Damage a file at one place, in one of the ways in which files are damaged or forged."""
    if kind == "set":
        data[place : place + 1] = bytes([byte])
    elif kind == "flip" and place < len(data):
        data[place] ^= 1 << byte % 8
    elif kind == "number":
        data[place : place + 4] = number.to_bytes(4, "big" if byte % 2 else "little")
    elif kind == "cut":
        del data[place : place + byte]
    elif kind == "repeat":
        data[place:place] = data[place : place + 64] * byte
    elif kind == "insert":
        data[place:place] = bytes([byte]) * (number % 4096)
    elif kind == "splice":
        data[place:] = other[place:]
    elif kind == "end":
        del data[place:]


class Target:
    """A server that is sent files, one after another on one connection.

    Args:
        root: its URL without a path.
    """

    def __init__(self, root: str) -> None:
        self._connection = http.client.HTTPConnection(
            root.removeprefix("http://"), timeout=PATIENCE
        )

    def send(self, name: str, data: bytes) -> int:
        """The status of the answer.

        Raises:
            BrokenServerError: it is neither 200 nor 400, or none came in time.
        """
        mark = "fuzz-3b1f7c5e"
        body = (
            f'--{mark}\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
            f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        headers = {
            "authorization": "Bearer sk-fuzz",
            "content-type": f"multipart/form-data; boundary={mark}",
        }
        body += data + f"\r\n--{mark}--\r\n".encode()
        try:
            self._connection.request("POST", "/v1/audio/transcriptions", body, headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise BrokenServerError(f"no answer: {error!r}") from error
        if answer.status not in (200, 400):
            raise BrokenServerError(f"{answer.status}: {text[:500]!r}")
        return answer.status

    def close(self) -> None:
        self._connection.close()


def fuzz(target: Target, cases: int, start: int) -> dict[int, int]:
    """Send so many files, the same for the same `start`; how often each status came.

    Raises:
        BrokenServerError: of the simplest file found that breaks the server.
    """
    statuses: dict[int, int] = {}

    @seed(start)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated())
    def sent(file: tuple[str, bytes]) -> None:
        extension, data = file
        try:
            status = target.send(f"fuzz.{extension}", data)
        except BrokenServerError as error:
            error.add_note(f"the file, as hexadecimal digits: {data.hex()}")
            raise
        statuses[status] = statuses.get(status, 0) + 1

    sent()
    return statuses


@click.command()
@click.option("--minutes", default=60.0, show_default=True, help="How long to go on.")
@click.option("--keep", type=click.Path(path_type=Path), help="Write what breaks it here.")
def main(*, minutes: float, keep: Path | None) -> None:
    """Send mutated files to a server of this checkout until the time is over or it breaks."""
    end, total = time.monotonic() + 60 * minutes, 0
    with running(soundalike("--engine", "stub")) as server:
        target = Target(server.root)
        while time.monotonic() < end:
            start = random.getrandbits(64)
            try:
                statuses = fuzz(target, 1000, start)
            except BrokenServerError as error:
                if keep:
                    keep.write_bytes(bytes.fromhex(error.__notes__[-1].rpartition(" ")[2]))
                raise
            total += sum(statuses.values())
            click.echo(f"{total} files, of the last thousand {statuses} (start {start})")
        target.close()


if __name__ == "__main__":
    main()
