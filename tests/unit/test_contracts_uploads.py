"""The rules of an uploaded file, with the recorded texts of their errors."""

import pytest

from soundalike.contracts.lookup import transcription_contract
from soundalike.contracts.terms import TranscriptionContract
from soundalike.contracts.uploads import (
    check_duration,
    check_file,
    too_short_audio,
    undecodable_audio,
)
from soundalike.errors import ApiError, AudioTooShortError, InvalidRequestError

FORMATS = "['flac', 'm4a', 'mp3', 'mp4', 'mpeg', 'mpga', 'oga', 'ogg', 'wav', 'webm']"
WHISPER_FORMATS = (f"Invalid file format. Supported formats: {FORMATS}", None, None)
CORRUPTED = ("Audio file might be corrupted or unsupported", "file", "invalid_value")


def contract(model: str) -> TranscriptionContract:
    return transcription_contract(model, {"whisper-base": "transcription"})


def told(error: ApiError) -> tuple[str, str | None, str | None]:
    assert (error.status, error.type) == (400, "invalid_request_error")
    return error.message, error.param, error.code


@pytest.mark.parametrize("model", ["whisper-1", "gpt-transcribe", "gpt-4o-transcribe"])
@pytest.mark.parametrize(
    "filename",
    ["speech.mp3", "SPEECH.WAV", "a.b.webm", "Assets\\x.ogg", "upload", "anonymous_file", "", None],
)
def test_known_extensions_and_nameless_files_pass(model: str, filename: str | None) -> None:
    check_file(contract(model), filename, 1000)


@pytest.mark.parametrize("extension", ["txt", "opus", "bin", "TXT"])
@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("whisper-1", WHISPER_FORMATS),
        ("gpt-transcribe", ("Unsupported file format {}", "file", "unsupported_value")),
        (
            "gpt-4o-transcribe",
            (
                "This model does not support the format you provided.",
                "messages",
                "unsupported_format",
            ),
        ),
    ],
)
def test_other_extensions_are_refused_in_the_words_of_the_family(
    model: str, expected: tuple[str, str | None, str | None], extension: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_file(contract(model), f"audio.{extension}", 1000)
    message, param, code = expected
    assert told(caught.value) == (message.replace("{}", extension), param, code)
    assert caught.value.billed is (model == "whisper-1")


@pytest.mark.parametrize(
    ("model", "expected"), [("whisper-1", WHISPER_FORMATS), ("gpt-transcribe", CORRUPTED)]
)
def test_an_empty_file_is_refused(model: str, expected: tuple[str, str | None, str | None]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_file(contract(model), "speech.wav", 0)
    assert told(caught.value) == expected


def test_a_local_model_takes_any_container() -> None:
    check_file(contract("whisper-base"), "speech.opus", 1000)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            "whisper-1",
            ("The audio file could not be decoded or its format is not supported.", None, None),
        ),
        ("gpt-transcribe", CORRUPTED),
        ("gpt-4o-transcribe-diarize", CORRUPTED),
    ],
)
def test_what_cannot_be_decoded(model: str, expected: tuple[str, str | None, str | None]) -> None:
    assert told(undecodable_audio(contract(model))) == expected


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.0999])
def test_less_than_a_tenth_of_a_second(seconds: float) -> None:
    with pytest.raises(AudioTooShortError) as caught:
        check_duration(contract("gpt-4o-transcribe"), seconds, None)
    assert told(caught.value) == (
        "Audio file is too short. Minimum audio length is 0.1 seconds.",
        "file",
        "audio_too_short",
    )
    assert too_short_audio(contract("whisper-1")).billed


@pytest.mark.parametrize("model", ["whisper-1", "gpt-transcribe", "whisper-base"])
def test_hours_pass_where_there_is_no_limit(model: str) -> None:
    check_duration(contract(model), 7200.0, None)
    check_duration(contract(model), 0.1, None)


def test_the_gpt_4o_family_hears_1400_seconds() -> None:
    check_duration(contract("gpt-4o-transcribe"), 1400.0, None)
    with pytest.raises(InvalidRequestError) as caught:
        check_duration(contract("gpt-4o-mini-transcribe"), 1830.5306122, None)
    assert told(caught.value) == (
        (
            "audio duration 1830.530612 seconds is longer than 1400 seconds which is the maximum "
            "for this model"
        ),
        None,
        "invalid_value",
    )


def test_the_diarizing_model_wants_a_chunking_strategy_for_long_audio() -> None:
    diarizing = contract("gpt-4o-transcribe-diarize")
    check_duration(diarizing, 6.5, None)
    check_duration(diarizing, 31.0, "auto")
    with pytest.raises(InvalidRequestError) as caught:
        check_duration(diarizing, 31.0, None)
    assert told(caught.value) == (
        "chunking_strategy is required for diarization models",
        "chunking_strategy",
        "invalid_value",
    )
