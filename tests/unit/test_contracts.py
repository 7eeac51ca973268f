"""The table of models, and how an id is looked up in it."""

import pytest

from soundalike.contracts.lookup import LocalModels, speech_contract, transcription_contract
from soundalike.contracts.table import LOCAL_SPEECH, LOCAL_TRANSCRIPTION, PUBLIC_MODELS
from soundalike.contracts.terms import SpeechContract, TranscriptionContract
from soundalike.errors import InvalidRequestError, ModelNotFoundError, NotFoundError

LOCAL: LocalModels = {"pyttsx3": "speech", "whisper-base": "transcription"}

SPEAKING = (
    *("tts-1", "tts-1-1106", "tts-1-hd", "tts-1-hd-1106"),
    *("gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15"),
)
LISTENING = (
    *("whisper-1", "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"),
    *("gpt-4o-mini-transcribe-2025-12-15", "gpt-4o-transcribe-diarize"),
)


def transcribing(model: str) -> TranscriptionContract:
    return transcription_contract(model, LOCAL)


def test_every_public_model_is_in_the_table() -> None:
    assert set(PUBLIC_MODELS) == {*SPEAKING, *LISTENING}


@pytest.mark.parametrize("model", SPEAKING)
def test_a_speaking_model_speaks_and_does_not_listen(model: str) -> None:
    assert isinstance(speech_contract(model, {}), SpeechContract)
    with pytest.raises(NotFoundError, match=r"^Invalid URL \(POST /v1/audio/transcriptions\)$"):
        transcription_contract(model, {})


@pytest.mark.parametrize("model", LISTENING)
def test_a_listening_model_listens_and_does_not_speak(model: str) -> None:
    assert isinstance(transcription_contract(model, {}), TranscriptionContract)
    with pytest.raises(NotFoundError, match=r"^Invalid URL \(POST /v1/audio/speech\)$"):
        speech_contract(model, {})


@pytest.mark.parametrize("model", LISTENING)
def test_only_whisper_1_translates(model: str) -> None:
    if model == "whisper-1":
        assert "translations" in transcription_contract(model, {}, "translations").endpoints
    else:
        with pytest.raises(NotFoundError, match=r"Invalid URL \(POST /v1/audio/translations\)"):
            transcription_contract(model, {}, "translations")


def test_models_are_listed_with_the_recorded_times_and_owners() -> None:
    listed = {name: (model.created, model.owned_by) for name, model in PUBLIC_MODELS.items()}
    assert listed["tts-1-hd"] == (1699046015, "system")
    assert listed["tts-1"] == (1681940951, "openai-internal")
    assert listed["whisper-1"] == (1677532384, "openai-internal")
    assert listed["gpt-4o-transcribe"] == (1742068463, "system")


def test_voices_of_each_family() -> None:
    nine = set(speech_contract("tts-1-hd", {}).voices or ())
    thirteen = set(speech_contract("gpt-4o-mini-tts", {}).voices or ())
    assert len(nine) == 9
    assert thirteen - nine == {"ballad", "verse", "marin", "cedar"}
    assert nine < thirteen


def test_formats_of_each_family() -> None:
    formats = {model: set(transcribing(model).formats) for model in LISTENING}
    assert formats["whisper-1"] == {"json", "text", "srt", "verbose_json", "vtt"}
    assert formats["gpt-4o-transcribe-diarize"] == {"json", "text", "diarized_json"}
    for model in LISTENING[1:5]:
        assert formats[model] == {"json", "text"}


def test_billing_of_each_family() -> None:
    kinds = {model: transcribing(model).usage for model in LISTENING}
    assert {model for model, kind in kinds.items() if kind == "duration"} == {
        "whisper-1",
        "gpt-transcribe",
    }


def test_local_models_have_the_widest_contract_under_their_own_ids() -> None:
    assert speech_contract("pyttsx3", LOCAL) is LOCAL_SPEECH
    assert transcribing("whisper-base") is LOCAL_TRANSCRIPTION
    assert transcription_contract("whisper-base", LOCAL, "translations") is LOCAL_TRANSCRIPTION
    wide = LOCAL_TRANSCRIPTION
    for model in LISTENING:
        public = transcribing(model)
        assert set(public.formats) <= set(wide.formats)
        assert public.languages <= wide.languages
        assert wide.streams >= public.streams
        assert wide.logprobs >= public.logprobs
    assert wide.max_seconds is None
    assert wide.chunking_above is None
    assert LOCAL_SPEECH.events
    assert LOCAL_SPEECH.instructions


def test_a_public_id_keeps_its_contract_whatever_folder_has_its_name() -> None:
    contract = transcription_contract("whisper-1", {"whisper-1": "transcription"})
    assert contract is PUBLIC_MODELS["whisper-1"].contract


@pytest.mark.parametrize(("model", "wrong"), [("pyttsx3", "transcriptions")])
def test_a_local_model_on_the_wrong_endpoint_is_a_wrong_url(model: str, wrong: str) -> None:
    with pytest.raises(NotFoundError, match=f"Invalid URL .POST /v1/audio/{wrong}."):
        transcription_contract(model, LOCAL)
    with pytest.raises(NotFoundError, match=r"Invalid URL .POST /v1/audio/speech."):
        speech_contract("whisper-base", LOCAL)


@pytest.mark.parametrize(
    "model",
    [
        *("gpt-4", "gpt-4o", "gpt-4.1-mini", "gpt-5-nano", "gpt-3.5-turbo", "chatgpt-4o-latest"),
        *("gpt-realtime", "gpt-realtime-whisper", "gpt-live-transcribe", "gpt-audio-mini"),
        *("o1", "o3-mini", "o4-mini", "text-embedding-3-small", "omni-moderation-latest"),
        *("dall-e-3", "gpt-image-1", "davinci-002", "ft:gpt-4o-mini:acme::abc", "sora-2"),
        *("gpt-4o-2024-11-20", "gpt-4-0613", "gpt-4-1106-preview", "gpt-4o-audio-preview"),
    ],
)
def test_a_known_model_that_is_no_audio_model_is_a_wrong_url(model: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        speech_contract(model, LOCAL)
    error = caught.value
    assert error.status == 404
    assert error.message == "Invalid URL (POST /v1/audio/speech)"
    assert (error.type, error.param, error.code) == ("invalid_request_error", None, None)


@pytest.mark.parametrize(
    "model",
    [
        *("whisper-2", "gpt-4o-transcrib", "gpt-4o-tts", "tts-2", "orca", "o", "nothing"),
        *("Whisper-1", "gpt-4o-mini-tss", "gpt-4o-mini-transcibe", "gpt-4o-audio", "gpt-9"),
        *("gpt-realtime-wisper", "ft:gpt-4o-mini-tss:acme::abc", "ft:gpt-4o-mini", "text-tts"),
    ],
)
def test_an_unknown_model_is_not_found(model: str) -> None:
    for look_up in (speech_contract, transcription_contract):
        with pytest.raises(ModelNotFoundError) as caught:
            look_up(model, LOCAL)
        error = caught.value
        assert error.status == 404
        assert error.message == (
            f"The model `{model}` does not exist or you do not have access to it."
        )
        assert (error.type, error.param, error.code) == (
            "invalid_request_error",
            None,
            "model_not_found",
        )


@pytest.mark.parametrize("model", [None, ""])
def test_no_model_at_all(model: str | None) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        speech_contract(model, LOCAL)
    error = caught.value
    assert error.status == 400
    assert (error.message, error.param, error.code) == (
        "you must provide a model parameter",
        None,
        None,
    )
