"""The requests of a soak, and how their answers are judged."""

import hashlib
import io
import json
import socket
import struct
import time
import wave
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from bench.client import KEY
from bench.soak.outcomes import Verdict

TIMEOUT = 120.0
"""Seconds of silence after which an answer is taken for lost."""

FILE_PART = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
"""The head of a part with a file, where the boundary is `b`."""

Judged = tuple[Verdict, str]
"""A verdict and what there is to say of it."""


class RefusedError(Exception):
    """The server said that it has too much to do, and when to come back."""


class FailedError(Exception):
    """The server said that it failed."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A request whose answer is known, since it was asked when the server had nothing else to do.

    Attributes:
        request: arguments of `httpx2.Client.stream` behind the method.
        read: gives what must be the same each time.
        pause: seconds that the client takes for each piece of the answer.
    """

    kind: str
    request: Mapping[str, Any]
    read: Callable[[bytes], str]
    pause: float = 0

    def answer(self, client: httpx2.Client) -> str:
        """Raises RefusedError, FailedError, httpx2.TransportError, ValueError (it is no answer)."""
        with answered(client, self.request) as response:
            body = bytearray()
            for piece in response.iter_raw():
                body += piece
                if self.pause:
                    time.sleep(self.pause)
        return self.read(bytes(body))


@contextmanager
def answered(client: httpx2.Client, request: Mapping[str, Any]) -> Iterator[httpx2.Response]:
    """A response with a status of success; its body is still to come."""
    with client.stream("POST", **request) as response:
        if response.status_code != 200:
            response.read()
            error = response.json()["error"]
            told = f"{response.status_code} {error['message'][:200]}"
            if response.status_code in (429, 503) and "retry-after" in response.headers:
                raise RefusedError(told)
            if error["type"] == "server_error" and response.status_code >= 500:
                raise FailedError(told)
            raise ValueError(told)
        yield response


def spoken(form: str, text: str, kind: str = "", pause: float = 0) -> Question:
    return Question(
        kind or f"speech, {form}",
        {"url": "/v1/audio/speech", "json": speech(form, text)},
        digest,
        pause,
    )


def speech(form: str, text: str) -> dict[str, str]:
    return {"model": "tts-1", "voice": "alloy", "input": text, "response_format": form}


def heard(kind: str, audio: bytes) -> Question:
    return Question(
        kind, upload(audio, model="whisper-1"), lambda body: str(json.loads(body)["text"])
    )


def heard_as_events(audio: bytes) -> Question:
    return Question(
        "transcription, events", upload(audio, model="gpt-4o-transcribe", stream="true"), done
    )


def upload(audio: bytes, name: str = "speech.wav", **fields: str) -> dict[str, Any]:
    file = {"file": (name, audio, "audio/wav")}
    return {"url": "/v1/audio/transcriptions", "data": fields, "files": file}


def digest(body: bytes) -> str:
    if not body:
        raise ValueError("an empty body")
    return hashlib.sha256(body).hexdigest()


def done(body: bytes) -> str:
    """The text with which a stream of events ends."""
    lines = [line.removeprefix("data: ") for line in body.decode().splitlines() if line]
    events = [json.loads(line) for line in lines if line != "[DONE]"]
    if events and "error" in events[-1]:
        raise FailedError(str(events[-1]["error"]["message"]))
    if not events or events[-1]["type"] != "transcript.text.done":
        raise ValueError(f"a stream that ends with {lines[-1:]}")
    return str(events[-1]["text"])


def repeated(audio: bytes, times: int) -> bytes:
    """A WAV file that holds the sound of another several times."""
    file = io.BytesIO()
    with wave.open(io.BytesIO(audio)) as source, wave.open(file, "wb") as target:
        target.setparams(source.getparams())
        frames = source.readframes(source.getnframes())
        for _ in range(times):
            target.writeframes(frames)
    return file.getvalue()


def hostile(audio: bytes) -> dict[str, dict[str, Any]]:
    """Requests that must be refused as the client's fault, by what is wrong with them."""
    header = bytearray(audio[:44])
    fast, many = header.copy(), header.copy()
    struct.pack_into("<I", fast, 24, 0xFFFFFFFF)
    struct.pack_into("<H", many, 22, 1000)
    playlist = b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n#EXT-X-ENDLIST\n"
    whisper = {"model": "whisper-1"}
    return {
        "nothing": upload(b"", **whisper),
        "noise": upload(hashlib.shake_128(b"noise").digest(50_000), "noise.mp3", **whisper),
        "a playlist": upload(playlist, "list.mp3", **whisper),
        "a header alone": upload(bytes(header), **whisper),
        "an absurd rate": upload(bytes(fast) + bytes(8000), **whisper),
        "a thousand channels": upload(bytes(many) + bytes(8000), **whisper),
        "no such model": upload(audio, model="whisper-0"),
        "no file": {"url": "/v1/audio/transcriptions", "data": whisper},
        "half a form": {
            "url": "/v1/audio/transcriptions",
            "headers": {"content-type": "multipart/form-data; boundary=b"},
            "content": FILE_PART + audio[:1000],
        },
        "half of a JSON": {"url": "/v1/audio/speech", "content": b'{"model": "tts-1", "inp'},
        "too long a text": {"url": "/v1/audio/speech", "json": speech("mp3", "a" * 5000)},
    }


def refused_rightly(client: httpx2.Client, request: Mapping[str, Any]) -> Judged:
    """Send what is hostile: a 400 or its like, in the API's shape, is right."""
    response = client.post(**request)
    error = response.json()["error"]
    told = f"{response.status_code} {error['message'][:200]}"
    if 400 <= response.status_code < 500 and error["type"] == "invalid_request_error":
        return "right", ""
    if response.status_code in (429, 503) and "retry-after" in response.headers:
        return "refused", told
    return ("failed" if error["type"] == "server_error" else "wrong"), told


def left_in_an_answer(client: httpx2.Client, request: Mapping[str, Any]) -> Judged:
    """Go away after the first piece of an answer."""
    with answered(client, request) as response:
        next(response.iter_raw())
    return "left", ""


def left_in_an_upload(root: str, audio: bytes, pause: float) -> Judged:
    """Go away when half of an upload is sent, `pause` seconds after that."""
    address = urlsplit(root)
    head = (
        "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: localhost\r\n"
        f"authorization: {KEY['authorization']}\r\ncontent-length: {2 * len(audio)}\r\n"
        "content-type: multipart/form-data; boundary=b\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), TIMEOUT) as connection:
        connection.sendall(head.encode() + FILE_PART + audio)
        time.sleep(pause)
    return "left", ""


def judged(act: Callable[[], Judged]) -> Judged:
    """The verdict of a request, whatever it raises."""
    try:
        return act()
    except RefusedError as error:
        return "refused", str(error)
    except FailedError as error:
        return "failed", str(error)
    except httpx2.TimeoutException as error:
        return "wrong", f"no answer: {error!r}"
    except (httpx2.TransportError, OSError) as error:
        return "failed", repr(error)
    except (ValueError, LookupError, StopIteration) as error:
        return "wrong", repr(error)
