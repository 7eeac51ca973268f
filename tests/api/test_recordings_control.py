"""Recordings by way of the control plane."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from soundalike.testing import Server, Soundalike, serve

FOX = {"model": "tts-1", "voice": "alloy", "input": "The quick brown fox."}


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    """One to be recorded, and one that records."""
    with serve() as upstream, serve() as server:
        yield upstream, server


@pytest.fixture
def upstream(servers: tuple[Server, Server]) -> Server:
    return servers[0]


@pytest.fixture
def scope(servers: tuple[Server, Server]) -> Soundalike:
    return servers[1].scope()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the server was started in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def control(scope: Soundalike, method: str, body: Any = None) -> httpx2.Response:
    url = f"{scope.url.removesuffix('/v1')}/_soundalike/recordings"
    return httpx2.request(method, url, json=body)


def speak(scope: Soundalike) -> httpx2.Response:
    headers = {"authorization": "Bearer sk-test"}
    return httpx2.post(f"{scope.url}/audio/speech", json=FOX, headers=headers)


def test_recordings_are_made_listed_replayed_and_left(
    upstream: Server, scope: Soundalike, home: Path
) -> None:
    assert control(scope, "GET").json() == {"spec": None, "recordings": []}
    key = "sk-of-the-operator-0123456789"
    spec = {"folder": "recordings/one", "upstream": upstream.url, "api_key": key}
    begun = control(scope, "PUT", spec)
    assert begun.status_code == 200
    assert begun.json()["recordings"] == []
    assert begun.json()["spec"]["mode"] == "once"
    assert key not in begun.text
    live = speak(scope)
    (recording,) = control(scope, "GET").json()["recordings"]
    assert recording["id"] == "0001"
    assert recording["request"]["fields"] == FOX
    assert (home / "recordings" / "one" / recording["answer"]["body"]).read_bytes() == live.content
    control(scope, "PUT", {"folder": "recordings/one", "mode": "none"})
    assert speak(scope).content == live.content
    assert scope.requests[-1].answered_by == "recording:0001"
    assert control(scope, "DELETE").json() == {"spec": None, "recordings": []}
    assert speak(scope).content == live.content
    assert scope.requests[-1].answered_by == "engine"


@pytest.mark.parametrize("folder", ["../elsewhere", "/elsewhere", ".", "a/../.."])
def test_a_folder_elsewhere_is_refused(scope: Soundalike, home: Path, folder: str) -> None:
    refused = control(scope, "PUT", {"folder": folder})
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "folder"


def test_a_spec_that_is_none_is_refused(scope: Soundalike, home: Path) -> None:
    for spec in ({}, {"folder": "x", "mode": "twice"}, {"folder": "x", "upstream": "example.org"}):
        assert control(scope, "PUT", spec).status_code == 400
    assert control(scope, "GET").json()["spec"] is None


def test_an_index_that_is_none_is_refused(scope: Soundalike, home: Path) -> None:
    (home / "index.json").write_text("[]")
    (home / "x").mkdir()
    (home / "x" / "index.json").write_text("[]")
    refused = control(scope, "PUT", {"folder": "x"})
    assert refused.status_code == 400
    assert "is no index of recordings" in refused.json()["error"]["message"]


def test_a_reset_leaves_recordings_unless_they_are_kept(
    upstream: Server, scope: Soundalike, home: Path
) -> None:
    root = scope.url.removesuffix("/v1")
    control(scope, "PUT", {"folder": "x", "upstream": upstream.url})
    httpx2.post(f"{root}/_soundalike/reset", json={"keep": ["recordings"]})
    assert control(scope, "GET").json()["spec"] is not None
    httpx2.post(f"{root}/_soundalike/reset")
    assert control(scope, "GET").json()["spec"] is None
