"""What a recording must not hold."""

import base64

import pytest
from starlette.datastructures import Headers

from soundalike.fixture.recordings.redaction import Secrets, kept_headers

KEY = "key-that-nobody-may-see-0123456789"


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": "Basic " + base64.b64encode(f":{KEY}".encode()).decode()},
        {"api-key": KEY},
        {"openai-organization": KEY},
        {"openai-project": KEY},
        {"cookie": f"a=b; session={KEY}"},
    ],
)
def test_secrets_of_a_request_are_found_in_texts_and_bytes(headers: dict[str, str]) -> None:
    secrets = Secrets(Headers(headers))
    assert secrets.text(f"Incorrect: {KEY}.") == "Incorrect: ***."
    assert secrets.data(f"({KEY})".encode()) == b"(" + b"*" * len(KEY) + b")"
    assert secrets.fields({"a": {"b": [f"x{KEY}"]}}) == {"a": {"b": ["x***"]}}


def test_the_key_for_the_upstream_is_a_secret_too() -> None:
    assert Secrets(Headers({}), KEY).text(KEY) == "***"


def test_a_short_key_is_not_looked_for_in_transcripts() -> None:
    secrets = Secrets(Headers({"authorization": "Bearer test"}))
    assert secrets.text("This is a test.") == "This is a test."


def test_fields_that_are_named_as_secrets_are_hidden_whatever_they_hold() -> None:
    fields = {"api_key": "short", "api-key": "s", "model": "whisper-1", "token": None}
    assert Secrets(Headers({})).fields(fields) == {
        "api_key": "***",
        "api-key": "***",
        "model": "whisper-1",
        "token": None,
    }


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop_0123",
        "org-abcdefghijklmnopqrstuvwx",
        "proj_abcdefghijklmnopqrstuvwx",
    ],
)
def test_what_looks_like_a_key_or_an_account_is_hidden(secret: str) -> None:
    assert Secrets(Headers({})).text(f"in {secret} on") == "in *** on"
    assert Secrets(Headers({})).data(f"in {secret}".encode()) == b"in " + b"*" * len(secret)


def test_headers_that_matter_are_kept_and_the_account_is_replaced() -> None:
    sent = [
        ("Content-Type", "audio/mpeg"),
        ("X-Request-ID", "req_1"),
        ("OpenAI-Organization", "org-of-somebody"),
        ("openai-processing-ms", "12"),
        ("x-ratelimit-remaining-requests", "9"),
        ("Retry-After", "1"),
        ("Set-Cookie", "__cf_bm=secret"),
        ("Transfer-Encoding", "chunked"),
        ("Alt-Svc", 'h3=":443"'),
        ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ]
    assert kept_headers(sent) == {
        "content-type": "audio/mpeg",
        "x-request-id": "req_1",
        "openai-organization": "org-soundalike",
        "openai-processing-ms": "12",
        "x-ratelimit-remaining-requests": "9",
        "retry-after": "1",
    }
