"""Rate limits: off by default, when the headers show what the live service was seen to show."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from soundalike.errors import RateLimitError, shown
from soundalike.observation import note_model

OBSERVED_LIMIT = 5000
OBSERVED_TOKEN_LIMIT = 2_000_000
MINUTE = 60.0
MAX_KEYS = 10_000
"""Keys that are remembered; a client that invents one a request must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a key may still ask for, after this request. `reset` is in seconds."""

    limit: int
    remaining: int
    reset: float


class RateLimiter:
    """Requests per key and minute, refilled evenly, as the live service counts them.

    Args:
        limit: requests a minute, or None for as many as one likes.
        clock: seconds, from any start.
    """

    def __init__(self, limit: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._full_at: dict[str, float] = {}

    def take(self, key: str, model: str) -> Quota:
        """Count one request.

        Raises:
            RateLimitError: the key has none left.
        """
        if self._limit is None:
            return Quota(OBSERVED_LIMIT, OBSERVED_LIMIT - 1, MINUTE / OBSERVED_LIMIT)
        now = self._clock()
        pace = MINUTE / self._limit
        owed = max(self._full_at.pop(key, now), now) - now
        if owed + pace > MINUTE + 1e-6:
            self._full_at[key] = now + owed
            raise _refusal(self._limit, model, wait=owed + pace - MINUTE)
        self._full_at[key] = now + owed + pace
        if len(self._full_at) > MAX_KEYS:
            del self._full_at[next(iter(self._full_at))]
        remaining = math.floor((MINUTE - owed - pace) / pace + 1e-6)
        return Quota(self._limit, remaining, owed + pace)


def _refusal(limit: int, model: str, wait: float) -> RateLimitError:
    return RateLimitError(
        f"Rate limit reached for {shown(model)} in organization org-soundalike on requests per "
        f"min (RPM): Limit {limit}, Used {limit}, Requested 1. "
        f"Please try again in {go_duration(wait)}. "
        "Visit https://platform.openai.com/account/rate-limits to learn more.",
        retry_after=wait,
    )


def charge(
    request: Request, limiter: RateLimiter, model: str, characters: int | None = None
) -> None:
    """Count a request, and have its answer say what is left.

    Args:
        characters: of the input, where tokens are counted too.

    Raises:
        RateLimitError: its key has no request left.
    """
    note_model(model)
    headers = quota_headers(limiter.take(request.state.key, model))
    if characters is not None:
        headers |= token_headers(characters)
    request.state.quota = headers


def quota_headers(quota: Quota) -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": str(quota.limit),
        "x-ratelimit-remaining-requests": str(quota.remaining),
        "x-ratelimit-reset-requests": go_duration(quota.reset),
    }


def token_headers(characters: int) -> dict[str, str]:
    """Speech is also counted in tokens: about one for four characters of input."""
    tokens = math.ceil(characters / 4)
    return {
        "x-ratelimit-limit-tokens": str(OBSERVED_TOKEN_LIMIT),
        "x-ratelimit-remaining-tokens": str(OBSERVED_TOKEN_LIMIT - tokens),
        "x-ratelimit-reset-tokens": go_duration(
            math.floor(tokens / OBSERVED_TOKEN_LIMIT * MINUTE * 1000) / 1000
        ),
    }


def go_duration(seconds: float) -> str:
    """A duration as Go prints it, to the millisecond: `12ms`, `1.2s`, `6m0s` (time.Duration)."""
    milliseconds = round(seconds * 1000)
    if milliseconds == 0:
        return "0s"
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
