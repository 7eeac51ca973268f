"""What an application does: requests over HTTP, timed at its own end."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from bench.playback import Arrival, first_audio

KEY = {"authorization": "Bearer sk-bench"}


@dataclass(frozen=True, slots=True)
class Spoken:
    """A body of speech, and when its parts came."""

    form: str
    body: bytes
    arrivals: tuple[Arrival, ...]

    @property
    def first(self) -> float:
        """Seconds from the request to the first sound."""
        return first_audio(self.form, self.body, self.arrivals)

    @property
    def total(self) -> float:
        """Seconds from the request to the last byte."""
        return self.arrivals[-1].seconds


class Client:
    """One client, on a connection that it keeps. Raises httpx2.HTTPStatusError on any error."""

    def __init__(self, root: str) -> None:
        self._http = httpx2.Client(base_url=root, headers=KEY, timeout=600, trust_env=False)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str) -> float:
        """Seconds until the whole answer was there."""
        began = time.perf_counter()
        self._http.get(path).raise_for_status()
        return time.perf_counter() - began

    def transcribe(self, audio: bytes, **fields: str) -> tuple[float, dict[str, Any]]:
        """Seconds until the whole answer was there, and the answer. The form is made before: that
        is the client's own work."""
        request = self._http.build_request(
            "POST",
            "/v1/audio/transcriptions",
            files={"file": ("speech.wav", audio, "audio/wav")},
            data={"model": "whisper-1", **fields},
        )
        request.read()
        began = time.perf_counter()
        response = self._http.send(request)
        seconds = time.perf_counter() - began
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return seconds, answer

    @contextmanager
    def deltas(self, audio: bytes) -> Iterator[Iterator[str]]:
        """The pieces of text as they come. Leaving the block leaves the server's work undone."""
        with self._http.stream(
            "POST",
            "/v1/audio/transcriptions",
            files={"file": ("speech.wav", audio, "audio/wav")},
            data={"model": "gpt-4o-transcribe", "stream": "true"},
        ) as response:
            response.raise_for_status()
            yield _pieces(response)

    def speak(self, text: str, form: str) -> Spoken:
        arrivals: list[Arrival] = []
        body = bytearray()
        asked = {"model": "tts-1", "voice": "alloy", "input": text, "response_format": form}
        began = time.perf_counter()
        with self._http.stream("POST", "/v1/audio/speech", json=asked) as response:
            response.raise_for_status()
            for chunk in response.iter_raw():
                arrivals.append(Arrival(time.perf_counter() - began, len(chunk)))
                body += chunk
        return Spoken(form, bytes(body), tuple(arrivals))


def _pieces(response: httpx2.Response) -> Iterator[str]:
    for line in response.iter_lines():
        if line.startswith("data: {"):
            event = json.loads(line.removeprefix("data: "))
            if event["type"] == "transcript.text.delta":
                yield event["delta"]
