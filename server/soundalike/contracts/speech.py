"""The rules of `/v1/audio/speech`: from a JSON body to a request that may be spoken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import cast

from soundalike.contracts.table import BUILT_IN_VOICES
from soundalike.contracts.terms import SPEECH_FORMATS, Refusal, SpeechContract, SpeechFormat
from soundalike.contracts.validator import (
    Fault,
    enum_fault,
    fault,
    number,
    number_fault,
    string_fault,
    validator_error,
)
from soundalike.errors import InvalidRequestError, shown
from soundalike.formats.usage import estimated_tokens

STREAM_FORMATS = ("sse", "audio")
MIN_SPEED, MAX_SPEED = 0.25, 4.0
MAX_INSTRUCTIONS = 4096

_TOO_MANY_TOKENS = Refusal(
    "Input of {tokens} tokens is over the maximum input limit of {limit} tokens. "
    "Please shorten your input.",
    code="invalid_value",
)
_UNKNOWN_VOICE = Refusal(
    "Invalid value: '{voice}'. Supported values are: {voices}.", "voice", "invalid_value"
)
_NO_EVENTS = Refusal(  # chosen: worded like the refusal of a response format
    "stream_format 'sse' is not compatible with model '{model}'. Use 'audio' instead.",
    "stream_format",
    "unsupported_value",
)


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A body that keeps its contract, with its defaults filled in. `events` asks for SSE."""

    input: str
    voice: str
    response_format: SpeechFormat
    speed: float
    instructions: str | None
    events: bool


def speech_request(
    contract: SpeechContract, model: str, body: Mapping[str, object], voices: Sequence[str] = ()
) -> SpeechRequest:
    """The request that a JSON body makes. Unknown fields are ignored; null is as good as absent
    where a field has a default.

    Args:
        voices: those beyond the contract's: what the engine speaks, and custom voices.

    Raises:
        ValidationError: every fault that the service's validator would see, at once.
        InvalidRequestError: what the model itself would refuse.
    """
    if faults := _faults(contract, body):
        raise validator_error(faults)
    events = body.get("stream_format") == "sse"
    if events and not contract.events:
        raise _NO_EVENTS.error(model=shown(model))
    text = cast("str", body["input"])
    tokens = estimated_tokens(text)
    if contract.max_tokens is not None and tokens > contract.max_tokens:
        raise _TOO_MANY_TOKENS.error(tokens=tokens, limit=contract.max_tokens)
    instructions = cast("str | None", body.get("instructions"))
    return SpeechRequest(
        input=text,
        voice=_voice(contract, body["voice"], voices),
        response_format=cast("SpeechFormat", body.get("response_format") or "mp3"),
        speed=number(body.get("speed")) or 1.0,
        instructions=instructions if contract.instructions else None,
        events=events,
    )


def bound_voice(name: str, digest: str, local: Sequence[str]) -> str:
    """The local voice that speaks for one which no engine has: its namesake, whatever the case, or
    else a built-in voice, always the same for the same digest.

    Args:
        digest: SHA-256 in hexadecimal digits.
        local: the voices that the engine has.
    """
    namesakes = {voice.casefold(): voice for voice in local}
    chosen = BUILT_IN_VOICES[int(digest, 16) % len(BUILT_IN_VOICES)]
    return namesakes.get(name.casefold(), chosen)


def unknown_voice(voice: str, voices: Sequence[str]) -> InvalidRequestError:
    """The refusal of a voice that is not among `voices`, naming those that are."""
    quoted = [f"'{name}'" for name in voices]
    if len(quoted) > 1:
        quoted[-1] = f"and {quoted[-1]}"
    return _UNKNOWN_VOICE.error(voice=shown(voice), voices=", ".join(quoted))


def _faults(contract: SpeechContract, body: Mapping[str, object]) -> list[Fault]:
    found: list[Fault | None] = []
    if "input" in body:
        longest = contract.max_characters
        found.append(string_fault("input", body["input"], longest, empty=contract.lenient))
    else:
        found.append(_missing("input"))
    found.append(_voice_fault(contract, body["voice"]) if "voice" in body else _missing("voice"))
    if (instructions := body.get("instructions")) is not None:
        found.append(string_fault("instructions", instructions, MAX_INSTRUCTIONS))
    if (speed := body.get("speed")) is not None:
        found.append(number_fault("speed", speed, MIN_SPEED, MAX_SPEED))
    for field, choices in (("response_format", SPEECH_FORMATS), ("stream_format", STREAM_FORMATS)):
        if (value := body.get(field)) is not None and value not in choices:
            found.append(enum_fault(field, choices))
    return [one for one in found if one is not None]


def _missing(field: str) -> Fault:
    return fault("missing", field, "Field required")


def _voice_fault(contract: SpeechContract, voice: object) -> Fault | None:
    if contract.voices_checked_early and contract.voices is not None:
        known = isinstance(voice, str) and voice in contract.voices
        return None if known else enum_fault("voice", contract.voices)
    if isinstance(voice, Mapping) and contract.custom_voices:
        if "id" not in voice:
            return {"type": "missing", "loc": ("body", "voice", "id"), "msg": "Field required"}
        voice = voice["id"]
    if isinstance(voice, str):
        return None
    return fault("string_type", "voice", "Input should be a valid string")


def _voice(contract: SpeechContract, voice: object, others: Sequence[str]) -> str:
    """The voice's name. A plain name must be the contract's own, if it has any; an id may also
    be one of the `others`."""
    named = contract.voices if contract.voices is not None else tuple(others)
    if isinstance(voice, Mapping):
        name = str(voice["id"])
        if name in others or name in named:
            return name
    else:
        name = str(voice)
        if name in named:
            return name
    if contract.lenient:
        return bound_voice(name, sha256(name.encode(errors="replace")).hexdigest(), others)
    raise unknown_voice(name, named)
