"""Consents and custom voices, as the specification's schemas have them."""

from pathlib import Path
from typing import Any

import openai
import pytest

MISSING = "[{{'type': 'missing', 'loc': ('body', '{}'), 'msg': 'Field required', 'input': None}}]"
BUILT_IN = (
    *("alloy", "echo", "fable", "onyx", "nova", "shimmer", "coral"),
    *("verse", "ballad", "ash", "sage", "marin", "cedar"),
)
CONSENT = {"name": "John Doe", "language": "en-US"}
RECORDING = ("consent.wav", b"RIFF consent", "audio/x-wav")
CONSENTS = "/v1/audio/voice_consents"
VOICES = "/v1/audio/voices"
RANGE = "Invalid 'limit': integer"


def consent(api: Any, recording: Any = RECORDING, **fields: str) -> Any:
    return api.post(CONSENTS, data=CONSENT | fields, files={"recording": recording})


def voice(api: Any, sample: bytes = b"sample", name: str = "My new voice", **fields: str) -> Any:
    if "consent" not in fields:
        fields["consent"] = consent(api).json()["id"]
    return api.post(
        VOICES,
        data={"name": name} | fields,
        files={"audio_sample": ("sample.mp3", sample, "audio/mpeg")},
    )


def speech(api: Any, voice: Any, model: str = "gpt-4o-mini-tts") -> Any:
    body = {"model": model, "voice": voice, "input": "Hello.", "response_format": "pcm"}
    return api.post("/v1/audio/speech", json=body)


def told(answer: Any) -> str:
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    message: str = error["message"]
    return message


# The life of a consent -----------------------------------------------------------------------


def test_a_consent_is_created_shown_renamed_and_deleted(api: Any) -> None:
    created = consent(api)
    assert created.status_code == 200
    assert created.headers["content-type"] == "application/json"
    body = created.json()
    assert list(body) == ["object", "id", "name", "language", "created_at"]
    assert body["id"].startswith("cons_")
    assert (body["object"], body["name"], body["language"]) == (
        *("audio.voice_consent", "John Doe", "en-US"),
    )
    assert isinstance(body["created_at"], int)
    path = f"{CONSENTS}/{body['id']}"
    assert api.get(path).json() == body
    renamed = api.post(path, json={"name": "Jane Doe"})
    assert renamed.json() == body | {"name": "Jane Doe"} == api.get(path).json()
    assert api.delete(path).json() == {
        "object": "audio.voice_consent",
        "id": body["id"],
        "deleted": True,
    }
    assert api.get(path).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "noun"),
    [
        ("GET", CONSENTS, "voice consent"),
        ("POST", CONSENTS, "voice consent"),
        ("DELETE", CONSENTS, "voice consent"),
        ("GET", VOICES, "voice"),
        ("DELETE", VOICES, "voice"),
    ],
)
def test_an_unknown_id_is_404(api: Any, method: str, path: str, noun: str) -> None:
    answer = api.request(method, f"{path}/nope_1", json={"name": "x"} if method == "POST" else None)
    assert answer.status_code == 404
    assert told(answer) == f"No {noun} found with id 'nope_1'."


@pytest.mark.parametrize(
    ("body", "kind"),
    [({}, "missing"), ({"name": 7}, "string_type"), ({"name": None}, "string_type")],
)
def test_a_new_name_must_be_a_text(api: Any, body: dict[str, Any], kind: str) -> None:
    path = f"{CONSENTS}/{consent(api).json()['id']}"
    answer = api.post(path, json=body)
    assert answer.status_code == 400
    assert told(answer).startswith(f"[{{'type': '{kind}', 'loc': ('body', 'name')")
    assert api.get(path).json()["name"] == "John Doe"


# What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["name", "language", "recording"])
def test_every_field_of_a_consent_is_required(api: Any, field: str) -> None:
    fields = {key: value for key, value in CONSENT.items() if key != field}
    files = {} if field == "recording" else {"recording": RECORDING}
    answer = api.post(CONSENTS, data=fields, files=files | {"other": b"x"})
    assert answer.status_code == 400
    assert told(answer) == MISSING.format(field)


@pytest.mark.parametrize("field", ["name", "consent", "audio_sample"])
def test_every_field_of_a_voice_is_required(api: Any, field: str) -> None:
    fields = {"name": "x", "consent": consent(api).json()["id"]}
    fields.pop(field, None)
    files = {} if field == "audio_sample" else {"audio_sample": b"x"}
    answer = api.post(VOICES, data=fields, files=files | {"other": b"x"})
    assert answer.status_code == 400
    assert told(answer) == MISSING.format(field)


def test_a_voice_needs_a_consent_that_exists(api: Any) -> None:
    answer = voice(api, consent="cons_nope")
    assert answer.status_code == 404
    assert told(answer) == "No voice consent found with id 'cons_nope'."


@pytest.mark.parametrize(
    "recording",
    [
        *(
            ("a", b"x", f"audio/{kind}")
            for kind in ("mpeg", "wav", "x-wav", "ogg", "aac", "flac", "webm", "mp4")
        ),
        ("a.wav", b"x", "Audio/WAV; codecs=1"),
        ("upload", b"x", "application/octet-stream"),
        ("a.aac", b"x", "application/octet-stream"),
        ("A.MP3", b"x", ""),
    ],
)
def test_the_types_of_the_specification_are_taken(api: Any, recording: Any) -> None:
    assert consent(api, recording).status_code == 200


@pytest.mark.parametrize(
    ("recording", "shown"),
    [
        (("a.wav", b"x", "text/plain"), "text/plain"),
        (("a.txt", b"x", "application/octet-stream"), "application/octet-stream"),
        (("a.opus", b"x", "audio/opus"), "audio/opus"),
    ],
)
def test_other_types_are_refused(api: Any, recording: Any, shown: str) -> None:
    answer = consent(api, recording)
    assert answer.status_code == 400
    assert told(answer) == (
        f"Unsupported file type '{shown}'. Supported MIME types: 'audio/mpeg', 'audio/wav', "
        "'audio/x-wav', 'audio/ogg', 'audio/aac', 'audio/flac', 'audio/webm', 'audio/mp4'."
    )
    assert answer.json()["error"]["param"] == "recording"


def test_an_empty_recording_is_refused(api: Any) -> None:
    answer = consent(api, ("a.wav", b"", "audio/wav"))
    assert answer.status_code == 400
    assert told(answer) == "Audio file might be corrupted or unsupported"


@pytest.mark.parametrize("size", [10 * 2**20 + 1, 12 * 2**20])
def test_more_than_ten_mebibytes_are_413(api: Any, size: int) -> None:
    assert consent(api, ("a.wav", bytes(10 * 2**20), "audio/wav")).status_code == 200
    answer = consent(api, ("a.wav", bytes(size), "audio/wav"))
    assert answer.status_code == 413
    assert answer.json() == {
        "error": {
            "message": "413: Maximum content size limit (10485760) exceeded",
            "type": "server_error",
            "param": None,
            "code": None,
        }
    }


# Lists ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["consents", "voices"])
def test_lists_go_from_page_to_page(open_api: Any, kind: str) -> None:
    api = open_api()
    path = CONSENTS if kind == "consents" else VOICES
    empty = api.get(path).json()
    assert empty == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }
    made = [(consent if kind == "consents" else voice)(api, name=f"{n}").json() for n in range(3)]
    newest_first = made[::-1]
    assert api.get(path).json()["data"] == newest_first
    page = api.get(path, params={"limit": 2}).json()
    assert page == {
        "object": "list",
        "data": newest_first[:2],
        "first_id": newest_first[0]["id"],
        "last_id": newest_first[1]["id"],
        "has_more": True,
    }
    rest = api.get(path, params={"limit": 2, "after": page["last_id"]}).json()
    assert rest["data"] == newest_first[2:]
    assert rest["has_more"] is False


def test_a_page_has_twenty_items_unless_told_otherwise(open_api: Any) -> None:
    api = open_api()
    for _ in range(21):
        consent(api)
    page = api.get(CONSENTS).json()
    assert (len(page["data"]), page["has_more"]) == (20, True)
    assert len(api.get(CONSENTS, params={"limit": 100}).json()["data"]) == 21


@pytest.mark.parametrize(
    ("limit", "message", "code"),
    [
        (
            "0",
            f"{RANGE} below minimum value. Expected a value >= 1, but got {{}} instead.",
            "integer_below_min_value",
        ),
        (
            "101",
            f"{RANGE} above maximum value. Expected a value <= 100, but got {{}} instead.",
            "integer_above_max_value",
        ),
        (
            "many",
            "Invalid type for 'limit': expected an integer, but got a string instead.",
            "invalid_type",
        ),
    ],
)
def test_a_limit_is_a_number_from_1_to_100(api: Any, limit: str, message: str, code: str) -> None:
    answer = api.get(CONSENTS, params={"limit": limit})
    assert answer.status_code == 400
    assert told(answer) == message.format(limit)
    assert (answer.json()["error"]["param"], answer.json()["error"]["code"]) == ("limit", code)


def test_an_unknown_cursor_is_404(api: Any) -> None:
    assert api.get(CONSENTS, params={"after": "cons_nope"}).status_code == 404


# The life of a voice -------------------------------------------------------------------------


def test_a_voice_is_created_shown_and_deleted(api: Any) -> None:
    created = voice(api)
    assert created.status_code == 200
    body = created.json()
    assert list(body) == ["object", "id", "name", "created_at"]
    assert body["id"].startswith("voice_")
    assert (body["object"], body["name"]) == ("audio.voice", "My new voice")
    path = f"{VOICES}/{body['id']}"
    assert api.get(path).json() == body
    assert api.delete(path).json() == {
        "object": "audio.voice.deleted",
        "id": body["id"],
        "deleted": True,
    }
    assert api.get(path).status_code == 404


@pytest.mark.parametrize("name", ["onyx", "Onyx", "ONYX"])
@pytest.mark.parametrize("model", ["gpt-4o-mini-tts", "stub"])
def test_a_voice_named_like_a_local_one_speaks_with_it(api: Any, name: str, model: str) -> None:
    made = voice(api, name=name).json()
    answer = speech(api, {"id": made["id"]}, model)
    assert answer.status_code == 200
    assert answer.content == speech(api, "onyx").content


def test_another_voice_speaks_with_one_that_depends_on_its_sample_alone(api: Any) -> None:
    built_in = {speech(api, name).content: name for name in BUILT_IN}
    assert len(built_in) == 13

    def speaker(sample: bytes, name: str) -> str:
        return built_in[speech(api, {"id": voice(api, sample, name).json()["id"]}).content]

    first = [speaker(bytes([n]), "one") for n in range(8)]
    assert first == [speaker(bytes([n]), "another") for n in range(8)]
    assert len(set(first)) > 2


def test_voices_and_consents_outlive_a_restart(open_api: Any, tmp_path: Path) -> None:
    first = open_api(models=tmp_path)
    made = voice(first, b"sample", "Mine").json()
    audio = speech(first, {"id": made["id"]}).content
    second = open_api(models=tmp_path)
    assert second.get(f"{VOICES}/{made['id']}").json() == made
    assert len(second.get(CONSENTS).json()["data"]) == 1
    assert speech(second, {"id": made["id"]}).content == audio


def test_a_deleted_voice_is_refused(api: Any) -> None:
    id_ = voice(api).json()["id"]
    assert speech(api, {"id": id_}).status_code == 200
    api.delete(f"{VOICES}/{id_}")
    answer = speech(api, {"id": id_})
    assert answer.status_code == 400
    assert told(answer).startswith(f"Invalid value: '{id_}'. Supported values are: 'alloy', ")


def test_a_voice_outlives_its_consent(api: Any) -> None:
    allowed = consent(api).json()["id"]
    id_ = voice(api, consent=allowed).json()["id"]
    api.delete(f"{CONSENTS}/{allowed}")
    assert speech(api, {"id": id_}).status_code == 200


@pytest.mark.parametrize("model", ["gpt-4o-mini-tts", "stub"])
def test_an_id_is_no_name(api: Any, model: str) -> None:
    id_ = voice(api).json()["id"]
    assert speech(api, id_, model).status_code == 400


def test_tts_1_has_no_custom_voices(api: Any) -> None:
    answer = speech(api, {"id": voice(api).json()["id"]}, "tts-1")
    assert answer.status_code == 400
    assert told(answer).startswith("[{'type': 'enum', 'loc': ('body', 'voice')")


def test_the_official_sdk_goes_the_whole_way(open_api: Any) -> None:
    client = openai.OpenAI(
        api_key="sk-test", base_url="http://testserver/v1", http_client=open_api()
    )
    audio = client.audio
    allowed = audio.voice_consents.create(name="Me", language="en", recording=b"recording")
    other = audio.voice_consents.create(name="You", language="en", recording=b"recording")
    assert audio.voice_consents.retrieve(allowed.id) == allowed
    assert audio.voice_consents.update(allowed.id, name="Myself").name == "Myself"
    listed = [found.id for found in audio.voice_consents.list(limit=1)]
    assert listed == [other.id, allowed.id]
    assert audio.voice_consents.delete(other.id).deleted
    made = audio.voices.create(name="Mine", consent=allowed.id, audio_sample=b"sample")
    spoken = audio.speech.create(model="gpt-4o-mini-tts", input="Hello.", voice={"id": made.id})
    assert spoken.content
    with pytest.raises(openai.NotFoundError):
        audio.voice_consents.retrieve(other.id)
