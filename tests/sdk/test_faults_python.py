"""What docs/faults.md says of the Python SDK, row by row."""

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import openai
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
ROW = re.compile(r"^\| `(.+?)` \| (transcription|speech|stream) \| (.+?) \| .+ \|$", re.MULTILINE)
ROWS = [(fault, request, said) for fault, request, said in ROW.findall(PAGE.read_text("utf-8"))]
TIMEOUT = 1.0
"""Seconds that the clients wait for a byte."""

AT_ONCE = 8
"""Clients at a time."""

Met = Callable[[str | None, str], tuple[Any, int]]


def transcription(client: openai.OpenAI, recording: bytes) -> Any:
    file = ("recording.wav", io.BytesIO(recording))
    return client.audio.transcriptions.create(file=file, model="whisper-1").text


def speech(client: openai.OpenAI, recording: bytes) -> Any:
    return client.audio.speech.create(
        model="tts-1", voice="alloy", input="Hello.", response_format="wav"
    ).content


def stream(client: openai.OpenAI, recording: bytes) -> Any:
    file = ("recording.wav", io.BytesIO(recording))
    model = "gpt-4o-transcribe"
    events = client.audio.transcriptions.create(file=file, model=model, stream=True)
    return [event.model_dump() for event in events]


REQUESTS: Mapping[str, Callable[[openai.OpenAI, bytes], Any]] = {
    "transcription": transcription,
    "speech": speech,
    "stream": stream,
}


@pytest.fixture(scope="module")
def hurried() -> Iterator[None]:
    """The SDK's waits before a retry are as long as the server asks for, or nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.0)
        patch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.0)
        yield


@pytest.fixture(scope="module")
def meet(stub_server: Any, hurried: None) -> Met:
    return meeting(stub_server, timeout=TIMEOUT)


def meeting(server: Any, timeout: float) -> Met:
    """Has the SDK make a request that asks for a fault: what it gave or raised, and how often it
    tried."""
    scopes = count()
    with openai.OpenAI(base_url=server.base_url, api_key="sk-test") as client:
        spoken = client.audio.speech.create(
            model="tts-1", voice="alloy", input="One. Two. Three.", response_format="wav"
        ).content

    def met(fault: str | None, request: str) -> tuple[Any, int]:
        sent: list[Any] = []
        http = openai.DefaultHttpxClient(event_hooks={"request": [sent.append]})
        with openai.OpenAI(
            base_url=f"{server.root}/s/python-{next(scopes)}/v1",
            api_key="sk-test",
            timeout=timeout,
            default_headers={"X-Soundalike-Fault": fault} if fault else {},
            http_client=http,
        ) as client:
            try:
                return REQUESTS[request](client, spoken), len(sent)
            except (openai.OpenAIError, json.JSONDecodeError) as error:
                return error, len(sent)

    return met


@pytest.fixture(scope="module")
def outcomes(meet: Met) -> dict[tuple[str, str], str]:
    """Of every row, in the words of the page."""
    good = {request: meet(None, request)[0] for request in REQUESTS}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        met = pool.map(lambda row: meet(row[0], row[1]), ROWS)
    return {
        (fault, request): f"{worded(answer, good[request])}, {tries(sent)}"
        for (fault, request, _), (answer, sent) in zip(ROWS, met, strict=True)
    }


def worded(answer: Any, good: Any) -> str:
    if isinstance(answer, Exception):
        return f"`{type(answer).__name__}`"
    if answer == good:
        return "the answer"
    if len(answer) < len(good) and answer and good[: len(answer)] == answer:
        return "a part of it"
    return "other bytes" if len(answer) == len(good) else "something else"


def tries(sent: int) -> str:
    return f"{sent} request{'s' if sent > 1 else ''}"


def test_the_page_has_rows() -> None:
    assert len(ROWS) > 30
    assert len({(fault, request) for fault, request, _ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("fault", "request_kind", "said"), ROWS)
def test_the_python_sdk_does_what_the_page_says(
    outcomes: dict[tuple[str, str], str], fault: str, request_kind: str, said: str
) -> None:
    assert outcomes[fault, request_kind] == said


def test_what_the_python_sdk_tells_of_a_status(meet: Met) -> None:
    error, _ = meet("status; status=429; code=insufficient_quota; should_retry=false", "speech")
    assert isinstance(error, openai.RateLimitError)
    assert (error.code, error.type) == ("insufficient_quota", "insufficient_quota")
    assert error.request_id is not None
    assert error.request_id.startswith("req_")


def test_what_the_python_sdk_tells_of_an_error_in_a_stream(meet: Met) -> None:
    error, _ = meet("sse_error; message=The model is tired.; code=tired", "stream")
    assert isinstance(error, openai.APIError)
    assert (error.message, error.code, error.type) == (
        *("The model is tired.", "tired"),
        "server_error",
    )


def test_real_engines_fail_no_differently(serve: Any, model_store: Path, hurried: None) -> None:
    with serve("--models", str(model_store), "--fixture", "on") as server:
        meet = meeting(server, timeout=60)
        answer, _ = meet(None, "transcription")
        assert "2" in answer or "two" in answer.lower()
        speech, _ = meet(None, "speech")
        assert len(speech) > 10_000
        rows = [
            ("truncate", "speech"),
            ("bad_json", "transcription"),
            ("sse_error", "stream"),
            ("status; status=429; times=2", "transcription"),
        ]
        outcomes = [meet(fault, request) for fault, request in rows]
        damaged, _ = meet("corrupt_audio", "speech")
    assert [type(outcome).__name__ for outcome, _ in outcomes[:3]] == [
        "APIConnectionError",
        "JSONDecodeError",
        "APIError",
    ]
    assert outcomes[3] == (answer, 3)
    assert (len(damaged), damaged[:64]) == (len(speech), speech[:64])
    assert damaged != speech
