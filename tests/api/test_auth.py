"""Who may ask. Texts and layouts: observed behaviour, sections 1 and 6."""

import base64
from typing import Any

import pytest

KEY = "sk-proj-0123456789abcdefghijklmnopqrs9900"


def test_a_missing_key_is_401_even_where_every_key_is_good(open_api: Any) -> None:
    api = open_api()
    del api.headers["authorization"]
    answer = api.get("/v1/models")
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert error["message"].startswith("You didn't provide an API key.")
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, None)


@pytest.mark.parametrize("header", ["Bearer ", "Bearer", "", "sk-test", "Digest sk-test"])
def test_a_header_without_a_key_is_no_key(open_api: Any, header: str) -> None:
    api = open_api()
    assert api.get("/v1/models", headers={"authorization": header}).status_code == 401


def test_without_keys_any_key_passes(open_api: Any) -> None:
    api = open_api()
    assert api.get("/v1/models", headers={"authorization": "Bearer whatever"}).status_code == 200


@pytest.mark.parametrize("key", ["sk-one", "sk-two"])
def test_each_of_several_keys_passes_and_others_do_not(open_api: Any, key: str) -> None:
    api = open_api(api_keys="sk-one, sk-two")
    assert api.get("/v1/models", headers={"authorization": f"Bearer {key}"}).status_code == 200
    assert api.get("/v1/models", headers={"authorization": f"bearer {key}"}).status_code == 200
    wrong = api.get("/v1/models", headers={"authorization": f"Bearer {key}x"})
    assert wrong.status_code == 401
    assert wrong.json()["error"]["code"] == "invalid_api_key"


def test_basic_auth_takes_the_key_as_its_password(open_api: Any) -> None:
    api = open_api(api_keys="sk-one")
    good = base64.b64encode(b":sk-one").decode()
    bad = base64.b64encode(b"sk-one:").decode()
    assert api.get("/v1/models", headers={"authorization": f"Basic {good}"}).status_code == 200
    assert api.get("/v1/models", headers={"authorization": f"Basic {bad}"}).status_code == 401
    assert api.get("/v1/models", headers={"authorization": "Basic ???"}).status_code == 401


def test_a_wrong_key_is_answered_and_masked_as_observed(open_api: Any) -> None:
    api = open_api(api_keys="sk-one")
    answer = api.post("/v1/audio/speech", headers={"authorization": f"Bearer {KEY}"}, json={})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "text/plain"
    assert len(KEY) == 41
    assert len(answer.content) == 287
    assert answer.text == (
        "{\n"
        '  "error": {\n'
        '    "message": "Incorrect API key provided: sk-proj-*****************************9900. '
        'You can find your API key at https://platform.openai.com/account/api-keys.",\n'
        '    "type": "invalid_request_error",\n'
        '    "code": "invalid_api_key",\n'
        '    "param": null\n'
        "  },\n"
        '  "status": 401\n'
        "}"
    )


def test_a_wrong_key_beyond_the_audio_routes_is_challenged(open_api: Any) -> None:
    api = open_api(api_keys="sk-one")
    answer = api.get("/v1/models", headers={"authorization": f"Bearer {KEY}"})
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["www-authenticate"] == 'Bearer realm="OpenAI API"'
    assert set(answer.json()) == {"error"}


def test_a_short_key_is_echoed_whole(open_api: Any) -> None:
    api = open_api(api_keys="sk-one")
    answer = api.get("/v1/models", headers={"authorization": "Bearer invalid-key"})
    assert "provided: invalid-key. You" in answer.json()["error"]["message"]


def test_the_key_is_checked_before_the_body_is_read(open_api: Any) -> None:
    api = open_api(api_keys="sk-one")
    answer = api.post("/v1/audio/transcriptions", content=b"no form at all")
    assert answer.status_code == 401
