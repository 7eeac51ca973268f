"""The fault `status`: what the service says with each, and how a client is told to try again."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from soundalike.fixture.faults import fault

SPEECH = {"model": "tts-1", "voice": "alloy", "input": "Hello."}
KEY = "sk-proj-0123456789012345678901234567899900"


class Answer(dict[str, Any]):
    """An answer's JSON, with its raw text, status and headers."""

    def __init__(self, response: Any) -> None:
        super().__init__(json.loads(response.text))
        self.text: str = response.text
        self.status: int = response.status_code
        self.headers: dict[str, str] = dict(response.headers)


@pytest.fixture
def failed(open_api: Any) -> Any:
    """Speech that meets a status."""
    api = open_api(fixture="on")

    def fail(status: int, **options: Any) -> Answer:
        scope = api.app.state.scopes.get()
        scope.faults.add(fault("status", {"status": status, "times": 1, **options}))
        headers = {"authorization": f"Bearer {KEY}"}
        return Answer(api.post("/v1/audio/speech", json=SPEECH, headers=headers))

    return fail


@pytest.mark.parametrize(
    ("status", "type_", "code", "message"),
    [
        (400, "invalid_request_error", None, "We could not parse the JSON body of your request."),
        (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-proj-*"),
        (
            *(403, "invalid_request_error", "model_not_found"),
            "Project `proj_soundalike` does not have access to model `tts-1`",
        ),
        (
            *(404, "invalid_request_error", "model_not_found"),
            "The model `tts-1` does not exist or you do not have access to it.",
        ),
        (405, "invalid_request_error", None, "Not allowed to POST on /v1/audio/speech. (HINT:"),
        (409, "invalid_request_error", None, "Status 409."),
        (
            *(413, "server_error", None),
            "413: Maximum content size limit (26214400) exceeded (26214401 bytes read)",
        ),
        (429, "requests", "rate_limit_exceeded", "Rate limit reached for tts-1 in organization"),
        (500, "server_error", None, "The server had an error processing your request."),
        (502, "server_error", None, "Status 502."),
        (503, "server_error", None, "The engine is currently overloaded, please try again later."),
    ],
)
def test_the_body_is_the_services(
    failed: Any, status: int, type_: str, code: str | None, message: str
) -> None:
    answer = failed(status)
    assert answer.status == status
    error = answer["error"]
    assert (error["type"], error["code"], error["param"]) == (type_, code, None)
    assert error["message"].startswith(message)
    assert answer.headers["x-request-id"].startswith("req_")
    assert int(answer.headers["content-length"]) == len(answer.text.encode())


COMMON = {
    *("access-control-expose-headers", "content-length", "content-type", "date"),
    *("openai-processing-ms", "openai-version", "x-content-type-options", "x-request-id"),
}
ACCOUNT = {"openai-organization", "openai-project"}
QUOTA = {
    f"x-ratelimit-{figure}-{unit}"
    for figure in ("limit", "remaining", "reset")
    for unit in ("requests", "tokens")
}


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, ACCOUNT | QUOTA),
        (400, ACCOUNT | QUOTA),
        (401, set()),
        (403, ACCOUNT | QUOTA),
        (404, ACCOUNT | QUOTA),
        (405, set()),
        (413, ACCOUNT),
        (429, ACCOUNT),
        (500, ACCOUNT | QUOTA),
        (503, ACCOUNT | QUOTA),
    ],
)
def test_the_headers_are_those_of_a_real_answer(
    failed: Any, status: int, headers: set[str]
) -> None:
    """As the golden tables of `test_headers.py` have them, where a real one is refused so."""
    assert set(failed(status).headers) == COMMON | headers


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", "/v1/models/nope"), ("post", "/v1/audio/nope"), ("get", "/v1/models")],
)
def test_elsewhere_a_failure_has_no_account(open_api: Any, method: str, path: str) -> None:
    api: TestClient = open_api(fixture="on")
    answer = api.request(method, path, headers={"X-Soundalike-Fault": "status; status=404"})
    assert set(answer.headers) == COMMON


def test_what_fails_counts_as_one_that_does_not(open_api: Any) -> None:
    api: TestClient = open_api(fixture="on", rate_limit_requests=2)
    failing = {"X-Soundalike-Fault": "status; status=500"}
    left = [
        api.post("/v1/audio/speech", json=SPEECH, headers=headers).headers.get(
            "x-ratelimit-remaining-requests"
        )
        for headers in (failing, {}, failing)
    ]
    assert left == ["1", "0", None]


def test_a_failure_tells_the_account_to_no_key_that_is_not_good(open_api: Any) -> None:
    api: TestClient = open_api(fixture="on", api_keys="sk-one")
    answer = api.post(
        "/v1/audio/speech", json=SPEECH, headers={"X-Soundalike-Fault": "status; status=500"}
    )
    assert set(answer.headers) == COMMON


def test_the_name_of_no_scope_is_refused_with_the_headers_of_all_answers(open_api: Any) -> None:
    api: TestClient = open_api(fixture="on")
    answer = api.get("/s/not a name!/v1/models")
    assert answer.status_code == 400
    assert set(answer.headers) == COMMON


def test_a_wrong_key_is_plain_text_with_the_status(failed: Any) -> None:
    answer = failed(401)
    assert answer.headers["content-type"] == "text/plain"
    assert answer["status"] == 401
    assert KEY not in answer.text
    assert f"sk-proj-{'*' * (len(KEY) - 12)}9900" in answer.text
    assert answer.text.startswith('{\n  "error"')


def test_a_wrong_key_is_challenged_elsewhere(open_api: Any) -> None:
    api: TestClient = open_api(fixture="on")
    answer = api.get("/v1/models", headers={"X-Soundalike-Fault": "status; status=401"})
    assert answer.headers["www-authenticate"] == 'Bearer realm="OpenAI API"'
    assert "status" not in answer.json()


def test_what_is_too_large_is_not_billed(failed: Any) -> None:
    assert failed(413)["usage"] == {"type": "duration", "seconds": 0}


def test_a_failure_names_its_request(failed: Any) -> None:
    answer = failed(500)
    assert answer.headers["x-request-id"] in answer["error"]["message"]


@pytest.mark.parametrize("code", ["insufficient_quota", "credit_balance_exhausted"])
def test_a_quota_that_ran_out_has_words_of_its_own(failed: Any, code: str) -> None:
    error = failed(429, code=code)["error"]
    assert (error["type"], error["code"]) == ("insufficient_quota", code)
    assert error["message"].startswith("You ")


def test_hints_when_to_try_again(failed: Any) -> None:
    headers = failed(429, retry_after=1.5, retry_after_ms=20, should_retry=False).headers
    assert headers["retry-after"] == "1.5"
    assert headers["retry-after-ms"] == "20"
    assert headers["x-should-retry"] == "false"
    assert not {"retry-after", "retry-after-ms", "x-should-retry"} & set(failed(429).headers)


@pytest.mark.parametrize(
    ("hints", "wait"),
    [
        ({}, "20s"),
        ({"retry_after_ms": 5}, "5ms"),
        ({"retry_after": 90}, "1m30s"),
        ({"retry_after": 1.5, "retry_after_ms": 20}, "20ms"),
        ({"retry_after": 0}, "0s"),
    ],
)
def test_the_message_has_the_client_wait_as_long_as_the_headers(
    failed: Any, hints: dict[str, float], wait: str
) -> None:
    assert f" Please try again in {wait}. " in failed(429, **hints)["error"]["message"]


@pytest.mark.parametrize(
    ("path", "named"),
    [("/v1/models/tts-1", "tts-1"), ("/models/gpt-4o", "gpt-4o"), ("/v1/models", "requests")],
)
def test_a_rate_limit_names_the_model_of_the_path(open_api: Any, path: str, named: str) -> None:
    answer = open_api().get(path, headers={"X-Soundalike-Fault": "status; status=429"})
    assert answer.json()["error"]["message"].startswith(f"Rate limit reached for {named} in ")


def test_parts_of_an_error_can_be_chosen(failed: Any) -> None:
    error = failed(400, message="No.", type="odd", code="why")["error"]
    assert error == {"message": "No.", "type": "odd", "param": None, "code": "why"}


@pytest.mark.parametrize(
    ("status", "body", "type_"),
    [
        (502, "<html>Bad Gateway</html>", "text/plain; charset=utf-8"),
        (503, '{"detail": "none of ours"}', "application/json"),
        (200, "null", "application/json"),
        (204, "", None),
    ],
)
def test_a_body_of_ones_own(open_api: Any, status: int, body: str, type_: str | None) -> None:
    api: TestClient = open_api(fixture="on")
    api.app.state.scopes.get().faults.add(  # type: ignore[attr-defined]
        fault("status", {"status": status, "body": body})
    )
    answer = api.post("/v1/audio/speech", json=SPEECH)
    assert (answer.status_code, answer.text) == (status, body)
    if type_:
        assert answer.headers["content-type"] == type_


@pytest.mark.parametrize("kind", ["hang", "reset", "empty", "garbage", "stall", "truncate"])
def test_without_a_connection_a_fault_says_that_it_needs_one(open_api: Any, kind: str) -> None:
    api: TestClient = open_api(fixture="on")
    answer = api.get("/v1/models", headers={"X-Soundalike-Fault": kind})
    assert answer.status_code == 500
    assert "needs a connection" in answer.json()["error"]["message"]


def test_latency_and_drops_need_no_connection(open_api: Any) -> None:
    api: TestClient = open_api(fixture="on")
    usual = api.get("/v1/models").text
    for header in ("latency; seconds=0.01", "drip; size=999; seconds=0"):
        assert api.get("/v1/models", headers={"X-Soundalike-Fault": header}).text == usual
