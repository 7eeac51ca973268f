"""`chunking_strategy`: `auto`, or the three numbers of a voice activity detector.

The SDKs write the object in two ways: as bracketed fields (`chunking_strategy[threshold]`), and
as one field of JSON.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from soundalike.contracts.terms import Refusal
from soundalike.contracts.validator import number


@dataclass(frozen=True, slots=True)
class ServerVad:
    """Where audio is cut into chunks; the defaults are the specification's.

    Attributes:
        threshold: of speech probability, 0 to 1.
        prefix_padding_ms: audio kept ahead of speech, in milliseconds.
        silence_duration_ms: silence that ends a chunk, in milliseconds.
    """

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 200


Chunking = Literal["auto"] | ServerVad

_FIELD = "chunking_strategy"
_LONGEST_MS = 60_000
_LONGEST = 4096
"""Characters of JSON that are parsed, many times what a strategy takes."""
_REFUSED = Refusal(  # chosen: the service's wording is not recorded
    "Invalid value for 'chunking_strategy': expected 'auto' or a 'server_vad' object.",
    _FIELD,
    "invalid_value",
)


def chunking_strategy(form: Mapping[str, Sequence[str]]) -> Chunking | None:
    """The strategy that a form asks for, if any; the last one where it was sent more than once.

    Raises:
        InvalidRequestError: it is neither `auto` nor a `server_vad` with numbers in their range.
    """
    plain = next(reversed(form.get(_FIELD, ())), "")
    if plain == "auto":
        return "auto"
    if plain:
        return _server_vad(_json_object(plain))
    prefix = f"{_FIELD}["
    parts: dict[str, object] = {
        name.removeprefix(prefix).removesuffix("]"): values[-1]
        for name, values in form.items()
        if name.startswith(prefix) and values
    }
    return _server_vad(parts) if parts else None


def _json_object(text: str) -> Mapping[str, object]:
    try:
        value = json.loads(text) if len(text) <= _LONGEST else None
    except (ValueError, RecursionError):  # the latter from brackets in thousands
        value = None
    if not isinstance(value, dict):
        raise _REFUSED.error()
    return value


def _server_vad(parts: Mapping[str, object]) -> Chunking:
    """Fields beyond the three are ignored, as everywhere."""
    if parts.get("type") == "auto":
        return "auto"
    if parts.get("type") != "server_vad":
        raise _REFUSED.error()
    usual = ServerVad()
    return ServerVad(
        threshold=_between(parts.get("threshold"), usual.threshold, 1.0),
        prefix_padding_ms=round(
            _between(parts.get("prefix_padding_ms"), usual.prefix_padding_ms, _LONGEST_MS)
        ),
        silence_duration_ms=round(
            _between(parts.get("silence_duration_ms"), usual.silence_duration_ms, _LONGEST_MS)
        ),
    )


def _between(value: object, usual: float, most: float) -> float:
    parsed = usual if value is None else number(value)
    if parsed is None or not 0 <= parsed <= most:
        raise _REFUSED.error()
    return parsed
