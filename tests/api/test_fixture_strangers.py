"""What a fixture with keys does for those who send none of them."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from soundalike.fixture.scopes import Scopes

GOOD = {"authorization": "Bearer sk-good"}
FORM: Any = {"data": {"model": "whisper-1"}, "files": {"file": ("a.wav", b"canary" * 50_000)}}
STRANGE = ["", "Bearer sk-wrong", "Basic c2s=", "sk-good"]


@pytest.fixture
def api(open_api: Any) -> Any:
    client = open_api(api_keys="sk-good", control_token="s3cret")
    del client.headers["authorization"]
    return client


@pytest.fixture
def scopes(api: Any) -> Scopes:
    scopes: Scopes = api.app.state.scopes
    return scopes


@pytest.mark.parametrize("key", STRANGE)
@pytest.mark.parametrize("asked", ["status; status=418", "reset", "hang", "nonsense", "drip; x=1"])
def test_a_stranger_cannot_ask_for_a_fault(api: TestClient, key: str, asked: str) -> None:
    headers = {"authorization": key}
    plain = api.get("/v1/models", headers=headers)
    failed = api.get("/v1/models", headers=headers | {"x-soundalike-fault": asked})
    assert (plain.status_code, failed.status_code) == (401, 401)
    assert failed.content == plain.content


def test_who_has_a_key_can_ask_for_a_fault(api: TestClient) -> None:
    asking = {"x-soundalike-fault": "status; status=418"}
    assert api.get("/v1/models", headers=GOOD | asking).status_code == 418
    wrong = api.get("/v1/models", headers=GOOD | {"x-soundalike-fault": "nonsense"})
    assert wrong.status_code == 400


def test_where_there_are_no_keys_a_request_without_one_can_ask_for_a_fault(open_api: Any) -> None:
    client = open_api()
    del client.headers["authorization"]
    asking = {"x-soundalike-fault": "status; status=418"}
    assert client.get("/v1/models", headers=asking).status_code == 418


@pytest.mark.parametrize("key", STRANGE)
def test_an_upload_of_a_stranger_is_neither_read_nor_kept(
    api: TestClient, scopes: Scopes, key: str
) -> None:
    scope = scopes.get("known")
    headers = {"authorization": key}
    answer = api.post("/s/known/v1/audio/transcriptions", headers=headers, **FORM)
    assert answer.status_code == 401
    (exchange,) = scope.journal.all()
    assert (exchange.status, exchange.complete) == (401, True)
    assert (exchange.body_bytes, exchange.fields, exchange.file) == (0, {}, None)
    assert exchange.id == answer.headers["x-request-id"]
    assert exchange.headers["authorization"] == "***"


def test_nothing_of_a_body_is_received_before_the_refusal(api: TestClient) -> None:
    async def receive() -> Any:
        raise AssertionError("the body was read")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    path = "/v1/audio/transcriptions"
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}
    assert api.portal is not None
    api.portal.call(api.app, scope, receive, send)
    assert sent[0]["status"] == 401


def test_an_upload_of_a_stranger_is_refused_before_it_is_looked_into(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.app.state.service.runtime, "inspect", None)  # type: ignore[attr-defined]
    assert api.post("/v1/audio/transcriptions", **FORM).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/v1/models", "/v1/audio/transcriptions", "/healthz", "/openapi.json", "/_soundalike/stubs"],
)
def test_a_stranger_makes_no_scope(api: TestClient, scopes: Scopes, path: str) -> None:
    api.get(f"/s/anon{path}")
    api.post(f"/s/anon{path}", **FORM)
    assert [scope.name for scope in scopes.all()] == ["default"]
    api.get("/s/mine/v1/models", headers=GOOD)
    assert [scope.name for scope in scopes.all()] == ["default", "mine"]


def test_a_fault_of_the_scope_meets_strangers_too(api: TestClient, scopes: Scopes) -> None:
    token = {"x-soundalike-token": "s3cret"}
    fault = {"kind": "status", "status": 503, "times": 1, "match": {"endpoint": "models"}}
    assert api.post("/s/a/_soundalike/faults", json=fault, headers=token).status_code == 201
    assert api.get("/s/a/v1/models").status_code == 503
    assert api.get("/s/a/v1/models").status_code == 401
    assert [one.fault for one in scopes.get("a").journal.all()] == ["status", None]


def test_a_key_is_kept_nowhere(api: TestClient, scopes: Scopes) -> None:
    api.get("/v1/models", headers={"authorization": "Bearer sk-wrong-but-somebody-s"})
    api.get("/v1/models", headers=GOOD)
    kept = json.dumps([one.headers for one in scopes.get().journal.all()])
    assert "sk-" not in kept
