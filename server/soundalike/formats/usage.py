"""What a request cost, in the two currencies of the live service: seconds, or tokens.

The local engines have tokenizers of their own, so token counts are close to, not equal to, those
that the service would bill. Each rule is stated with its function.
"""

import math
from typing import Literal

from soundalike.formats.jsontext import Json
from soundalike.transcript import Segment, Transcript

UsageKind = Literal["duration", "tokens"]

_AUDIO_TOKENS_PER_SECOND = 10
_SPEECH_TOKENS_PER_SECOND = 20
_FRAMING_TOKENS = 2
_FIRST_SPECIAL_TOKEN = 50257
_FIRST_WIDE_CHARACTER = "\u2e80"

_BYTES_PER_SECOND = {
    "pcm": 48_000,
    "wav": 48_000,
    "mp3": 16_000,
    "opus": 7_000,
    "aac": 8_375,
    "flac": 24_000,
}


def estimated_tokens(text: str) -> int:
    """About how many tokens a text is, rounded up: a quarter of one for each character, two thirds
    for those from U+2E80 up (CJK, kana, Hangul, emoji), which OpenAI's vocabularies split finer.
    """
    wide = sum(character >= _FIRST_WIDE_CHARACTER for character in text)
    return math.ceil((3 * (len(text) - wide) + 8 * wide) / 12)


def duration_usage(seconds: float) -> Json:
    """Billed by time: whole seconds, the last one begun counted."""
    return {"type": "duration", "seconds": math.ceil(seconds)}


def token_usage(transcript: Transcript, prompt: str | None = None) -> Json:
    """Billed by tokens. Observed: audio tokens are ten a second, rounded down; output tokens are
    those of the text and two more. The prompt's tokens are `estimated_tokens`."""
    audio = math.floor(_AUDIO_TOKENS_PER_SECOND * transcript.duration + 1e-6)
    text = estimated_tokens(prompt or "")
    output = sum(map(_text_tokens, transcript.segments)) + _FRAMING_TOKENS
    return {
        "type": "tokens",
        "total_tokens": text + audio + output,
        "input_tokens": text + audio,
        "input_token_details": {"text_tokens": text, "audio_tokens": audio},
        "output_tokens": output,
    }


def speech_usage(text: str, instructions: str | None, seconds: float) -> Json:
    """Of `speech.audio.done`: what was read, by `estimated_tokens`, and one token for each
    begun 50 ms of speech."""
    spent = estimated_tokens(text) + estimated_tokens(instructions or "")
    made = math.ceil(_SPEECH_TOKENS_PER_SECOND * seconds - 1e-6)
    return {"input_tokens": spent, "output_tokens": made, "total_tokens": spent + made}


def encoded_seconds(audio_format: str, size: int) -> float:
    """How long `size` bytes of encoded speech last, by the format's usual bytes per second.

    Exact for pcm, wav (but for its header) and mp3, an estimate for opus, aac and flac.
    """
    return size / _BYTES_PER_SECOND[audio_format]


def _text_tokens(segment: Segment) -> int:
    """Tokens that are text: the engine's log probabilities name each; Whisper's special and
    timestamp tokens begin at 50257. An engine that reports neither is estimated."""
    if segment.logprobs:
        return len(segment.logprobs)
    if segment.tokens:
        return sum(token < _FIRST_SPECIAL_TOKEN for token in segment.tokens)
    return estimated_tokens(segment.text.strip())
