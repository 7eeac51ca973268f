"""Rate limits: the observed headers by default, real ones with --rate-limit-requests."""

from typing import Any

import pytest

from soundalike.api.limits import MAX_KEYS, Quota, RateLimiter, go_duration
from soundalike.errors import RateLimitError

SPEECH = {"model": "tts-1", "voice": "alloy", "input": "x" * 64}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.012, "12ms"), (1.2, "1.2s"), (20, "20s"), (60, "1m0s"), (3661.5, "1h1m1.5s")],
)
def test_durations_are_printed_as_go_prints_them(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


def test_a_key_has_its_limit_and_gets_it_back_evenly() -> None:
    now = [0.0]
    limiter = RateLimiter(3, clock=lambda: now[0])
    assert [limiter.take("a", "tts-1") for _ in range(3)] == [
        Quota(3, 2, 20.0),
        Quota(3, 1, 40.0),
        Quota(3, 0, 60.0),
    ]
    with pytest.raises(RateLimitError) as refused:
        limiter.take("a", "tts-1")
    assert refused.value.retry_after == 20
    assert refused.value.message.startswith(
        "Rate limit reached for tts-1 in organization org-soundalike on requests per min (RPM): "
        "Limit 3, Used 3, Requested 1. Please try again in 20s."
    )
    assert limiter.take("b", "tts-1").remaining == 2
    now[0] = 20.0
    assert limiter.take("a", "tts-1").remaining == 0
    now[0] = 600.0
    assert limiter.take("a", "tts-1").remaining == 2


def test_the_memory_of_keys_is_bounded() -> None:
    limiter = RateLimiter(10)
    for number in range(MAX_KEYS + 50):
        limiter.take(str(number), "tts-1")
    assert len(limiter._full_at) == MAX_KEYS


def test_by_default_the_headers_are_those_observed(api: Any) -> None:
    spoken = api.post("/v1/audio/speech", json=SPEECH)
    assert {name: value for name, value in spoken.headers.items() if "ratelimit" in name} == {
        "x-ratelimit-limit-requests": "5000",
        "x-ratelimit-remaining-requests": "4999",
        "x-ratelimit-reset-requests": "12ms",
        "x-ratelimit-limit-tokens": "2000000",
        "x-ratelimit-remaining-tokens": "1999984",
        "x-ratelimit-reset-tokens": "0s",
    }
    refused = api.post("/v1/audio/transcriptions", data={"model": "whisper-1"}, files={"x": b""})
    assert refused.status_code == 400
    assert refused.headers["x-ratelimit-limit-requests"] == "5000"
    assert "x-ratelimit-limit-tokens" not in refused.headers
    assert not any("ratelimit" in name for name in api.get("/v1/models").headers)


def test_a_limit_is_counted_in_the_headers_and_then_refused(open_api: Any) -> None:
    api = open_api(rate_limit_requests=2)
    remaining = [
        api.post("/v1/audio/speech", json=SPEECH).headers["x-ratelimit-remaining-requests"]
        for _ in range(2)
    ]
    assert remaining == ["1", "0"]
    refused = api.post("/v1/audio/speech", json=SPEECH)
    assert refused.status_code == 429
    error = refused.json()["error"]
    assert (error["type"], error["param"], error["code"]) == (
        "requests",
        None,
        "rate_limit_exceeded",
    )
    assert int(refused.headers["retry-after"]) == 30
    other = api.post("/v1/audio/speech", json=SPEECH, headers={"authorization": "Bearer sk-2"})
    assert other.status_code == 200
