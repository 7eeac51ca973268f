"""`/v1/models`: what is listed, what is shown, and that nothing can be deleted."""

from typing import Any

import pytest


def test_openais_models_come_first_then_the_local_ones(api: Any) -> None:
    answer = api.get("/v1/models")
    assert answer.status_code == 200
    ids = [entry["id"] for entry in answer.json()["data"]]
    assert ids[0] == "whisper-1"
    assert ids[-1] == "stub"
    assert {"gpt-4o-transcribe-diarize", "tts-1-hd", "gpt-4o-mini-tts"} <= set(ids)
    assert len(ids) == len(set(ids))


def test_a_model_is_shown_as_it_is_listed(api: Any) -> None:
    for entry in api.get("/v1/models").json()["data"]:
        assert list(entry) == ["id", "object", "created", "owned_by"]
        assert api.get(f"/v1/models/{entry['id']}").json() == entry


def test_the_gateway_indents_by_two_and_ends_without_a_newline(api: Any) -> None:
    assert api.get("/v1/models/tts-1-hd").text == (
        '{\n  "id": "tts-1-hd",\n  "object": "model",\n  "created": 1699046015,\n'
        '  "owned_by": "system"\n}'
    )


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("model", ["nope", "ft:gpt-4o-mini:acemeco:suffix:abc123", "a/b"])
def test_an_unknown_model_is_404(api: Any, method: str, model: str) -> None:
    answer = api.request(method, f"/v1/models/{model}")
    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "message": f"The model '{model}' does not exist",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }


@pytest.mark.parametrize("model", ["whisper-1", "gpt-4o-mini-tts", "stub"])
def test_no_key_has_the_right_to_delete_a_model(api: Any, model: str) -> None:
    answer = api.delete(f"/v1/models/{model}")
    assert answer.status_code == 403
    assert answer.json()["error"] == {
        "message": "You have insufficient permissions for this operation. Missing scopes: "
        "api.delete. Check that you have the correct role in your organization (Reader, Writer, "
        "Owner) and project (Member, Owner), and if you're using a restricted API key, that it has "
        "the necessary scopes.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
    assert api.get(f"/v1/models/{model}").status_code == 200
