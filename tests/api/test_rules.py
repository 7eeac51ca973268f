"""`--rules schema` answers whatever the formal schema admits, with dummy values as the SDKs' own
test suites send them; and every path is served without `/v1` too."""

import json
from collections.abc import Iterator
from typing import Any, Literal, get_args

import openai
import pytest
from openai.types import AudioResponseFormat
from starlette.testclient import TestClient

from soundalike.app import create_app
from soundalike.settings import Settings

DUMMY = b"Example data"
EVERY_FORMAT = get_args(AudioResponseFormat)
EVERY_MODEL = ("string", "gpt-4o", "tts-1", "whisper-1", "gpt-transcribe", "gpt-4o-transcribe")
SPEECH = {"model": "tts-1", "voice": "alloy", "input": "Hello.", "response_format": "pcm"}


@pytest.fixture(scope="module")
def schema_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = Settings(
        engine="stub", runtime="inline", models=tmp_path_factory.mktemp("models"), rules="schema"
    )
    key = {"authorization": "Bearer sk-test"}
    with TestClient(create_app(settings), headers=key) as client:
        yield client


@pytest.fixture(scope="module")
def client(schema_api: TestClient) -> openai.OpenAI:
    """The official SDK as its own test suite sets it up: a bare base URL, strict validation."""
    return openai.OpenAI(
        api_key="My API Key",
        base_url="http://testserver",
        http_client=schema_api,
        _strict_response_validation=True,
    )


def transcribe(api: Any, file: Any = ("a.bin", DUMMY), path: str = "", **fields: Any) -> Any:
    endpoint = path or "/v1/audio/transcriptions"
    return api.post(endpoint, data={"model": "whisper-1"} | fields, files={"file": file})


def speak(api: Any, **fields: Any) -> Any:
    # Not `json=`: half of a surrogate pair is sent as an escape.
    return api.post("/v1/audio/speech", content=json.dumps(SPEECH | fields))


# Speech --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", EVERY_MODEL)
@pytest.mark.parametrize("voice", ["string", "", "\ud800", {"id": "voice_1234"}])
def test_any_model_speaks_with_any_voice(schema_api: Any, model: str, voice: Any) -> None:
    answer = speak(schema_api, model=model, voice=voice)
    assert answer.status_code == 200
    assert answer.content


def test_an_unknown_voice_always_sounds_the_same_and_not_like_every_other(schema_api: Any) -> None:
    names = [f"voice {number}" for number in range(8)]
    heard = [speak(schema_api, voice=name).content for name in names]
    assert heard == [speak(schema_api, voice={"id": name}).content for name in names]
    assert len(set(heard)) > 2


def test_a_known_voice_stays_itself(schema_api: Any, api: Any) -> None:
    onyx = speak(api, voice="onyx").content
    assert speak(schema_api, voice="onyx").content == onyx
    assert speak(schema_api, voice="Onyx").content == onyx
    assert speak(schema_api, voice="alloy").content != onyx


def test_no_text_is_no_sound(schema_api: Any) -> None:
    answer = speak(schema_api, input="")
    assert (answer.status_code, answer.content) == (200, b"")


def test_every_model_streams_events(schema_api: Any) -> None:
    answer = speak(schema_api, model="tts-1", stream_format="sse")
    assert answer.status_code == 200
    assert '"type":"speech.audio.done"' in answer.text


@pytest.mark.parametrize(
    "change",
    [
        {"input": "a" * 4097},
        {"input": None},
        {"voice": 7},
        {"voice": {}},
        {"speed": 5},
        {"response_format": "m4a"},
        {"model": None},
    ],
)
def test_what_the_schema_forbids_is_refused(schema_api: Any, change: dict[str, Any]) -> None:
    assert speak(schema_api, **change).status_code == 400


# Transcription -------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [*EVERY_MODEL, "gpt-4o-transcribe-diarize"])
@pytest.mark.parametrize("response_format", EVERY_FORMAT)
def test_any_bytes_are_silence_to_any_model_in_any_format(
    schema_api: Any, model: str, response_format: str
) -> None:
    answer = transcribe(
        schema_api,
        model=model,
        response_format=response_format,
        **{"language": "string", "prompt": "string", "include[]": "logprobs"},
    )
    assert answer.status_code == 200
    if response_format.endswith("json"):
        assert answer.json()["text"] == ""


@pytest.mark.parametrize("path", ["/v1/audio/transcriptions", "/v1/audio/translations"])
@pytest.mark.parametrize("content", [b"", b"\0", b"RIFF", DUMMY])
@pytest.mark.parametrize("name", ["a.wav", "a.exe", "upload"])
def test_whatever_it_is_called(schema_api: Any, path: str, content: bytes, name: str) -> None:
    answer = transcribe(schema_api, (name, content), path, model="string")
    assert answer.status_code == 200
    assert answer.json()["text"] == ""


def test_a_moment_of_audio_is_enough(schema_api: Any, api: Any) -> None:
    wav = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\1\0\1\0\xc0\x5d\0\0\x80\xbb\0\0\2\0\x10\0data"
    moment = wav + b"\xff\xff\xff\xff" + bytes(1000)
    assert transcribe(api, ("a.wav", moment)).json()["error"]["code"] == "audio_too_short"
    answer = transcribe(schema_api, ("a.wav", moment), response_format="verbose_json")
    assert answer.status_code == 200
    assert 0 < answer.json()["duration"] < 0.1


def test_real_speech_is_still_heard(schema_api: Any) -> None:
    audio = speak(schema_api, response_format="wav").content
    answer = transcribe(schema_api, ("a.bin", audio), model="anything", language="klingon")
    assert answer.json()["text"] == "Hello."


@pytest.mark.parametrize(
    ("model", "kind"),
    [("whisper-1", "duration"), ("gpt-4o-transcribe", "tokens"), ("string", "duration")],
)
def test_a_known_model_answers_in_its_own_way(schema_api: Any, model: str, kind: str) -> None:
    assert transcribe(schema_api, model=model).json()["usage"]["type"] == kind


def test_hints_are_taken_by_every_model(schema_api: Any) -> None:
    hints: dict[str, Any] = {
        "keywords[]": "<string>",
        "languages[]": ["string", "en"],
        "language": "de",
    }
    assert transcribe(schema_api, **hints).status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": "string"},
        {"timestamp_granularities[]": "letter"},
        {"temperature": "warm"},
        {"stream": "perhaps"},
        {"chunking_strategy": "string"},
        {"model": ""},
    ],
)
def test_a_wrong_type_is_refused(schema_api: Any, fields: dict[str, str]) -> None:
    assert transcribe(schema_api, **fields).status_code == 400


def test_a_file_is_required(schema_api: Any) -> None:
    answer = schema_api.post(
        "/v1/audio/transcriptions", data={"model": "string"}, files={"other": DUMMY}
    )
    assert answer.status_code == 400
    assert "('body', 'file')" in answer.json()["error"]["message"]


# Everything else -----------------------------------------------------------------------------


def test_the_calls_of_the_python_sdks_own_test_suite(client: openai.OpenAI) -> None:
    audio = client.audio
    assert audio.speech.create(
        input="input",
        model="string",
        voice="string",
        instructions="instructions",
        response_format="mp3",
        speed=0.25,
        stream_format="sse",
    ).content
    heard = audio.transcriptions.create(
        file=DUMMY,
        model="gpt-4o-transcribe",
        chunking_strategy="auto",
        include=["logprobs"],
        keywords=["string"],
        known_speaker_names=["string"],
        known_speaker_references=["string"],
        language="language",
        prompt="prompt",
        response_format="json",
        stream=False,
        temperature=0,
        timestamp_granularities=["word"],
    )
    assert heard.text == ""
    with audio.transcriptions.create(file=DUMMY, model="gpt-4o-transcribe", stream=True) as stream:
        assert [event.type for event in stream] == ["transcript.text.done"]
    # The SDK is newer than the specification, which knows no `type` of a voice.
    create_voice = audio.voices.with_raw_response.create
    made = create_voice(audio_sample=DUMMY, consent="consent", name="x").http_response
    assert made.json()["name"] == "x"
    consents = audio.voice_consents
    assert consents.create(language="language", name="x", recording=DUMMY).language == "language"
    assert consents.retrieve("consent_id").id == "consent_id"
    assert consents.update("consent_id", name="name").name == "name"
    assert consents.list(after="after", limit=0).data == []
    assert consents.delete("consent_id").deleted
    assert client.models.retrieve("gpt-4o-mini").id == "gpt-4o-mini"
    assert client.models.delete("ft:gpt-4o-mini:acemeco:suffix:abc123").deleted
    assert client.models.list().data


def test_a_made_up_consent_leaves_the_store_as_it_was(schema_api: Any) -> None:
    before = schema_api.get("/v1/audio/voice_consents").json()
    schema_api.post("/v1/audio/voice_consents/string", json={"name": "x"})
    schema_api.delete("/v1/audio/voice_consents/string")
    assert schema_api.get("/v1/audio/voice_consents").json() == before


def test_a_model_that_is_there_is_deleted_by_neither_rules(schema_api: Any) -> None:
    assert schema_api.delete("/v1/models/whisper-1").status_code == 403


@pytest.mark.parametrize("path", ["/models", "/models/whisper-1", "/audio/voices"])
def test_every_path_is_served_without_v1(api: Any, path: str) -> None:
    assert api.get(path).content == api.get(f"/v1{path}").content
    assert api.get(path, headers={"authorization": ""}).status_code == 401


def test_speech_and_transcriptions_are_served_without_v1(api: Any) -> None:
    audio = api.post("/audio/speech", json=SPEECH | {"response_format": "wav"}).content
    for endpoint in ("/audio/transcriptions", "/audio/translations"):
        assert transcribe(api, ("a.wav", audio), endpoint).json()["text"] == "Hello."


def test_the_bare_paths_are_not_documented_twice(api: Any) -> None:
    paths = [path.removeprefix("/v1") for path in api.get("/openapi.json").json()["paths"]]
    assert "/audio/voices/{voice_id}" in paths
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize("rules", get_args(Literal["service", "schema"]))
def test_the_rules_are_a_setting(open_api: Any, rules: str) -> None:
    answer = open_api(rules=rules).get("/v1/models/string")
    assert answer.status_code == (404 if rules == "service" else 200)
