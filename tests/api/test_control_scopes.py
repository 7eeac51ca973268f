"""Scopes over the control plane, and who may ask it, through the real application."""

from typing import Any

import pytest

HELLO = {"endpoint": "transcriptions", "answers": [{"text": "hello"}]}
FAULT = {"kind": "status", "match": {"text": "never"}}


def test_two_scopes_know_nothing_of_each_other(
    api: Any, control: Any, second_of_silence: bytes
) -> None:
    other = type(control)(api, f"{control.name}.other")
    control("POST", "/stubs", json=HELLO)
    control("POST", "/faults", json=FAULT)
    control("PUT", "/settings", json={"strict": True})
    assert control.transcribe(second_of_silence).json()["text"] == "hello"
    assert other.transcribe(second_of_silence).json()["text"] == ""
    assert other("GET", "/stubs").json() == {"stubs": []}
    assert other("GET", "/faults").json() == {"faults": []}
    own, others = (scope("GET", "/requests").json()["requests"] for scope in (control, other))
    assert [request["answered_by"] for request in own] == ["stub:stub-1"]
    assert [request["answered_by"] for request in others] == ["engine"]
    assert other("GET", f"/requests/{own[0]['id']}").status_code == 404


def test_without_a_name_it_is_the_default_scope(api: Any) -> None:
    api.post("/_soundalike/reset")
    assert api.post("/_soundalike/faults", json=FAULT).status_code == 201
    assert len(api.get("/s/default/_soundalike/faults").json()["faults"]) == 1
    assert api.delete("/_soundalike/faults").json()["name"] == "default"


def test_scopes_are_listed_with_what_is_in_them_and_dropped(api: Any, control: Any) -> None:
    control("POST", "/stubs", json=[HELLO, HELLO])
    control("POST", "/faults", json=FAULT)
    control.speak()
    control("PUT", "/seed", json={"seed": 3})
    scopes = {scope["name"]: scope for scope in api.get("/_soundalike/scopes").json()["scopes"]}
    expected = {"strict": False, "seed": 3, "stubs": 2, "faults": 1, "requests": 1}
    assert scopes[control.name] == {"name": control.name} | expected
    gone = api.delete(f"/_soundalike/scopes/{control.name}")
    assert gone.json() == {"id": control.name, "deleted": True}
    assert api.delete(f"/_soundalike/scopes/{control.name}").status_code == 404
    assert control("GET", "/stubs").json() == {"stubs": []}


def test_a_bad_name_is_no_scope(api: Any) -> None:
    answer = api.get("/s/a b/_soundalike/stubs")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "scope"


def test_a_strict_scope_refuses_what_no_stub_answers(
    control: Any, second_of_silence: bytes
) -> None:
    assert control("PUT", "/settings", json={"strict": True}).json()["strict"] is True
    refused = control.transcribe(second_of_silence)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "no_stub_matched"
    assert control("PUT", "/settings", json={"strict": False}).json()["strict"] is False
    assert control.transcribe(second_of_silence).status_code == 200


def test_a_seed_makes_request_ids_come_again(control: Any) -> None:
    def ids() -> list[str]:
        control("POST", "/reset")
        return [control.speak().headers["x-request-id"] for _ in range(2)]

    assert control("PUT", "/seed", json={"seed": 7}).json()["seed"] == 7
    seeded = ids()
    assert len(set(seeded)) == 2
    assert ids() == seeded
    assert control("PUT", "/seed", json={"seed": None}).json()["seed"] is None
    assert set(ids()).isdisjoint(seeded)


@pytest.mark.parametrize("keep", [[], ["stubs"], ["faults", "requests"]])
def test_a_reset_keeps_what_is_to_be_kept(control: Any, keep: list[str]) -> None:
    control("POST", "/stubs", json=HELLO)
    control("POST", "/faults", json=FAULT)
    control.speak()
    after = control("POST", "/reset", json={"keep": keep}).json()
    parts = ("stubs", "faults", "requests")
    assert {part: after[part] for part in parts} == {part: int(part in keep) for part in parts}


@pytest.mark.parametrize(
    ("method", "path", "body", "param"),
    [
        ("PUT", "/settings", {}, "strict"),
        ("PUT", "/settings", {"strict": "perhaps"}, "strict"),
        ("PUT", "/settings", {"strict": True, "lenient": True}, "lenient"),
        ("PUT", "/seed", {}, "seed"),
        ("PUT", "/seed", {"seed": "7"}, "seed"),
        ("PUT", "/seed", {"seed": 2**63}, "seed"),
        ("POST", "/reset", {"keep": ["stubs", "everything"]}, "keep.1"),
        ("POST", "/reset", {"forget": []}, "forget"),
    ],
)
def test_what_is_wrong_is_refused_and_changes_nothing(
    control: Any, method: str, path: str, body: Any, param: str
) -> None:
    control("POST", "/stubs", json=HELLO)
    answer = control(method, path, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    scopes = control("GET", "/scopes").json()["scopes"]
    (own,) = (scope for scope in scopes if scope["name"] == control.name)
    assert (own["strict"], own["seed"], own["stubs"]) == (False, None, 1)


@pytest.mark.parametrize(
    ("host", "token", "sent", "status"),
    [
        ("127.0.0.1", None, None, 200),
        ("localhost", None, "anything", 200),
        ("0.0.0.0", None, None, 403),
        ("0.0.0.0", None, "", 403),
        ("0.0.0.0", "s3cret", None, 401),
        ("0.0.0.0", "s3cret", "s3cre", 401),
        ("0.0.0.0", "s3cret", "s3cret", 200),
        ("127.0.0.1", "s3cret", None, 401),
        ("127.0.0.1", "s3cret", "s3cret", 200),
    ],
)
def test_a_token_is_needed_where_others_can_come(
    open_api: Any, host: str, token: str | None, sent: str | None, status: int
) -> None:
    client = open_api(host=host, control_token=token, allow_keyless=True)
    headers = {} if sent is None else {"x-soundalike-token": sent}
    answer = client.get("/_soundalike/scopes", headers=headers)
    assert answer.status_code == status
    assert ("error" in answer.json()) == (status != 200)
    assert client.post("/_soundalike/stubs", json=HELLO, headers=headers).status_code == (
        201 if status == 200 else status
    )
    assert client.get("/_soundalike/nowhere").status_code == 404
    assert client.get("/v1/models").status_code == 200


@pytest.mark.parametrize(
    ("settings", "key", "token", "status"),
    [
        ({"api_keys": "sk-good"}, "", "", 401),
        ({"api_keys": "sk-good"}, "Bearer sk-goo", "", 401),
        ({"api_keys": "sk-good"}, "", "sk-good", 401),
        ({"api_keys": "sk-good"}, "Bearer sk-good", "", 200),
        ({"api_keys": "sk-good", "host": "0.0.0.0"}, "Bearer sk-good", "", 403),
        ({"api_keys": "sk-good", "control_token": "s3cret"}, "", "s3cret", 200),
        ({"api_keys": "sk-good", "control_token": "s3cret"}, "Bearer sk-good", "", 401),
        ({}, "", "", 200),
    ],
)
def test_without_a_token_the_keys_of_the_server_count(
    open_api: Any, settings: dict[str, Any], key: str, token: str, status: int
) -> None:
    client = open_api(**settings)
    client.headers = {"authorization": key, "x-soundalike-token": token}
    assert client.get("/_soundalike/requests").status_code == status
    assert client.get("/s/another/_soundalike/requests").status_code == status
    added = client.post("/_soundalike/faults", json=FAULT)
    assert added.status_code == (201 if status == 200 else status)
    if status == 401 and "control_token" not in settings:
        assert added.json() == client.get("/v1/models").json()  # the API's own refusal


def test_the_pages_of_other_sites_may_not_ask(control: Any) -> None:
    for origin, status in [
        ("https://example.com", 403),
        ("null", 403),
        ("http://testserver", 200),
    ]:
        assert control("GET", "/stubs", headers={"origin": origin}).status_code == status


def test_the_token_is_kept_nowhere(control: Any) -> None:
    control.client.get(f"/s/{control.name}/v1/models", headers={"x-soundalike-token": "s3cret"})
    assert "s3cret" not in control("GET", "/requests").text
