"""Schemas of what clients send."""

from typing import Any

from soundalike.contracts.speakers import MAX_SPEAKERS
from soundalike.contracts.speech import MAX_INSTRUCTIONS, MAX_SPEED, MIN_SPEED, STREAM_FORMATS
from soundalike.contracts.table import GPT_4O_MINI_TTS, PUBLIC_MODELS
from soundalike.contracts.terms import SPEECH_FORMATS, SpeechContract, TranscriptionContract
from soundalike.contracts.transcription import FORMATS, GRANULARITIES

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def text(description: str, **rules: Any) -> Schema:
    return {"type": "string", "description": description, **rules}


def several(items: Schema, description: str, **rules: Any) -> Schema:
    return {"type": "array", "items": items, "description": description, **rules}


def body(properties: Schema, *required: str) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def _model(description: str, kind: type[SpeechContract | TranscriptionContract]) -> Schema:
    """OpenAI's ids are listed; any string may be a local model's."""
    public = [id_ for id_, model in PUBLIC_MODELS.items() if isinstance(model.contract, kind)]
    return {"anyOf": [text(description), {"type": "string", "enum": public}]}


_FILE = text("The audio: flac, mp3, mp4, mpeg, mpga, m4a, ogg, oga, wav or webm.", format="binary")
_TEMPERATURE = {
    "type": "number",
    "minimum": 0,
    "maximum": 1,
    "default": 0,
    "description": "Sampling temperature. At 0, decoding falls back to higher ones where it fails.",
}

REQUESTS: Schema = {
    "CreateSpeechRequest": body(
        {
            "model": _model("A speech model.", SpeechContract),
            "input": text("The text to speak.", minLength=1, maxLength=4096),
            "voice": {
                "description": "A voice by its name, or a custom voice by its id.",
                "anyOf": [
                    text("A built-in voice.", examples=list(GPT_4O_MINI_TTS.voices or ())),
                    body({"id": text("A custom voice.", examples=["voice_1234"])}, "id"),
                ],
            },
            "instructions": text(
                "How to speak; words for pace and pitch are heeded.", maxLength=MAX_INSTRUCTIONS
            ),
            "response_format": text("Of the audio.", enum=list(SPEECH_FORMATS), default="mp3"),
            "speed": {
                "type": "number",
                "minimum": MIN_SPEED,
                "maximum": MAX_SPEED,
                "default": 1,
                "description": "Divides the duration.",
            },
            "stream_format": text(
                "Bytes, or events (not with tts-1 and tts-1-hd).",
                enum=list(STREAM_FORMATS),
                default="audio",
            ),
        },
        "model",
        "input",
        "voice",
    ),
    "CreateTranscriptionRequest": body(
        {
            "file": _FILE,
            "model": _model("A transcription model.", TranscriptionContract),
            "language": text("What is spoken, as ISO 639-1; detected where it is not given."),
            "languages": several(
                {"type": "string"}, "What may be spoken, for models that take it.", minItems=1
            ),
            "keywords": several({"type": "string"}, "Spellings, for models that take them."),
            "prompt": text("Text that came before, or whose spelling is to be followed."),
            "response_format": text(
                "Of the answer.", enum=list(FORMATS["transcriptions"]), default="json"
            ),
            "temperature": _TEMPERATURE,
            "include": several(
                {"type": "string", "enum": ["logprobs"]}, "What to add to a json answer."
            ),
            "timestamp_granularities": several(
                {"type": "string", "enum": list(GRANULARITIES)},
                "What verbose_json lists.",
                default=["segment"],
            ),
            "stream": {
                "type": ["boolean", "null"],
                "default": False,
                "description": "Answer with events; whisper-1 ignores it.",
            },
            "chunking_strategy": {
                "description": "Where to cut the audio.",
                "anyOf": [{"const": "auto"}, ref("VadConfig"), {"type": "null"}],
            },
            "known_speaker_names": several(
                {"type": "string"}, "Names of speakers.", maxItems=MAX_SPEAKERS
            ),
            "known_speaker_references": several(
                {"type": "string"}, "Their voices, as data URLs.", maxItems=MAX_SPEAKERS
            ),
        },
        "file",
        "model",
    ),
    "VadConfig": body(
        {
            "type": {"const": "server_vad"},
            "threshold": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5},
            "prefix_padding_ms": {"type": "integer", "minimum": 0, "default": 300},
            "silence_duration_ms": {"type": "integer", "minimum": 0, "default": 200},
        },
        "type",
    ),
    "CreateTranslationRequest": body(
        {
            "file": _FILE,
            "model": {
                "anyOf": [text("A translation model, or a local one."), {"const": "whisper-1"}]
            },
            "prompt": text("English text whose spelling is to be followed."),
            "response_format": text(
                "Of the answer.", enum=list(FORMATS["translations"]), default="json"
            ),
            "temperature": _TEMPERATURE,
        },
        "file",
        "model",
    ),
    "CreateVoiceConsentRequest": body(
        {
            "name": text("What to call the consent.", minLength=1),
            "recording": text("The consent, spoken; at most 10 MiB.", format="binary"),
            "language": text("In which it is spoken, as BCP 47.", minLength=1),
        },
        "name",
        "recording",
        "language",
    ),
    "UpdateVoiceConsentRequest": body({"name": text("Its new name.")}, "name"),
    "CreateVoiceRequest": body(
        {
            "name": text("What to call the voice.", minLength=1),
            "audio_sample": text("A sample of it; at most 10 MiB.", format="binary"),
            "consent": text("The id of a consent.", examples=["cons_1234"]),
        },
        "name",
        "audio_sample",
        "consent",
    ),
}
