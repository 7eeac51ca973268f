"""`/readyz` beyond the start: one word for how the server stands, the reasons beside it."""

from collections.abc import Sequence
from typing import Any

import pytest

from soundalike.api.health import NOT_OPENED
from soundalike.runtime.base import DIED, Status

KEYLESS = {"authorization": ""}


def speech(state: Any, reason: str | None = None, *, opened: bool = True) -> Status:
    return Status("stub", "speech", state, reason, opened)


BAD = "engine not opened: [Errno 13] Permission denied: '/home/me/models/whisper-base'"
HEARING = Status("stub", "transcription", "ready", opened=True)
ON_DEMAND = Status("whisper-large", "transcription", "failed", "no such weights")


@pytest.mark.parametrize(
    ("engines", "status", "code"),
    [
        ([speech("ready"), HEARING], "ready", 200),
        ([speech("unloaded"), HEARING], "ready", 200),
        ([speech("loading"), HEARING], "ready", 200),
        ([speech("stopped", opened=False), HEARING], "loading", 503),
        ([speech("loading", opened=False), HEARING], "loading", 503),
        ([speech("failed", "no library", opened=False), HEARING], "failed", 503),
        ([speech("loading", "no library", opened=False), HEARING], "failed", 503),
        ([speech("unloaded", "its host died"), HEARING], "degraded", 200),
        ([speech("loading", "its host died"), HEARING], "degraded", 200),
        ([speech("failed", "out of memory"), HEARING], "degraded", 503),
        ([speech("ready"), HEARING, ON_DEMAND], "degraded", 200),
        ([speech("loading", opened=False), HEARING, ON_DEMAND], "loading", 503),
    ],
)
def test_how_the_engines_stand_decides_how_the_server_does(
    api: Any, monkeypatch: pytest.MonkeyPatch, engines: Sequence[Status], status: str, code: int
) -> None:
    runtime = api.app.state.service.runtime
    monkeypatch.setattr(runtime, "ready", lambda: tuple(engines))
    answer = api.get("/readyz", headers=KEYLESS)
    assert (answer.json()["status"], answer.status_code) == (status, code)
    assert answer.json()["engines"] == [
        {"id": e.id, "kind": e.kind, "state": e.state, "reason": e.reason} for e in engines
    ]


@pytest.mark.parametrize(
    ("settings", "headers", "told"),
    [
        ({}, KEYLESS, BAD),
        ({"api_keys": "sk-a"}, KEYLESS, NOT_OPENED),
        ({"api_keys": "sk-a"}, {"authorization": "Bearer sk-b"}, NOT_OPENED),
        ({"api_keys": "sk-a"}, {"authorization": "Bearer sk-a"}, BAD),
        ({"host": "0.0.0.0", "api_keys": "sk-a"}, KEYLESS, NOT_OPENED),
    ],
)
def test_strangers_are_not_told_what_an_engine_failed_with(
    open_api: Any,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    headers: dict[str, str],
    told: str,
) -> None:
    api = open_api(**settings)
    engines = (speech("failed", BAD), speech("unloaded", DIED), HEARING)
    monkeypatch.setattr(api.app.state.service.runtime, "ready", lambda: engines)
    answer = api.get("/readyz", headers=headers)
    assert answer.status_code == 503
    assert [engine["reason"] for engine in answer.json()["engines"]] == [told, DIED, None]
