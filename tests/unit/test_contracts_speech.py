"""The rules of the speech endpoint, with the recorded texts of their errors."""

from typing import Any

import pytest

from soundalike.contracts.lookup import speech_contract
from soundalike.contracts.speech import SpeechRequest, speech_request
from soundalike.contracts.table import LOCAL_SPEECH
from soundalike.errors import InvalidRequestError, ValidationError

NINE = "'nova', 'shimmer', 'echo', 'onyx', 'fable', 'alloy', 'ash', 'sage' or 'coral'"
VOICE_FAULT = (
    "{'type': 'enum', 'loc': ('body', 'voice'), 'msg': \"Input should be "
    f"{NINE}\", 'ctx': {{'expected': \"{NINE}\"}}}}"
)


def asked(model: str = "gpt-4o-mini-tts", /, **fields: Any) -> SpeechRequest:
    body = {"model": model, "input": "Hello.", "voice": "alloy", **fields}
    return speech_request(speech_contract(model, {}), model, body)


def refused(model: str = "gpt-4o-mini-tts", /, **fields: Any) -> str:
    """The message of the validator, whose param and code are always null."""
    with pytest.raises(ValidationError) as caught:
        asked(model, **fields)
    error = caught.value
    assert (error.status, error.type) == (400, "invalid_request_error")
    assert (error.param, error.code) == (None, None)
    return error.message


def test_defaults() -> None:
    assert asked() == SpeechRequest(
        input="Hello.",
        voice="alloy",
        response_format="mp3",
        speed=1.0,
        instructions=None,
        events=False,
    )


def test_every_field_is_taken() -> None:
    assert asked(
        voice="cedar",
        response_format="flac",
        speed=2,
        instructions="Softly.",
        stream_format="sse",
        unheard_of="ignored",
    ) == SpeechRequest("Hello.", "cedar", "flac", 2.0, "Softly.", events=True)


def test_null_is_absent_where_there_is_a_default() -> None:
    nothing = {"response_format": None, "speed": None, "instructions": None, "stream_format": None}
    assert asked(**nothing) == asked()


def test_tts_1_ignores_instructions() -> None:
    assert asked("tts-1", instructions="Whisper.").instructions is None


@pytest.mark.parametrize("model", ["tts-1", "tts-1-hd"])
@pytest.mark.parametrize("voice", ["ballad", "marin", "nobody", 7, {"id": "alloy"}, None])
def test_tts_1_knows_nine_voices(model: str, voice: object) -> None:
    assert refused(model, voice=voice) == f"[{VOICE_FAULT}]"


@pytest.mark.parametrize(
    "voice",
    [
        *("alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer"),
        *("verse", "marin", "cedar"),
    ],
)
def test_gpt_4o_mini_tts_knows_thirteen_voices(voice: str) -> None:
    assert asked(voice=voice).voice == voice
    assert asked(voice={"id": voice}).voice == voice


@pytest.mark.parametrize("voice", ["nobody", "Alloy", "", {"id": "nobody"}])
def test_gpt_4o_mini_tts_refuses_other_voices_naming_its_own(voice: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        asked(voice=voice)
    error = caught.value
    name = voice["id"] if isinstance(voice, dict) else voice
    assert error.message == (
        f"Invalid value: '{name}'. Supported values are: 'alloy', 'echo', 'fable', 'onyx', "
        "'nova', 'shimmer', 'coral', 'verse', 'ballad', 'ash', 'sage', 'marin', and 'cedar'."
    )
    assert (error.param, error.code) == ("voice", "invalid_value")


def test_a_custom_voice_is_named_by_its_id_only() -> None:
    contract = speech_contract("gpt-4o-mini-tts", {})
    body = {"input": "Hello.", "voice": {"id": "voice_1234"}}
    request = speech_request(contract, "gpt-4o-mini-tts", body, ["voice_1234"])
    assert request.voice == "voice_1234"
    with pytest.raises(InvalidRequestError, match="Invalid value: 'voice_1234'"):
        speech_request(contract, "m", {**body, "voice": "voice_1234"}, ["voice_1234"])


def test_a_local_model_speaks_what_its_engine_does() -> None:
    body = {"input": "Hello.", "voice": "gmw/en"}
    assert speech_request(LOCAL_SPEECH, "pyttsx3", body, ["alloy", "gmw/en"]).voice == "gmw/en"
    with pytest.raises(InvalidRequestError, match=r"values are: 'alloy', and 'verse'\.$"):
        speech_request(LOCAL_SPEECH, "pyttsx3", body, ["alloy", "verse"])
    with pytest.raises(InvalidRequestError, match=r"values are: 'alloy'\.$"):
        speech_request(LOCAL_SPEECH, "pyttsx3", body, ["alloy"])


@pytest.mark.parametrize("voice", [7, None, ["alloy"], {"id": 7}])
def test_a_voice_that_is_no_name(voice: object) -> None:
    assert refused(voice=voice) == (
        "[{'type': 'string_type', 'loc': ('body', 'voice'), 'msg': "
        "'Input should be a valid string'}]"
    )


def test_a_voice_object_without_id() -> None:
    assert refused(voice={"name": "alloy"}) == (
        "[{'type': 'missing', 'loc': ('body', 'voice', 'id'), 'msg': 'Field required'}]"
    )


@pytest.mark.parametrize("text", ["é" * 4096, "x" * 4096, "世" * 2000])
def test_input_of_4096_code_points_passes(text: str) -> None:
    assert asked("tts-1", input=text).input == text
    assert asked(input=text).input == text


@pytest.mark.parametrize("text", ["x" * 4097, "e\u0301" * 2049])
def test_longer_input_is_refused_by_code_points(text: str) -> None:
    assert refused("tts-1", input=text) == (
        "[{'type': 'string_too_long', 'loc': ('body', 'input'), 'msg': 'String should have at "
        "most 4096 characters', 'ctx': {'max_length': 4096}}]"
    )


@pytest.mark.parametrize("text", [7, None, ["x"], True])
def test_input_that_is_no_string(text: object) -> None:
    assert refused(input=text) == (
        "[{'type': 'string_type', 'loc': ('body', 'input'), 'msg': "
        "'Input should be a valid string'}]"
    )


def test_empty_input() -> None:
    assert refused(input="") == (
        "[{'type': 'string_too_short', 'loc': ('body', 'input'), 'msg': 'String should have at "
        "least 1 character', 'ctx': {'min_length': 1}}]"
    )


def test_input_that_no_encoding_can_carry() -> None:
    assert "'string_unicode', 'loc': ('body', 'input')" in refused(input="half a pair: \ud83d")


def test_input_of_too_many_tokens() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        asked(input="世" * 3198)
    error = caught.value
    assert error.message == (
        "Input of 2132 tokens is over the maximum input limit of 2000 tokens. "
        "Please shorten your input."
    )
    assert (error.param, error.code) == (None, "invalid_value")
    assert asked("tts-1", input="世" * 3198).input


@pytest.mark.parametrize(("speed", "taken"), [(0.25, 0.25), (4, 4.0), (4.0, 4.0), ("1.5", 1.5)])
def test_speed_within_its_limits(speed: object, taken: float) -> None:
    assert asked(speed=speed).speed == taken


@pytest.mark.parametrize(
    ("speed", "fault"),
    [
        (
            4.1,
            (
                "'less_than_equal', 'loc': ('body', 'speed'), 'msg': 'Input should be less than or "
                "equal to 4', 'ctx': {'le': 4.0}"
            ),
        ),
        (
            0.2,
            (
                "'greater_than_equal', 'loc': ('body', 'speed'), 'msg': 'Input should be greater "
                "than or equal to 0.25', 'ctx': {'ge': 0.25}"
            ),
        ),
        (
            "fast",
            (
                "'float_parsing', 'loc': ('body', 'speed'), 'msg': 'Input should be a valid "
                "number, unable to parse string as a number'"
            ),
        ),
        ([1], "'float_type', 'loc': ('body', 'speed'), 'msg': 'Input should be a valid number'"),
    ],
)
def test_speed_outside_of_them(speed: object, fault: str) -> None:
    assert refused(speed=speed) == f"[{{'type': {fault}}}]"


def test_a_speed_that_is_not_a_number_at_all() -> None:
    assert "greater_than_equal" in refused(speed=float("nan"))
    assert "less_than_equal" in refused(speed=float("inf"))


def test_an_unknown_format() -> None:
    formats = "'mp3', 'opus', 'aac', 'flac', 'wav' or 'pcm'"
    assert refused(response_format="midi") == (
        "[{'type': 'enum', 'loc': ('body', 'response_format'), 'msg': \"Input should be "
        f"{formats}\", 'ctx': {{'expected': \"{formats}\"}}}}]"
    )
    assert "\"Input should be 'sse' or 'audio'\"" in refused(stream_format="ws")


def test_instructions_have_the_length_of_input() -> None:
    assert asked(instructions="x" * 4096).instructions == "x" * 4096
    assert "'loc': ('body', 'instructions')" in refused(instructions="x" * 4097)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        speech_request(speech_contract("tts-1", {}), "tts-1", {"speed": 9})
    assert caught.value.message == (
        "[{'type': 'missing', 'loc': ('body', 'input'), 'msg': 'Field required'}, "
        "{'type': 'missing', 'loc': ('body', 'voice'), 'msg': 'Field required'}, "
        "{'type': 'less_than_equal', 'loc': ('body', 'speed'), 'msg': 'Input should be less than "
        "or equal to 4', 'ctx': {'le': 4.0}}]"
    )


@pytest.mark.parametrize("model", ["tts-1", "tts-1-hd"])
def test_tts_1_does_not_stream_events(model: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        asked(model, stream_format="sse")
    error = caught.value
    assert model in error.message
    assert (error.param, error.code) == ("stream_format", "unsupported_value")
    assert not asked(model, stream_format="audio").events
