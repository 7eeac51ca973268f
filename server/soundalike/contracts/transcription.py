"""The rules of the transcription and translation endpoints: from a form to a request."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from soundalike.contracts.chunking import Chunking, chunking_strategy
from soundalike.contracts.speakers import check_speakers, speaker_faults
from soundalike.contracts.terms import Endpoint, Refusal, TranscriptionContract
from soundalike.contracts.validator import (
    Fault,
    enum_fault,
    fault,
    number,
    number_fault,
    validator_error,
)
from soundalike.errors import shown
from soundalike.formats import Granularity, RenderOptions, ResponseFormat
from soundalike.languages import WHISPER_LANGUAGES

Form = Mapping[str, Sequence[str]]
"""The text fields of a form by their names on the wire, brackets included, each with its values."""

FORMATS: dict[Endpoint, tuple[ResponseFormat, ...]] = {
    "transcriptions": ("json", "text", "srt", "verbose_json", "vtt", "diarized_json"),
    "translations": ("json", "text", "srt", "verbose_json", "vtt"),
}
GRANULARITIES: tuple[Granularity, ...] = ("word", "segment")

_STREAMED: frozenset[ResponseFormat] = frozenset({"json", "text", "diarized_json"})
_TRUE = frozenset({"1", "true", "yes", "on", "t", "y"})
_FALSE = frozenset({"", "0", "false", "no", "off", "f", "n"})

_LANGUAGE_CODE = re.compile(r"[a-z]{2}")
_FORBIDDEN_IN_KEYWORDS = re.compile(r"[<>\r\n]")

_WRONG_FORMAT = Refusal(
    "response_format '{format}' is not compatible with model '{model}'.{advice}",
    "response_format",
    "unsupported_value",
)
_NO_PROMPT = Refusal("Prompt is not supported for diarization models", "prompt", "invalid_value")
_NO_LOGPROBS = Refusal(
    "Logprobs are not supported for diarization models", "include", "invalid_value"
)
_INVALID_HINT = Refusal("Invalid request.", code="invalid_value")
_NO_HINT = {  # chosen: worded as other endpoints word it
    field: Refusal(
        f"Unsupported parameter: '{field}' is not supported with this model.",
        field,
        "unsupported_parameter",
    )
    for field in ("keywords", "languages")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionRequest:
    """A form that keeps its contract, with its defaults filled in.

    `language` is the one that was named, by `language` or as the only one of `languages`.
    `stream` asks for events, from a model that gives them.
    """

    response_format: ResponseFormat
    prompt: str | None
    temperature: float
    language: str | None = None
    languages: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    logprobs: bool = False
    granularities: frozenset[Granularity] = frozenset()
    stream: bool = False
    chunking: Chunking | None = None

    def render_options(self, contract: TranscriptionContract) -> RenderOptions:
        return RenderOptions(
            usage=contract.usage,
            granularities=self.granularities,
            logprobs=self.logprobs,
            languages=contract.detected_languages,
            prompt=self.prompt,
        )


def transcription_request(
    contract: TranscriptionContract,
    model: str,
    form: Form,
    endpoint: Endpoint = "transcriptions",
) -> TranscriptionRequest:
    """The request that a form makes. Unknown fields are ignored, and with them array fields
    without their brackets, as the live service does (`languages` is the exception that it makes).

    Raises:
        ValidationError: every fault that the service's validator would see, at once.
        InvalidRequestError: what the model itself would refuse.
    """
    if faults := _faults(form, endpoint):
        raise validator_error(faults)
    response_format = cast("ResponseFormat", _last(form, "response_format") or "json")
    check_response_format(contract, model, response_format)
    request = TranscriptionRequest(
        response_format=response_format,
        prompt=_last(form, "prompt"),
        temperature=number(_last(form, "temperature")) or 0.0,
    )
    return request if endpoint == "translations" else _transcription(contract, form, request)


def check_response_format(
    contract: TranscriptionContract, model: str, response_format: ResponseFormat
) -> None:
    """Refuses a format that exists, but not with this model."""
    if response_format in contract.formats:
        return
    advice = "" if response_format == "diarized_json" else " Use 'json' or 'text' instead."
    raise _WRONG_FORMAT.error(format=response_format, model=shown(model), advice=advice)


def check_diarization(
    contract: TranscriptionContract, *, prompt: str | None, logprobs: bool
) -> None:
    """Refuses what a model that tells speakers apart does not take. The messages were seen, their
    param and code were not."""
    if contract.lenient:
        return
    if contract.diarizes and prompt:
        raise _NO_PROMPT.error()
    if contract.diarizes and logprobs:
        raise _NO_LOGPROBS.error()


def check_language(contract: TranscriptionContract, language: str) -> None:
    """Refuses a `language` that the model does not know, or that is none."""
    if language in contract.languages:
        return
    is_code = language in WHISPER_LANGUAGES or bool(_LANGUAGE_CODE.fullmatch(language))
    refusal = contract.unknown_language if is_code else contract.malformed_language
    raise refusal.error(billed=contract.billed_errors, language=shown(language))


def _transcription(
    contract: TranscriptionContract, form: Form, request: TranscriptionRequest
) -> TranscriptionRequest:
    """The request, with the fields that translations do not have."""
    logprobs = "logprobs" in form.get("include[]", ())
    check_diarization(contract, prompt=request.prompt, logprobs=logprobs)
    if "diarized_json" in contract.formats and not contract.lenient:
        check_speakers(form)
    language, languages, keywords = _hints(contract, form)
    granularities = cast("Sequence[Granularity]", form.get("timestamp_granularities[]", ()))
    verbose = request.response_format == "verbose_json"
    streamed = contract.streams and request.response_format in _STREAMED
    return replace(
        request,
        language=language or (languages[0] if len(languages) == 1 else None),
        languages=languages,
        keywords=keywords,
        logprobs=logprobs and contract.logprobs,
        granularities=frozenset(granularities if verbose else ()),
        stream=streamed and _lower(form, "stream") in _TRUE,
        chunking=chunking_strategy(form),
    )


def _hints(
    contract: TranscriptionContract, form: Form
) -> tuple[str | None, tuple[str, ...], tuple[str, ...]]:
    """`language`, `languages` and `keywords`, which exclude or allow one another by model."""
    language = _last(form, "language")
    languages = tuple(form.get("languages[]", form.get("languages", ())))
    keywords = tuple(form.get("keywords[]", ()))
    if contract.lenient:
        known = tuple(code for code in languages if code in contract.languages)
        return language if language in contract.languages else None, known, keywords
    for field, given in (("keywords", keywords), ("languages", languages)):
        if given and not contract.hints:
            raise _NO_HINT[field].error()
    if language and languages:
        raise _INVALID_HINT.error()
    if any(_FORBIDDEN_IN_KEYWORDS.search(keyword) for keyword in keywords):
        raise _INVALID_HINT.error()
    for code in languages:
        if code not in contract.languages and not _LANGUAGE_CODE.fullmatch(code):
            raise _INVALID_HINT.error()
    for code in [language] if language else languages:
        check_language(contract, code)
    return language, languages, keywords


def _faults(form: Form, endpoint: Endpoint) -> list[Fault]:
    found: list[Fault | None] = []
    response_format = _last(form, "response_format")
    if response_format and response_format not in FORMATS[endpoint]:
        found.append(enum_fault("response_format", FORMATS[endpoint]))
    if temperature := _last(form, "temperature"):
        found.append(number_fault("temperature", temperature, 0, 1))
    if endpoint == "transcriptions":
        if not set(form.get("timestamp_granularities[]", ())) <= set(GRANULARITIES):
            found.append(enum_fault("timestamp_granularities", GRANULARITIES))
        found.extend(speaker_faults(form))
        if _lower(form, "stream") not in _TRUE | _FALSE:
            message = "Input should be a valid boolean, unable to interpret input"
            found.append(fault("bool_parsing", "stream", message))
    return [one for one in found if one is not None]


def _lower(form: Form, field: str) -> str:
    return (_last(form, field) or "").lower()


def _last(form: Form, field: str) -> str | None:
    """A field's value, the last one where it was sent more than once; an empty one is as good as
    none."""
    values = form.get(field)
    return values[-1] or None if values else None
