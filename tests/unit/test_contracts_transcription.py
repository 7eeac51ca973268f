"""The rules of the transcription endpoints, with the recorded texts of their errors."""

import pytest

from soundalike.contracts.lookup import transcription_contract
from soundalike.contracts.terms import Endpoint
from soundalike.contracts.transcription import TranscriptionRequest, transcription_request
from soundalike.contracts.validator import missing_file
from soundalike.errors import ApiError, InvalidRequestError, ValidationError
from soundalike.formats import RenderOptions

GPT_MODELS = (
    *("gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize"),
    "gpt-transcribe",
)


def asked_of(endpoint: Endpoint, model: str, /, **fields: str | list[str]) -> TranscriptionRequest:
    """What a form gives; a field that ends in `__` is an array, its name in brackets."""
    form = {
        name.replace("__", "[]"): [value] if isinstance(value, str) else value
        for name, value in fields.items()
    }
    contract = transcription_contract(model, {"whisper-base": "transcription"}, endpoint)
    return transcription_request(contract, model, form, endpoint)


def asked(model: str = "whisper-1", /, **fields: str | list[str]) -> TranscriptionRequest:
    return asked_of("transcriptions", model, **fields)


def refused(model: str, /, **fields: str | list[str]) -> ApiError:
    with pytest.raises(InvalidRequestError) as caught:
        asked(model, **fields)
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
    return caught.value


def told(error: ApiError) -> tuple[str, str | None, str | None]:
    return error.message, error.param, error.code


def test_defaults() -> None:
    assert asked() == TranscriptionRequest(response_format="json", prompt=None, temperature=0.0)


def test_every_field_is_taken() -> None:
    request = asked(
        "whisper-base",
        response_format="verbose_json",
        prompt="Soundalike",
        temperature="0.4",
        language="de",
        keywords__=["Grüße", "Köln"],
        include__="logprobs",
        timestamp_granularities__=["word", "segment"],
        chunking_strategy="auto",
        unheard_of="ignored",
    )
    assert request == TranscriptionRequest(
        response_format="verbose_json",
        prompt="Soundalike",
        temperature=0.4,
        language="de",
        keywords=("Grüße", "Köln"),
        logprobs=True,
        granularities=frozenset({"word", "segment"}),
        chunking="auto",
    )


def test_an_empty_field_is_an_absent_one() -> None:
    assert asked(response_format="", prompt="", temperature="", language="", stream="") == asked()


def test_the_request_and_its_contract_give_the_shape_of_the_answer() -> None:
    request = asked("gpt-transcribe", prompt="Names.", include__="logprobs")
    contract = transcription_contract("gpt-transcribe", {})
    assert request.render_options(contract) == RenderOptions(
        usage="duration", logprobs=True, languages=True, prompt="Names."
    )


@pytest.mark.parametrize("model", GPT_MODELS)
@pytest.mark.parametrize("wrong", ["verbose_json", "srt", "vtt"])
def test_gpt_models_refuse_formats_with_times(model: str, wrong: str) -> None:
    assert told(refused(model, response_format=wrong)) == (
        (
            f"response_format '{wrong}' is not compatible with model '{model}'. "
            "Use 'json' or 'text' instead."
        ),
        "response_format",
        "unsupported_value",
    )


@pytest.mark.parametrize("model", ["whisper-1", "gpt-4o-transcribe", "gpt-transcribe"])
def test_only_the_diarizing_model_gives_diarized_json(model: str) -> None:
    assert told(refused(model, response_format="diarized_json")) == (
        f"response_format 'diarized_json' is not compatible with model '{model}'.",
        "response_format",
        "unsupported_value",
    )
    request = asked("gpt-4o-transcribe-diarize", response_format="diarized_json")
    assert request.response_format == "diarized_json"


def test_an_unknown_format_is_the_validators_error() -> None:
    error = refused("whisper-1", response_format="yaml")
    formats = "'json', 'text', 'srt', 'verbose_json', 'vtt' or 'diarized_json'"
    assert isinstance(error, ValidationError)
    assert told(error) == (
        (
            "[{'type': 'enum', 'loc': ('body', 'response_format'), 'msg': \"Input should be "
            f"{formats}\", 'ctx': {{'expected': \"{formats}\"}}}}]"
        ),
        None,
        None,
    )
    with pytest.raises(ValidationError, match="'verbose_json' or 'vtt'"):
        asked_of("translations", "whisper-1", response_format="diarized_json")


def test_a_missing_file_shows_its_input() -> None:
    assert told(missing_file()) == (
        "[{'type': 'missing', 'loc': ('body', 'file'), 'msg': 'Field required', 'input': None}]",
        None,
        None,
    )


@pytest.mark.parametrize("language", ["auto", "japanese", "EN", "en-US", "zh_TW"])
def test_whisper_1_refuses_what_is_no_language_code(language: str) -> None:
    error = refused("whisper-1", language=language)
    assert told(error) == (
        f"Invalid language '{language}'. Language parameter must be specified in ISO-639-1 format.",
        "language",
        "invalid_language_format",
    )
    assert error.billed


@pytest.mark.parametrize("language", ["bn", "pa", "or", "ka", "yue", "haw"])
def test_whisper_1_refuses_languages_beyond_the_supported(language: str) -> None:
    error = refused("whisper-1", language=language)
    assert told(error) == (
        f"Language '{language}' is not supported.",
        "language",
        "unsupported_language",
    )
    assert error.billed


def test_gpt_transcribe_knows_six_more_languages_and_words_its_refusal_differently() -> None:
    assert asked("gpt-transcribe", language="bn").language == "bn"
    error = refused("gpt-transcribe", language="pa")
    assert told(error) == ("Language code 'pa' is not recognized.", "language", "invalid_value")
    assert not error.billed


def test_a_local_whisper_takes_every_language_of_whisper() -> None:
    assert asked("whisper-base", language="haw").language == "haw"
    assert not refused("whisper-base", language="klingon").billed


def test_languages_and_keywords_of_gpt_transcribe() -> None:
    request = asked("gpt-transcribe", languages__=["no", "en"], keywords__=["Ås"])
    assert (request.language, request.languages) == (None, ("no", "en"))
    assert request.keywords == ("Ås",)
    assert asked("gpt-transcribe", languages__="no").language == "no"
    assert asked("gpt-transcribe", languages=["no", "en"]).languages == ("no", "en")


@pytest.mark.parametrize(
    "fields",
    [
        {"language": "no", "languages__": "no"},
        {"languages": '["no","en"]'},
        {"languages": "no,en"},
        {"keywords__": ["fine", "<b>"]},
        {"keywords__": "two\nlines"},
    ],
)
def test_hints_that_gpt_transcribe_cannot_use(fields: dict[str, str | list[str]]) -> None:
    assert told(refused("gpt-transcribe", **fields)) == ("Invalid request.", None, "invalid_value")


@pytest.mark.parametrize("model", ["whisper-1", "gpt-4o-transcribe", "gpt-4o-transcribe-diarize"])
@pytest.mark.parametrize("field", ["keywords", "languages"])
def test_other_models_refuse_these_hints(model: str, field: str) -> None:
    error = refused(model, **{f"{field}__": "en"})
    assert error.param == field


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt": "Names."}, "Prompt is not supported for diarization models"),
        ({"include__": "logprobs"}, "Logprobs are not supported for diarization models"),
    ],
)
def test_what_the_diarizing_model_does_not_take(fields: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"^{message}$"):
        asked("gpt-4o-transcribe-diarize", **fields)


def test_streaming_is_ignored_for_whisper_1_and_for_formats_that_cannot_stream() -> None:
    assert not asked("whisper-1", stream="true").stream
    for true in ("true", "1", "True"):
        assert asked("gpt-4o-transcribe", stream=true).stream
    for false in ("false", "0", ""):
        assert not asked("gpt-4o-transcribe", stream=false).stream
    assert asked("gpt-4o-transcribe", stream="true", response_format="text").stream
    assert not asked("whisper-base", stream="true", response_format="srt").stream
    assert (
        "'bool_parsing', 'loc': ('body', 'stream')" in refused("whisper-1", stream="maybe").message
    )


def test_log_probabilities_only_in_brackets_and_only_from_models_that_have_them() -> None:
    assert asked("gpt-4o-transcribe", include__="logprobs").logprobs
    assert asked("whisper-base", include__=["other", "logprobs"]).logprobs
    assert not asked("gpt-4o-transcribe", include="logprobs").logprobs
    assert not asked("whisper-1", include__="logprobs").logprobs


def test_granularities_only_in_brackets_and_only_of_verbose_json() -> None:
    verbose = asked(response_format="verbose_json", timestamp_granularities__="word")
    assert verbose.granularities == {"word"}
    assert not asked(timestamp_granularities__="word").granularities
    bare = asked(response_format="verbose_json", timestamp_granularities="word")
    assert not bare.granularities
    error = refused("whisper-1", timestamp_granularities__=["word", "letter"])
    assert "\"Input should be 'word' or 'segment'\"" in error.message


@pytest.mark.parametrize(("given", "taken"), [("0", 0.0), ("0.5", 0.5), ("1.0", 1.0)])
def test_temperature_within_its_limits(given: str, taken: float) -> None:
    assert asked(temperature=given).temperature == taken


@pytest.mark.parametrize(
    ("given", "kind"),
    [("1.1", "less_than_equal"), ("-0.1", "greater_than_equal"), ("warm", "float_parsing")],
)
def test_temperature_outside_of_them(given: str, kind: str) -> None:
    assert (
        f"'{kind}', 'loc': ('body', 'temperature')"
        in refused("whisper-1", temperature=given).message
    )


def test_translations_have_fewer_fields() -> None:
    request = asked_of(
        "translations",
        "whisper-1",
        prompt="In English.",
        response_format="verbose_json",
        language="japanese",
        stream="maybe",
        timestamp_granularities__="word",
    )
    assert request == TranscriptionRequest(
        response_format="verbose_json", prompt="In English.", temperature=0.0
    )
