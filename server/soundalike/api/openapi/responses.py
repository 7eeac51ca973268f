"""Schemas of what the server answers."""

from typing import Any

from soundalike.api.openapi.requests import Schema, body, ref, several, text

_NUMBER: Schema = {"type": "number"}
_INTEGER: Schema = {"type": "integer"}
_STRING: Schema = {"type": "string"}
_LOGPROBS = several(
    body({"token": text("As text."), "logprob": _NUMBER, "bytes": {"type": "array"}}),
    "The tokens with the natural logs of their probabilities.",
)
_LANGUAGES = several(body({"code": text("ISO 639-1.")}, "code"), "What was spoken.")
_USAGE = {"oneOf": [ref("TranscriptTextUsageTokens"), ref("TranscriptTextUsageDuration")]}
_SPEAKER_SEGMENT: Schema = {
    "type": {"const": "transcript.text.segment"},
    "id": text("Of the segment."),
    "start": _NUMBER,
    "end": _NUMBER,
    "text": text("What was said."),
    "speaker": text("Who said it."),
}
_SEGMENT: Schema = {
    **dict.fromkeys(("id", "seek"), _INTEGER),
    **dict.fromkeys(("start", "end"), _NUMBER),
    "text": text("With its leading space."),
    "tokens": several(_INTEGER, "Whisper's, time stamps included."),
    **dict.fromkeys(("temperature", "avg_logprob", "compression_ratio", "no_speech_prob"), _NUMBER),
}


def _resource(kind: str, /, **properties: Schema) -> Schema:
    fields = {"object": {"const": kind}, "id": {"type": "string"}} | properties
    return body(fields, *fields)


def _page(item: str) -> Schema:
    cursor = {"type": ["string", "null"]}
    return body(
        {
            "object": {"const": "list"},
            "data": several(ref(item), "The newest first."),
            "first_id": cursor,
            "last_id": cursor,
            "has_more": {"type": "boolean"},
        },
        *("object", "data", "has_more"),
    )


def _verbose(**more: Schema) -> Schema:
    return body(
        {
            "task": text("`transcribe` or `translate`."),
            "language": text("Spelled out."),
            "duration": _NUMBER,
            "text": text("All of it."),
            "segments": several(body(_SEGMENT, *_SEGMENT), "In order."),
            **more,
        },
        *("language", "duration", "text"),
    )


_WORD: dict[str, Any] = {"word": {"type": "string"}, "start": _NUMBER, "end": _NUMBER}

RESPONSES: Schema = {
    "ErrorResponse": body({"error": ref("Error")}, "error"),
    "Error": body(
        {
            "message": {"type": "string"},
            "type": {"type": "string"},
            "param": {"type": ["string", "null"]},
            "code": {"type": ["string", "null"]},
        },
        *("message", "type", "param", "code"),
    ),
    "CreateTranscriptionResponseJson": body(
        {
            "text": text("All of it."),
            "languages": _LANGUAGES,
            "logprobs": _LOGPROBS,
            "usage": _USAGE,
        },
        "text",
    ),
    "CreateTranscriptionResponseVerboseJson": _verbose(
        words=several(body(_WORD, *_WORD), "In order."), usage=ref("TranscriptTextUsageDuration")
    ),
    "CreateTranscriptionResponseDiarizedJson": body(
        {
            "task": {"const": "transcribe"},
            "duration": _NUMBER,
            "text": text("All of it."),
            "segments": several(body(_SPEAKER_SEGMENT, *_SPEAKER_SEGMENT), "In order."),
            "usage": _USAGE,
        },
        *("task", "duration", "text", "segments"),
    ),
    "TranscriptTextUsageTokens": body(
        {
            "type": {"const": "tokens"},
            **dict.fromkeys(("input_tokens", "output_tokens", "total_tokens"), _INTEGER),
            "input_token_details": body(dict.fromkeys(("text_tokens", "audio_tokens"), _INTEGER)),
        },
        *("type", "input_tokens", "output_tokens", "total_tokens"),
    ),
    "TranscriptTextUsageDuration": body(
        {"type": {"const": "duration"}, "seconds": _NUMBER}, "type", "seconds"
    ),
    "TranscriptTextDeltaEvent": body(
        {
            "type": {"const": "transcript.text.delta"},
            "delta": text("What came."),
            "logprobs": _LOGPROBS,
        },
        *("type", "delta"),
    ),
    "TranscriptTextSegmentEvent": body(_SPEAKER_SEGMENT, *_SPEAKER_SEGMENT),
    "TranscriptTextDoneEvent": body(
        {
            "type": {"const": "transcript.text.done"},
            "text": text("All of it."),
            "languages": _LANGUAGES,
            "logprobs": _LOGPROBS,
            "usage": ref("TranscriptTextUsageTokens"),
        },
        *("type", "text"),
    ),
    "CreateTranscriptionResponseStreamEvent": {
        "anyOf": [
            ref("TranscriptTextSegmentEvent"),
            ref("TranscriptTextDeltaEvent"),
            ref("TranscriptTextDoneEvent"),
        ]
    },
    "SpeechAudioDeltaEvent": body(
        {"type": {"const": "speech.audio.delta"}, "audio": text("4096 bytes, as Base64.")},
        *("type", "audio"),
    ),
    "SpeechAudioDoneEvent": body(
        {
            "type": {"const": "speech.audio.done"},
            "usage": body(
                dict.fromkeys(("input_tokens", "output_tokens", "total_tokens"), _INTEGER),
                *("input_tokens", "output_tokens", "total_tokens"),
            ),
        },
        *("type", "usage"),
    ),
    "CreateSpeechResponseStreamEvent": {
        "anyOf": [ref("SpeechAudioDeltaEvent"), ref("SpeechAudioDoneEvent")]
    },
    "CreateTranslationResponseJson": body({"text": text("In English.")}, "text"),
    "CreateTranslationResponseVerboseJson": _verbose(),
    "VoiceConsentResource": _resource(
        "audio.voice_consent",
        name={"type": "string"},
        language={"type": "string"},
        created_at=_INTEGER,
    ),
    "VoiceConsentListResource": _page("VoiceConsentResource"),
    "VoiceConsentDeletedResource": _resource("audio.voice_consent", deleted={"type": "boolean"}),
    "VoiceResource": _resource("audio.voice", name={"type": "string"}, created_at=_INTEGER),
    "VoiceListResource": _page("VoiceResource"),
    "VoiceDeletedResource": _resource("audio.voice.deleted", deleted={"type": "boolean"}),
    "Model": body(
        {
            "id": {"type": "string"},
            "object": {"const": "model"},
            "created": _INTEGER,
            "owned_by": {"type": "string"},
        },
        *("id", "object", "created", "owned_by"),
    ),
    "ListModelsResponse": body(
        {"object": {"const": "list"}, "data": several(ref("Model"), "All of them.")},
        *("object", "data"),
    ),
    "DeleteModelResponse": body(
        {"id": {"type": "string"}, "object": {"type": "string"}, "deleted": {"type": "boolean"}},
        *("id", "object", "deleted"),
    ),
    "Health": body({"status": {"const": "ok"}}, "status"),
    "Readiness": body(
        {
            "status": text("`ready`, `loading` or `failed`."),
            "engines": several(
                body(
                    {
                        **dict.fromkeys(("id", "kind", "state"), _STRING),
                        "reason": {"type": ["string", "null"]},
                    },
                    *("id", "kind", "state", "reason"),
                ),
                "Every local model.",
            ),
        },
        *("status", "engines"),
    ),
}
