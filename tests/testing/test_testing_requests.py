"""Looking at what was asked."""

import asyncio
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from soundalike.testing import Soundalike


def speak(client: openai.OpenAI, text: str = "Hello.", **fields: Any) -> bytes:
    values = {"model": "tts-1", "voice": "alloy"} | fields
    return client.audio.speech.create(input=text, **values).read()


def test_a_request_and_its_answer(scope: Soundalike, client: openai.OpenAI, clip: bytes) -> None:
    client.audio.transcriptions.create(model="whisper-1", file=("hi.wav", clip), prompt="Hello")
    (request,) = scope.requests
    assert request.body == clip
    assert request.response == b'{"text":"Hello there.","usage":' + request.response[31:]
    assert request.file is not None
    assert request.file.name == "hi.wav"
    assert request.file.sha256 == hashlib.sha256(clip).hexdigest()
    assert request.fields["prompt"] == "Hello"
    assert request.headers["authorization"] == "***"
    assert str(request).startswith("request 1: POST /v1/audio/transcriptions (file 'hi.wav', ")
    assert str(request).endswith("answered 200 by engine")


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_requests_by_endpoint_and_condition(
    scope: Soundalike, client: openai.OpenAI, clip: bytes
) -> None:
    speak(client, "One.")
    speak(client, "Two.", voice="nova")
    client.audio.translations.create(model="whisper-1", file=("hi.wav", clip))
    requests = scope.requests
    assert (len(requests), len(requests.speech), len(requests.transcriptions)) == (3, 2, 0)
    assert [r.endpoint for r in requests.translations] == ["translations"]
    assert requests.speech.matching(voice="nova")[0].fields["input"] == "Two."
    assert [r.number for r in requests[1:]] == [2, 3]
    assert requests.speech[0].body == b""
    assert "request 1" in repr(requests)
    with pytest.raises(TypeError, match="no condition 'voise'"):
        requests.matching(voise="nova")  # type: ignore[call-arg]


def test_it_is_always_what_there_is_now(scope: Soundalike, client: openai.OpenAI) -> None:
    requests = scope.requests
    assert not requests
    speak(client)
    assert requests[-1].status == 200


def test_waiting(scope: Soundalike, client: openai.OpenAI) -> None:
    asking = threading.Thread(target=speak, args=(client,))
    asking.start()
    (request,) = scope.requests.speech.wait(1, timeout=10)
    asking.join()
    assert request.endpoint == "speech"
    with pytest.raises(TimeoutError, match=r"1 of 2 requests came within 0\.01 s\n  request 1"):
        scope.requests.wait(2, timeout=0.01)
    with pytest.raises(TimeoutError, match="0 of 1 requests"):
        asyncio.run(scope.requests.translations.until(timeout=0.01))


def test_threads_share_a_scope(scope: Soundalike, clip: bytes) -> None:
    stub = scope.transcriptions.stub(["first", "later"], times=12)
    fault = scope.fault("latency", seconds=0, times=5)

    def ask(_: int) -> str:
        with openai.OpenAI(base_url=scope.url, api_key="sk-test", max_retries=0) as client:
            heard = client.audio.transcriptions.create(model="whisper-1", file=("a.wav", clip))
        return heard.text

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(ask, range(16)))
    assert sorted(said) == ["Hello there."] * 4 + ["first"] + ["later"] * 11
    assert (stub.uses, fault.uses) == (12, 5)
    assert [r.number for r in scope.requests] == list(range(1, 17))
    scope.check()


def test_verifying(scope: Soundalike, client: openai.OpenAI) -> None:
    speak(client, "One.")
    speak(client, "Two.", voice="nova")
    assert [r.number for r in scope.verify(endpoint="speech", voice="nova")] == [2]
    assert len(scope.verify(at_least=2, at_most=2, model="tts-*")) == 2
    assert scope.verify(0, voice="onyx") == []
    with pytest.raises(AssertionError, match="voice: wanted 'onyx', got 'alloy'"):
        scope.verify(voice="onyx")
    with pytest.raises(AssertionError, match="2 of 2, expected exactly 1"):
        scope.verify(1, endpoint="speech")
    with pytest.raises(ValueError, match="a count, or the least and the most"):
        scope.verify(1, at_least=1)


def test_resetting(scope: Soundalike, client: openai.OpenAI, clip: bytes) -> None:
    scope.speech.stub(clip)
    scope.fault("latency", seconds=0, times=1)
    speak(client)
    scope.reset(keep=["stubs", "requests"])
    assert (len(scope._scope.stubs.all()), len(scope._scope.faults.all())) == (1, 0)
    assert len(scope.requests) == 1
    scope.reset(keep="stubs")
    assert len(scope.requests) == 0
    scope.reset()
    assert not scope._scope.stubs.all()
    scope.check()
    with pytest.raises(ValueError, match="no part 'stub'; did you mean 'stubs'"):
        scope.reset(keep="stub")  # type: ignore[arg-type]


def test_a_seed_makes_it_repeatable(scope: Soundalike, client: openai.OpenAI) -> None:
    ids = []
    for _ in range(2):
        scope.reset()
        scope.seed(5)
        speak(client)
        ids.append((scope.requests[0].id, scope.requests[0].started))
    scope.seed(6)
    scope.reset()
    speak(client)
    assert ids[0] == ids[1]
    assert scope.requests[0].id != ids[0][0]


def test_recording_and_replaying(
    scope: Soundalike, client: openai.OpenAI, server: Any, tmp_path: Any
) -> None:
    upstream = server.scope()
    scope.record(tmp_path / "takes", upstream=upstream.url)
    first = speak(client)
    scope.record(tmp_path / "takes", "none")
    assert speak(client) == first
    assert [r.answered_by.partition(":")[0] for r in scope.requests] == ["upstream", "recording"]
    assert len(upstream.requests) == 1
    upstream.close()
    with pytest.raises(ValueError, match=r"'mode' takes 'none', .* or 'rewrite', not 'sometimes'$"):
        scope.record(tmp_path, "sometimes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="upstream"):
        scope.record(tmp_path, upstream="nowhere")
    with pytest.raises(ValueError, match="no option 'upsteam'; did you mean 'upstream'"):
        scope.record(tmp_path, upsteam="nowhere")
    with pytest.raises(ValueError, match=r"'timeout' takes a number above 0, not 0$"):
        scope.record(tmp_path, timeout=0)
    with pytest.raises(ValueError, match=r"'api_key' takes a text$"):
        scope.record(tmp_path, api_key=["sk-secret"])


def test_a_client_that_gave_up_is_seen_at_once(
    scope: Soundalike, client: openai.OpenAI, clip: bytes
) -> None:
    scope.fault("latency", seconds=60)
    for number in range(1, 21):
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.02).models.list()
        assert len(scope.requests) == number
        scope.verify(number)


def test_a_request_from_before_a_reset_is_forgotten(
    scope: Soundalike, client: openai.OpenAI
) -> None:
    scope.fault("latency", seconds=60)
    asking = client.with_options(timeout=2)

    def give_up() -> None:
        with pytest.raises(openai.APITimeoutError):
            asking.models.list()

    thread = threading.Thread(target=give_up)
    thread.start()
    while not scope._scope.faults.all()[0].uses:
        threading.Event().wait(0.001)
    scope.reset()
    speak(client)
    thread.join()
    assert scope._scope.journal.settle(10)
    assert [(request.number, request.endpoint) for request in scope.requests] == [(1, "speech")]
