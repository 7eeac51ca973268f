"""The JSON formats: json, verbose_json and diarized_json, keys in the order of the live service."""

import unicodedata
from dataclasses import dataclass
from typing import Literal

from soundalike.formats.jsontext import Json, compact, single
from soundalike.formats.logprobs import logprob_entries, without_leading_space
from soundalike.formats.usage import UsageKind, duration_usage, token_usage
from soundalike.languages import language_name
from soundalike.transcript import Segment, TokenLogprob, Transcript, Word

Granularity = Literal["word", "segment"]

_PART_OF_WORD = frozenset("#%&@*/")
"""Punctuation by Unicode's reckoning that a reader would miss: 50%, #1."""


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """What a contract and a request say of an answer's shape.

    Attributes:
        usage: the currency that the model is billed in.
        granularities: what verbose_json lists; nothing means segments.
        logprobs: json lists the tokens with their log probabilities.
        languages: json lists the languages that were heard.
        prompt: the request's prompt, whose tokens are billed.
    """

    usage: UsageKind = "duration"
    granularities: frozenset[Granularity] = frozenset()
    logprobs: bool = False
    languages: bool = False
    prompt: str | None = None


def json_body(transcript: Transcript, options: RenderOptions) -> str:
    """A translation has no `usage`; a silent file has no `logprobs`, even if asked for."""
    body: dict[str, Json] = {"text": transcript.text}
    if options.languages:
        body["languages"] = heard_languages(transcript)
    if options.logprobs and (tokens := spoken_tokens(transcript)):
        body["logprobs"] = logprob_entries(tokens)
    if transcript.task == "transcribe":
        body["usage"] = _usage(transcript, options)
    return compact(body)


def verbose_body(transcript: Transcript, options: RenderOptions) -> str:
    """Segments unless only words were asked for; both where both were. A translation has no
    `usage`, and its language is the one that it is in."""
    translated = transcript.task == "translate"
    body: dict[str, Json] = {
        "task": transcript.task,
        "language": "english" if translated else language_name(transcript.language),
        "duration": single(transcript.duration),
        "text": transcript.text,
    }
    if options.granularities != {"word"}:
        body["segments"] = [_verbose_segment(segment) for segment in transcript.segments]
    if "word" in options.granularities:
        body["words"] = [
            {"word": bare, "start": single(word.start), "end": single(word.end)}
            for segment in transcript.segments
            for word in segment.words or ()
            if (bare := _bare_word(word))
        ]
    if not translated:
        body["usage"] = duration_usage(transcript.duration)
    return compact(body, repr)


def diarized_body(transcript: Transcript, options: RenderOptions) -> str:
    return compact(
        {
            "text": transcript.text,
            "task": "transcribe",
            "duration": float(transcript.duration),
            "segments": [speaker_segment(segment) for segment in transcript.segments],
            "usage": _usage(transcript, options),
        }
    )


def speaker_segment(segment: Segment) -> Json:
    """One turn of a speaker, in diarized_json and as an event. Who was not told apart is `A`."""
    return {
        "type": "transcript.text.segment",
        "text": segment.text,
        "speaker": segment.speaker or "A",
        "start": float(segment.start),
        "end": float(segment.end),
        "id": f"seg_{segment.id}",
    }


def heard_languages(transcript: Transcript) -> Json:
    """Empty for audio without speech."""
    if transcript.language is None or not transcript.text:
        return []
    return [{"code": transcript.language}]


def spoken_tokens(transcript: Transcript) -> tuple[TokenLogprob, ...]:
    """The tokens of `transcript.text`, in order; none unless log probabilities were asked for."""
    tokens = [token for segment in transcript.segments for token in segment.logprobs or ()]
    return without_leading_space(tokens)


def _usage(transcript: Transcript, options: RenderOptions) -> Json:
    if options.usage == "tokens":
        return token_usage(transcript, options.prompt)
    return duration_usage(transcript.duration)


def _verbose_segment(segment: Segment) -> Json:
    return {
        "id": segment.id,
        "seek": segment.seek,
        "start": single(segment.start),
        "end": single(segment.end),
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": single(segment.temperature),
        "avg_logprob": single(segment.avg_logprob),
        "compression_ratio": single(segment.compression_ratio),
        "no_speech_prob": single(segment.no_speech_prob),
    }


def _bare_word(word: Word) -> str:
    """The word without the spaces and the punctuation around it; empty if there is no more."""
    letters = word.word
    start, end = 0, len(letters)
    while start < end and _is_around(letters[start]):
        start += 1
    while start < end and _is_around(letters[end - 1]):
        end -= 1
    return letters[start:end]


def _is_around(character: str) -> bool:
    if character.isspace():
        return True
    return unicodedata.category(character).startswith("P") and character not in _PART_OF_WORD
