"""Every refusal has the envelope, whoever refuses."""

import logging
from typing import Any

import pytest

from soundalike.api.errors import in_stream
from soundalike.errors import InvalidRequestError, ServerError

ENVELOPE = {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("POST", "/v1/foo", 404, "Invalid URL (POST /v1/foo)"),
        ("GET", "/", 404, "Invalid URL (GET /)"),
        ("POST", "/v1/audio/speech/", 404, "Invalid URL (POST /v1/audio/speech/)"),
        (
            "GET",
            "/v1/audio/speech",
            405,
            (
                "Not allowed to GET on /v1/audio/speech. "
                "(HINT: Perhaps you meant to use a different HTTP method?)"
            ),
        ),
        ("GET", "/v1/models/nope", 404, "The model 'nope' does not exist"),
    ],
)
def test_routing_refusals_have_the_envelope(
    api: Any, method: str, path: str, status: int, message: str
) -> None:
    answer = api.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["message"] == message
    assert set(answer.json()["error"]) == ENVELOPE
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b'{"model": 7}', b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(api: Any, body: bytes) -> None:
    answer = api.post("/v1/audio/speech", content=body)
    assert answer.status_code == 400
    message = answer.json()["error"]["message"]
    assert message.startswith("We could not parse the JSON body of your request.")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"garbage"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Type: a/b\r\n\r\nno name\r\n--x--"),
    ],
)
def test_a_body_that_is_no_form_is_refused(api: Any, content_type: str, body: bytes) -> None:
    answer = api.post(
        "/v1/audio/transcriptions", content=body, headers={"content-type": content_type}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "Could not parse multipart form"


def test_a_missing_file_is_told_as_the_validator_does(api: Any) -> None:
    answer = api.post(
        "/v1/audio/transcriptions", data={"model": "whisper-1"}, files={"other": b"x"}
    )
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "message": "[{'type': 'missing', 'loc': ('body', 'file'), 'msg': 'Field required', "
        "'input': None}]",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


def test_what_nobody_foresaw_is_a_500_with_headers_and_without_a_traceback(
    open_api: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    api = open_api()

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr("soundalike.api.models._indented", broken)
    with caplog.at_level(logging.ERROR):
        answer = api.get("/v1/models")
    assert answer.status_code == 500
    error = answer.json()["error"]
    assert error["type"] == "server_error"
    assert answer.headers["x-request-id"] in error["message"]
    assert "secret" not in answer.text
    assert "ZeroDivisionError" in caplog.text


def test_an_upload_over_the_limit_is_413(api: Any) -> None:
    answer = api.post(
        "/v1/audio/transcriptions",
        data={"model": "whisper-1"},
        files={"file": ("a.wav", bytes(25 * 2**20))},
    )
    assert answer.status_code == 413
    size = answer.request.headers["content-length"]
    assert answer.json() == {
        "error": {
            "message": f"413: Maximum content size limit (26214400) exceeded ({size} bytes read)",
            "type": "server_error",
            "param": None,
            "code": None,
        },
        "usage": {"type": "duration", "seconds": 0},
    }


def test_an_engines_own_reason_is_not_told_in_a_stream(caplog: pytest.LogCaptureFixture) -> None:
    told = in_stream(ServerError("espeak-ng could not speak (a secret path)"))
    assert "secret" not in told.message
    assert "secret" in caplog.text
    refused = InvalidRequestError("Too long.")
    assert in_stream(refused) is refused


@pytest.mark.parametrize("path", ["/_soundalike/stubs", "/_soundalike", "/s/mine/v1/audio/speech"])
def test_what_a_fixture_has_says_how_to_get_one(open_api: Any, path: str) -> None:
    answer = open_api(fixture="off").post(path)
    assert answer.status_code == 404
    assert set(answer.json()["error"]) == ENVELOPE
    message = answer.json()["error"]["message"]
    assert message.startswith(f"Invalid URL (POST {path}). ")
    assert message.endswith("are there with --fixture on.")
    assert "\n" not in message


def test_who_looks_for_the_control_plane_is_told_where_its_routes_are(open_api: Any) -> None:
    api = open_api(fixture="on")
    for path in ("/_soundalike", "/_soundalike/", "/s/mine/_soundalike", "/_soundalike/nowhere"):
        answer = api.get(path)
        assert answer.status_code == 404
        message = answer.json()["error"]["message"]
        assert message.startswith("Invalid URL (GET /_soundalike"), message
        assert message.endswith("in /openapi.json, tagged Control, and in docs/control-plane.md.")
    unknown = api.post("/_soundaliker")
    assert unknown.json()["error"]["message"] == "Invalid URL (POST /_soundaliker)"


LONG = "a" * 20_000


@pytest.mark.parametrize(
    ("method", "path", "request_"),
    [
        ("GET", f"/v1/{LONG}", {}),
        ("PUT", f"/v1/models/{LONG}", {}),
        ("GET", f"/v1/models/{LONG}", {}),
        ("GET", f"/v1/audio/voices/{LONG}", {}),
        ("POST", "/v1/audio/speech", {"json": {"model": LONG, "voice": "alloy", "input": "a"}}),
        (
            *("POST", "/v1/audio/speech"),
            {"json": {"model": "gpt-4o-mini-tts", "voice": LONG, "input": "a"}},
        ),
        (
            *("POST", "/v1/audio/transcriptions"),
            {
                "data": {"model": "whisper-1", "language": LONG},
                "files": {"file": ("a.wav", b"RIFF", "audio/wav")},
            },
        ),
        (
            *("POST", "/v1/audio/transcriptions"),
            {
                "data": {"model": "gpt-transcribe"},
                "files": {"file": (f"a.{LONG[:2000]}", b"a", "audio/wav")},
            },
        ),
    ],
)
def test_long_texts_of_a_client_are_shortened_where_errors_repeat_them(
    api: Any, method: str, path: str, request_: dict[str, Any]
) -> None:
    answer = api.request(method, path, **request_)
    assert 400 <= answer.status_code < 500
    message = answer.json()["error"]["message"]
    assert f"{'a' * 100}…{'a' * 100}" in message
    assert len(message) < 700


def test_long_keys_and_names_are_shortened_and_others_repeated_as_they_are(open_api: Any) -> None:
    api = open_api(api_keys="sk-right")
    refused = api.get("/v1/models", headers={"authorization": f"Bearer sk-{LONG}wxyz"})
    message = refused.json()["error"]["message"]
    assert "provided: sk-aaaaa***" in message
    assert "***wxyz. You" in message
    assert len(message) < 500
    name = "b" * 256
    answer = api.get(f"/v1/models/{name}", headers={"authorization": "Bearer sk-right"})
    assert answer.json()["error"]["message"] == f"The model '{name}' does not exist"
