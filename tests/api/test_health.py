"""Who asks for no key: whether the server lives, and whether it can do its work."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient


def until(api: TestClient, state: Callable[[str], bool]) -> Any:
    """The answer of `/readyz` once every engine is in such a state."""
    for _ in range(1000):
        answer = api.get("/readyz", headers={"authorization": ""})
        if all(state(engine["state"]) for engine in answer.json()["engines"]):
            return answer
        time.sleep(0.01)
    raise AssertionError(answer.text)


def test_the_server_is_ready_when_its_engines_are(open_api: Any) -> None:
    api = open_api()
    assert api.get("/healthz", headers={"authorization": ""}).json() == {"status": "ok"}
    answer = until(api, "ready".__eq__)
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "engines": [
            {"id": "stub", "kind": kind, "state": "ready", "reason": None}
            for kind in ("speech", "transcription")
        ],
    }


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_may_ask_for_the_head_alone(open_api: Any, path: str) -> None:
    api = open_api()
    until(api, "ready".__eq__)
    assert api.head(path, headers={"authorization": ""}).status_code == 200


def test_a_server_whose_engines_left_memory_is_ready_and_answers(open_api: Any) -> None:
    api = open_api(idle_unload=0.01)
    answer = until(api, "unloaded".__eq__)
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    body = {"model": "tts-1", "voice": "alloy", "input": "Hello."}
    assert api.post("/v1/audio/speech", json=body).status_code == 200


def test_a_server_whose_engine_cannot_be_opened_is_not_ready_and_says_why(
    open_api: Any, caplog: Any
) -> None:
    api = open_api(speech_engine="no-such-engine", engine=None, transcription_engine="stub")
    answer = until(api, lambda state: state in ("ready", "failed"))
    assert answer.status_code == 503
    assert answer.json()["status"] == "failed"
    speech = answer.json()["engines"][0]
    assert speech["state"] == "failed"
    assert "no-such-engine" in speech["reason"]
