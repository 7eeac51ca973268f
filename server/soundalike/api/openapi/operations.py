"""The routes: what each takes, and every status that it gives."""

from typing import Any

from soundalike.api.openapi.requests import Schema, ref

_STATUSES = {
    400: "The request is understood and refused.",
    401: "No key, or one that is not known.",
    403: "The key is good, the action is not allowed to it.",
    404: "There is no such thing here.",
    413: "The body is too large.",
    429: "The key has made too many requests.",
    500: "An engine or the server failed.",
    503: "The queue is full, or the engine is not up.",
}
_HEADERS: dict[str, str] = {
    "x-request-id": "Names this request.",
    "openai-processing-ms": "Milliseconds until the answer began.",
}


def _error(status: int) -> Schema:
    schema = {"schema": ref("ErrorResponse")}
    response: Schema = {
        "description": _STATUSES[status],
        "content": {"application/json": schema},
    }
    if status == 401:
        response["content"]["text/plain"] = {"schema": {"type": "string"}}
    if status in (429, 503):
        response["headers"] = {
            "retry-after": {
                "description": "Seconds to wait at least.",
                "schema": {"type": "integer", "minimum": 1},
            }
        }
    return response


def _operation(
    id_: str,
    tag: str,
    summary: str,
    answer: dict[str, Schema],
    *,
    request: Schema | None = None,
    parameters: tuple[Schema, ...] = (),
    errors: tuple[int, ...] = (),
) -> Schema:
    headers = {
        name: {"description": meaning, "schema": {"type": "string"}}
        for name, meaning in _HEADERS.items()
    }
    operation: Schema = {
        "operationId": id_,
        "tags": [tag],
        "summary": summary,
        "responses": {
            "200": {"description": "Done.", "headers": headers, "content": answer},
            **{str(status): _error(status) for status in sorted({401, 500, *errors})},
        },
    }
    if request is not None:
        operation["requestBody"] = {"required": True, "content": request}
    if parameters:
        operation["parameters"] = list(parameters)
    return operation


def _json(name: str, example: Any = None) -> dict[str, Schema]:
    content: Schema = {"schema": ref(name)}
    if example is not None:
        content["example"] = example
    return {"application/json": content}


def _form(name: str) -> dict[str, Schema]:
    return {"multipart/form-data": {"schema": ref(name)}}


def _events(name: str) -> dict[str, Schema]:
    return {"text/event-stream": {"schema": ref(name)}}


def _in_path(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


_PLAIN: dict[str, Schema] = {"text/plain": {"schema": {"type": "string"}}}
_AUDIO: dict[str, Schema] = {
    f"audio/{kind}": {"schema": {"type": "string", "format": "binary"}}
    for kind in ("mpeg", "opus", "aac", "flac", "wav", "pcm")
}
_PAGING: tuple[Schema, ...] = (
    {"name": "after", "in": "query", "schema": {"type": "string"}},
    {"name": "limit", "in": "query", "schema": {"type": "integer", "default": 20}},
)
_WORK = (400, 404, 429, 503)
_UPLOAD = (400, 404, 413, 429, 503)

_SPEECH_EXAMPLE = {"model": "tts-1", "voice": "alloy", "input": "Hello from your own machine."}
_TRANSCRIPT_EXAMPLE = {
    "text": "Hello from your own machine.",
    "usage": {"type": "duration", "seconds": 2},
}


def _any_of(*schemas: str) -> dict[str, Schema]:
    return {"application/json": {"schema": {"anyOf": [ref(name) for name in schemas]}}}


_ROOT = [{"url": "/"}]


def _open(
    id_: str, summary: str, answer: dict[str, Schema], otherwise: int = 0, schema: str = ""
) -> Schema:
    """An operation that needs no key; `otherwise` is a second status, with an answer of its own."""
    responses: Schema = {"200": {"description": "It is so.", "content": answer}}
    if otherwise:
        responses[str(otherwise)] = {"description": "Not yet.", "content": _json(schema)}
    return {
        "operationId": id_,
        "tags": ["Health"],
        "summary": summary,
        "security": [],
        "responses": responses,
    }


PATHS: Schema = {
    "/audio/speech": {
        "post": _operation(
            "createSpeech",
            "Audio",
            "Speak a text.",
            _AUDIO | _events("CreateSpeechResponseStreamEvent"),
            request=_json("CreateSpeechRequest", _SPEECH_EXAMPLE),
            errors=(*_WORK, 413),
        )
    },
    "/audio/transcriptions": {
        "post": _operation(
            "createTranscription",
            "Audio",
            "Write down what is said in a file.",
            {
                "application/json": {
                    "schema": {
                        "anyOf": [
                            ref("CreateTranscriptionResponseJson"),
                            ref("CreateTranscriptionResponseDiarizedJson"),
                            ref("CreateTranscriptionResponseVerboseJson"),
                        ]
                    },
                    "example": _TRANSCRIPT_EXAMPLE,
                }
            }
            | _PLAIN
            | _events("CreateTranscriptionResponseStreamEvent"),
            request=_form("CreateTranscriptionRequest"),
            errors=_UPLOAD,
        )
    },
    "/audio/translations": {
        "post": _operation(
            "createTranslation",
            "Audio",
            "Write down in English what is said in a file.",
            _any_of("CreateTranslationResponseJson", "CreateTranslationResponseVerboseJson")
            | _PLAIN,
            request=_form("CreateTranslationRequest"),
            errors=_UPLOAD,
        )
    },
    "/audio/voice_consents": {
        "post": _operation(
            "createVoiceConsent",
            "Audio",
            "Keep a consent that somebody recorded.",
            _json("VoiceConsentResource"),
            request=_form("CreateVoiceConsentRequest"),
            errors=(400, 413),
        ),
        "get": _operation(
            "listVoiceConsents",
            "Audio",
            "List the consents.",
            _json("VoiceConsentListResource"),
            parameters=_PAGING,
            errors=(400, 404),
        ),
    },
    "/audio/voice_consents/{consent_id}": {
        "get": _operation(
            "getVoiceConsent",
            "Audio",
            "Show a consent.",
            _json("VoiceConsentResource"),
            parameters=(_in_path("consent_id"),),
            errors=(404,),
        ),
        "post": _operation(
            "updateVoiceConsent",
            "Audio",
            "Rename a consent.",
            _json("VoiceConsentResource"),
            request=_json("UpdateVoiceConsentRequest", {"name": "Jane"}),
            parameters=(_in_path("consent_id"),),
            errors=(400, 404, 413),
        ),
        "delete": _operation(
            "deleteVoiceConsent",
            "Audio",
            "Drop a consent.",
            _json("VoiceConsentDeletedResource"),
            parameters=(_in_path("consent_id"),),
            errors=(404,),
        ),
    },
    "/audio/voices": {
        "post": _operation(
            "createVoice",
            "Audio",
            "Make a custom voice.",
            _json("VoiceResource"),
            request=_form("CreateVoiceRequest"),
            errors=(400, 404, 413),
        ),
        "get": _operation(
            "listVoices",
            "Audio",
            "List the custom voices.",
            _json("VoiceListResource"),
            parameters=_PAGING,
            errors=(400, 404),
        ),
    },
    "/audio/voices/{voice_id}": {
        "get": _operation(
            "getVoice",
            "Audio",
            "Show a custom voice.",
            _json("VoiceResource"),
            parameters=(_in_path("voice_id"),),
            errors=(404,),
        ),
        "delete": _operation(
            "deleteVoice",
            "Audio",
            "Drop a custom voice.",
            _json("VoiceDeletedResource"),
            parameters=(_in_path("voice_id"),),
            errors=(404,),
        ),
    },
    "/models": {
        "get": _operation("listModels", "Models", "List the models.", _json("ListModelsResponse"))
    },
    "/models/{model}": {
        "get": _operation(
            "retrieveModel",
            "Models",
            "Show a model.",
            _json("Model"),
            parameters=(_in_path("model"),),
            errors=(404,),
        ),
        "delete": _operation(
            "deleteModel",
            "Models",
            "Delete a model: nobody has the right to.",
            _json("DeleteModelResponse"),
            parameters=(_in_path("model"),),
            errors=(403, 404),
        ),
    },
    "/healthz": {
        "servers": _ROOT,
        "get": _open("healthz", "The server answers.", _json("Health")),
    },
    "/readyz": {
        "servers": _ROOT,
        "get": _open("readyz", "The engines are ready.", _json("Readiness"), 503, "Readiness"),
    },
}
