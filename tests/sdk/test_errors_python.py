"""Errors as an application on the Python SDK meets them: in the classes it catches, tried as often
as it expects, also in the midst of a stream. Observed behaviour, section 5."""

import io
import re
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx2
import openai
import pytest

T = TypeVar("T")

SPEECH: dict[str, Any] = {"model": "tts-1", "voice": "alloy", "input": "Hello."}
LONG: dict[str, Any] = {
    "model": "gpt-4o-mini-tts",
    "voice": "alloy",
    "input": "a sentence. " * 341,
    "response_format": "pcm",
    "speed": 0.25,
}
"""Fifty megabytes: more than can be on its way to a client that does not read."""

INTERNAL = re.compile(
    r"The server had an error processing your request\. Sorry about that! You can retry your "
    r"request, or contact us through our help center at help\.openai\.com if you keep seeing this "
    r"error\. \(Please include the request ID (req_[0-9a-f]{32}) in your email\.\)"
)


class Watched(openai.OpenAI):
    """The SDK, which notes every attempt: the retry count that it sent and the status it got."""

    def __init__(self, server: Any, **options: Any) -> None:
        self.attempts: list[tuple[int, int]] = []
        http_client = openai.DefaultHttpxClient(event_hooks={"response": [self._note]})
        options = {"api_key": "sk-test"} | options
        super().__init__(base_url=server.base_url, http_client=http_client, **options)

    def _note(self, response: httpx2.Response) -> None:
        count = int(response.request.headers["x-stainless-retry-count"])
        self.attempts.append((count, response.status_code))


@pytest.fixture
def client(guarded_server: Any) -> Iterator[Watched]:
    """With the SDK's own number of retries, which is 2."""
    with Watched(guarded_server) as client:
        yield client


@pytest.fixture(scope="module")
def recording(guarded_server: Any) -> tuple[str, bytes]:
    """Some minutes of sound, which take seconds to hear."""
    with Watched(guarded_server) as client:
        sound = client.audio.speech.create(
            **SPEECH | {"input": "one two three four. " * 200, "response_format": "pcm", "speed": 4}
        ).content
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(24_000)
        wav.writeframes(sound * 6)
    return "recording.wav", file.getvalue()


def speak(client: openai.OpenAI) -> bytes:
    return client.audio.speech.create(**SPEECH).content


@contextmanager
def refused_by(client: Watched, kind: type[openai.APIStatusError]) -> Iterator[Any]:
    """Exactly this class is raised, of an answer with an id."""
    with pytest.raises(openai.APIStatusError) as caught:
        yield caught
    assert type(caught.value) is kind
    assert str(caught.value.request_id).startswith("req_")


# Refusals: one attempt -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "code", "call"),
    [
        (
            *(openai.BadRequestError, 400, None),
            lambda sdk: sdk.audio.speech.create(**SPEECH | {"voice": "nobody"}),
        ),
        (
            *(openai.BadRequestError, 400, "unsupported_value"),
            lambda sdk: sdk.audio.transcriptions.create(
                model="gpt-4o-transcribe", file=b"RIFF", response_format="srt"
            ),
        ),
        (
            *(openai.PermissionDeniedError, 403, None),
            lambda sdk: sdk.models.delete("whisper-1"),
        ),
        (
            *(openai.NotFoundError, 404, "model_not_found"),
            lambda sdk: sdk.audio.speech.create(**SPEECH | {"model": "nope"}),
        ),
        (
            *(openai.NotFoundError, 404, "model_not_found"),
            lambda sdk: sdk.models.retrieve("nope"),
        ),
        (
            *(openai.NotFoundError, 404, None),
            lambda sdk: sdk.post("/audio/foo", cast_to=object),
        ),
        (
            *(openai.APIStatusError, 405, None),
            lambda sdk: sdk.get("/audio/speech", cast_to=object),
        ),
        (
            *(openai.APIStatusError, 413, None),
            lambda sdk: sdk.audio.transcriptions.create(
                model="whisper-1", file=("a.wav", bytes(25 * 2**20))
            ),
        ),
    ],
)
def test_a_refusal_is_not_tried_again(
    client: Watched,
    kind: type[openai.APIStatusError],
    status: int,
    code: str | None,
    call: Callable[[openai.OpenAI], object],
) -> None:
    with refused_by(client, kind) as caught:
        call(client)
    assert client.attempts == [(0, status)]
    error = caught.value
    assert (error.status_code, error.code) == (status, code)
    assert error.type == ("server_error" if status == 413 else "invalid_request_error")
    assert error.body is not None
    assert error.body["message"] in str(error)


def test_a_wrong_key_is_an_authentication_error(guarded_server: Any) -> None:
    with (
        Watched(guarded_server, api_key="sk-wrong-0123456789abcdef") as client,
        refused_by(client, openai.AuthenticationError) as caught,
    ):
        speak(client)
    assert client.attempts == [(0, 401)]
    assert caught.value.code == "invalid_api_key"
    assert "sk-wrong*************cdef" in caught.value.message


# Rates: wait, then try again -----------------------------------------------------------------


def until_refused(client: Watched) -> None:
    """Speaks until an answer had to be waited for, or did not come at all."""
    while not any(status == 429 for _, status in client.attempts):
        speak(client)


def test_a_rate_limit_is_waited_for(guarded_server: Any) -> None:
    with Watched(guarded_server, api_key="sk-patient") as client:
        until_refused(client)
    assert client.attempts[-2:] == [(0, 429), (1, 200)]


def test_a_rate_limit_is_given_up_after_three_attempts(
    guarded_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("openai._base_client.time.sleep", waits.append)
    with (
        Watched(guarded_server, api_key="sk-hasty") as client,
        refused_by(client, openai.RateLimitError) as caught,
    ):
        while True:
            speak(client)
    assert client.attempts[-3:] == [(0, 429), (1, 429), (2, 429)]
    assert set(waits) == {1.0}  # as `retry-after` says
    error = caught.value
    assert (error.type, error.param, error.code) == ("requests", None, "rate_limit_exceeded")
    assert error.response.headers["retry-after"] == "1"
    assert error.body["message"].startswith("Rate limit reached for tts-1 in organization org-")


# Failures: try again, then give up -----------------------------------------------------------


def test_a_failure_is_tried_again(
    client: Watched, guarded_server: Any, failing_engines: Any, recording: tuple[str, bytes]
) -> None:
    with failing_engines(guarded_server, times=1):
        heard = client.audio.transcriptions.create(model="whisper-1", file=recording)
    assert client.attempts == [(0, 500), (1, 200)]
    assert heard.text.startswith("one two three four.")


def test_a_failure_is_given_up_after_three_attempts_and_the_next_request_works(
    client: Watched, guarded_server: Any, failing_engines: Any, recording: tuple[str, bytes]
) -> None:
    with (
        failing_engines(guarded_server, times=3),
        refused_by(client, openai.InternalServerError) as caught,
    ):
        client.audio.transcriptions.create(model="whisper-1", file=recording)
    assert client.attempts == [(0, 500), (1, 500), (2, 500)]
    error = caught.value
    assert (error.type, error.param, error.code) == ("server_error", None, None)
    told = INTERNAL.fullmatch(str(error.body["message"]))
    assert told
    assert told[1] == error.request_id
    assert speak(client)


# Failures in the midst of a stream -----------------------------------------------------------


def fails(events: Iterator[object]) -> openai.APIError:
    """What the SDK raises while it reads on. Neither a status nor a lost connection: the stream
    itself has said it."""
    with pytest.raises(openai.APIError) as caught:
        for _ in events:
            pass
    assert type(caught.value) is openai.APIError
    assert caught.value.type == "server_error"
    assert caught.value.message.startswith("The server had an error while processing your request.")
    return caught.value


def test_a_failure_in_a_stream_of_speech_is_raised(
    client: Watched, guarded_server: Any, kill_hosts: Any
) -> None:
    with client.post(
        "/audio/speech",
        cast_to=object,
        body=LONG | {"stream_format": "sse"},
        stream=True,
        stream_cls=openai.Stream[object],
    ) as stream:
        events: Iterator[Any] = iter(stream)
        assert next(events)["type"] == "speech.audio.delta"
        kill_hosts(guarded_server)
        fails(events)
    assert client.attempts == [(0, 200)]
    assert speak(client)


def test_a_failure_in_a_stream_of_text_is_raised(
    client: Watched, guarded_server: Any, kill_hosts: Any, recording: tuple[str, bytes]
) -> None:
    with client.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=recording, stream=True
    ) as stream:
        events = iter(stream)
        assert next(events).type == "transcript.text.delta"
        kill_hosts(guarded_server)
        fails(events)
    assert client.attempts == [(0, 200)]
    assert speak(client)


def test_speech_that_breaks_off_is_not_taken_for_whole(
    client: Watched, guarded_server: Any, kill_hosts: Any
) -> None:
    """Bytes of sound have no place for an error: the connection says it."""
    with client.audio.speech.with_streaming_response.create(**LONG) as response:
        chunks = response.iter_bytes()
        assert next(chunks)
        kill_hosts(guarded_server)
        with pytest.raises(httpx2.RemoteProtocolError, match="incomplete chunked read"):
            for _ in chunks:
                pass
    assert speak(client)
