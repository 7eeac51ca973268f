"""Which headers an answer has, and how its body is framed: observed behaviour, section 2. The
golden tables name every header but those of the connection (`date`, `server`, the framing)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from soundalike.api.errors import render
from soundalike.errors import OverloadedError, RateLimitError, ServerError

EVERYWHERE = {
    *("x-request-id", "openai-processing-ms", "openai-version", "x-content-type-options"),
    *("access-control-expose-headers", "content-type"),
}
ACCOUNT = {"openai-organization", "openai-project"}
REQUESTS = {f"x-ratelimit-{what}-requests" for what in ("limit", "remaining", "reset")}
TOKENS = {f"x-ratelimit-{what}-tokens" for what in ("limit", "remaining", "reset")}
EVENTS = {"cache-control"}
CONNECTION = {"date", "server", "content-length", "transfer-encoding"}

SPEECH_PATH = "/v1/audio/speech"
HEARING_PATH = "/v1/audio/transcriptions"
SPEECH = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Hello there."}
JSON = "application/json"
GATEWAY_JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
STREAM = "text/event-stream; charset=utf-8"


@dataclass(frozen=True)
class Case:
    """A request, and what its answer looks like. `headers` are those beyond `EVERYWHERE`."""

    method: str
    path: str
    status: int
    content_type: str
    headers: set[str] = field(default_factory=set)
    chunked: bool = False
    json: Any = None
    form: dict[str, str] | None = None


def speaking(content_type: str, status: int = 200, **body: Any) -> Case:
    headers = ACCOUNT | REQUESTS | TOKENS | (EVENTS if content_type == STREAM else set())
    return Case(
        *("POST", SPEECH_PATH, status, content_type, headers),
        chunked=status == 200,
        json=SPEECH | body,
    )


def hearing(content_type: str, status: int = 200, path: str = HEARING_PATH, **form: str) -> Case:
    streamed = content_type == STREAM
    headers = ACCOUNT | REQUESTS | (EVENTS if streamed else set())
    form = {"model": "whisper-1"} | form
    return Case("POST", path, status, content_type, headers, chunked=streamed, form=form)


def plain(method: str, path: str, status: int, content_type: str, *headers: str) -> Case:
    return Case(method, path, status, content_type, set(headers))


CASES = {
    "mp3": speaking("audio/mpeg", response_format="mp3"),
    "opus": speaking("audio/opus", response_format="opus"),
    "aac": speaking("audio/aac", response_format="aac"),
    "flac": speaking("audio/flac", response_format="flac"),
    "wav": speaking("audio/wav", response_format="wav"),
    "pcm": speaking("audio/pcm", response_format="pcm"),
    "speech events": speaking(STREAM, stream_format="sse"),
    "json": hearing(JSON, response_format="json"),
    "verbose_json": hearing(JSON, response_format="verbose_json"),
    "diarized_json": hearing(
        JSON, model="gpt-4o-transcribe-diarize", response_format="diarized_json"
    ),
    "text": hearing(TEXT, response_format="text"),
    "srt": hearing(TEXT, response_format="srt"),
    "vtt": hearing(TEXT, response_format="vtt"),
    "translation": hearing(JSON, path="/v1/audio/translations"),
    "transcript events": hearing(STREAM, model="gpt-4o-transcribe", stream="true"),
    "refused by the validator": speaking(JSON, 400, speed=5),
    "refused by the model": hearing(JSON, 400, language="klingon"),
    "an unknown model": speaking(GATEWAY_JSON, 404, model="nope"),
    "a model of another endpoint": hearing(GATEWAY_JSON, 404, model="tts-1"),
    "no JSON": Case("POST", SPEECH_PATH, 400, JSON, ACCOUNT),
    "no form": Case("POST", HEARING_PATH, 400, JSON, ACCOUNT),
    "voices": Case("GET", "/v1/audio/voices", 200, JSON, ACCOUNT),
    "models": plain("GET", "/v1/models", 200, JSON),
    "a model": plain("GET", "/v1/models/tts-1", 200, JSON),
    "no such model": plain("GET", "/v1/models/nope", 404, GATEWAY_JSON),
    "a model to delete": plain("DELETE", "/v1/models/tts-1", 403, GATEWAY_JSON),
    "no such URL": plain("POST", "/v1/audio/foo", 404, GATEWAY_JSON),
    "a wrong method": plain("GET", SPEECH_PATH, 405, GATEWAY_JSON, "allow"),
}


@pytest.fixture(scope="module")
def client(stub_server: Any) -> Iterator[httpx2.Client]:
    """A connection to a server of its own process: only there a body is framed."""
    key = {"authorization": "Bearer sk-test"}
    with httpx2.Client(base_url=stub_server.root, headers=key) as client:
        yield client


@pytest.fixture(scope="module")
def audio(client: httpx2.Client) -> bytes:
    return client.post(SPEECH_PATH, json=SPEECH).content


def answered(client: httpx2.Client, case: Case, audio: bytes) -> httpx2.Response:
    if case.form is None:
        return client.request(case.method, case.path, json=case.json)
    files = {"file": ("speech.mp3", audio)}
    return client.request(case.method, case.path, data=case.form, files=files)


@pytest.mark.parametrize("name", CASES)
def test_every_answer_has_its_headers_and_no_others(
    client: httpx2.Client, audio: bytes, name: str
) -> None:
    case = CASES[name]
    answer = answered(client, case, audio)
    assert (answer.status_code, answer.headers["content-type"]) == (case.status, case.content_type)
    assert set(answer.headers) - CONNECTION == EVERYWHERE | case.headers
    if case.chunked:
        assert answer.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in answer.headers
    else:
        assert int(answer.headers["content-length"]) == len(answer.content) > 0
        assert "transfer-encoding" not in answer.headers


@pytest.mark.parametrize("name", ["mp3", "json", "refused by the model", "no such URL"])
def test_the_values_are_as_observed(client: httpx2.Client, audio: bytes, name: str) -> None:
    headers = answered(client, CASES[name], audio).headers
    assert re.fullmatch(r"req_[0-9a-f]{32}", headers["x-request-id"])
    assert re.fullmatch(r"\d+", headers["openai-processing-ms"])
    assert headers["openai-version"] == "2020-10-01"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["access-control-expose-headers"] == "X-Request-ID"


def test_no_two_requests_have_the_same_id(client: httpx2.Client) -> None:
    ids = {client.get("/v1/models").headers["x-request-id"] for _ in range(10)}
    assert len(ids) == 10


def test_events_must_not_be_kept(client: httpx2.Client, audio: bytes) -> None:
    for name in ("speech events", "transcript events"):
        assert answered(client, CASES[name], audio).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["mp3", "json", "refused by the model"])
def test_an_answer_names_the_account_that_the_request_names(
    client: httpx2.Client, audio: bytes, name: str
) -> None:
    unnamed = answered(client, CASES[name], audio).headers
    assert unnamed["openai-organization"] == "org-soundalike"
    assert unnamed["openai-project"] == "proj_soundalike"
    named = {"OpenAI-Organization": "org-acme", "OpenAI-Project": "proj_anvils"}
    with httpx2.Client(base_url=client.base_url, headers=dict(client.headers) | named) as other:
        headers = answered(other, CASES[name], audio).headers
        assert headers["openai-organization"] == "org-acme"
        assert headers["openai-project"] == "proj_anvils"
        assert not ACCOUNT & set(other.get("/v1/models").headers)


@pytest.mark.parametrize(
    ("key", "content_type"),
    [({}, GATEWAY_JSON), ({"authorization": "Bearer sk-two"}, "text/plain")],
)
@pytest.mark.parametrize("path", [SPEECH_PATH, HEARING_PATH])
def test_a_key_that_is_not_good_is_told_nothing_of_an_account(
    open_api: Any, path: str, key: dict[str, str], content_type: str
) -> None:
    api = open_api(api_keys="sk-one")
    del api.headers["authorization"]
    answer = api.post(path, headers=key, json=SPEECH)
    assert (answer.status_code, answer.headers["content-type"]) == (401, content_type)
    assert set(answer.headers) - CONNECTION == EVERYWHERE


def test_a_body_that_is_too_large_has_the_headers_of_a_refusal(client: httpx2.Client) -> None:
    files = {"file": ("a.wav", bytes(25 * 2**20))}
    answer = client.post(HEARING_PATH, data={"model": "whisper-1"}, files=files)
    assert (answer.status_code, answer.headers["content-type"]) == (413, JSON)
    assert set(answer.headers) - CONNECTION == EVERYWHERE | ACCOUNT


def test_a_refused_rate_says_when_to_come_back_and_counts_nothing(open_api: Any) -> None:
    """A raw 429 was seen without any `x-ratelimit-*`."""
    api = open_api(rate_limit_requests=1)
    assert api.post(SPEECH_PATH, json=SPEECH).status_code == 200
    refused = api.post(SPEECH_PATH, json=SPEECH)
    assert (refused.status_code, refused.headers["content-type"]) == (429, JSON)
    assert set(refused.headers) - CONNECTION == EVERYWHERE | ACCOUNT | {"retry-after"}


@pytest.mark.parametrize(("seconds", "told"), [(0.0, "1"), (0.2, "1"), (2.4, "3"), (30.0, "30")])
def test_who_waits_as_long_as_told_does_not_come_back_too_early(seconds: float, told: str) -> None:
    assert render(RateLimitError("Wait.", retry_after=seconds)).headers["retry-after"] == told


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (ServerError("espeak-ng was not found"), 500, set()),
        (ZeroDivisionError("a secret"), 500, set()),
        (OverloadedError("Try again later.", retry_after=1), 503, {"retry-after"}),
    ],
)
def test_a_failure_has_the_headers_of_a_success(
    open_api: Any,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    headers: set[str],
) -> None:
    api = open_api()

    async def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(api.app.state.service.runtime, "capabilities", failing)
    answer = api.post(SPEECH_PATH, json=SPEECH)
    assert (answer.status_code, answer.headers["content-type"]) == (status, JSON)
    assert set(answer.headers) - CONNECTION == EVERYWHERE | ACCOUNT | REQUESTS | TOKENS | headers
    message = answer.json()["error"]["message"]
    if status == 500:
        assert message == (
            "The server had an error processing your request. Sorry about that! You can retry your "
            "request, or contact us through our help center at help.openai.com if you keep seeing "
            f"this error. (Please include the request ID {answer.headers['x-request-id']} in your "
            "email.)"
        )
