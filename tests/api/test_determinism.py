"""The stub engine's answers: the same bytes in every run, on every machine."""

import hashlib
from typing import Any

import pytest
from starlette.testclient import TestClient

from soundalike.runtime.local import LocalRuntime

SPOKEN = "The quick brown fox, twice: 1, 2."

SOUNDS = {
    "pcm": "6704f6121ee794a4620fb9987418de12603a65bc6141cfcbd50d25b4e59a549d",
    "wav": "e22e8fe1ff62529b3dd0868c9e840c6d9e3f13c6f85885ef2f01150fd94dd0be",
}
"""Hashes of what is spoken, of the formats that no codec library has a part in."""


def speak(api: TestClient, path: str = "", **fields: Any) -> Any:
    body = {"model": "tts-1", "voice": "alloy", "input": SPOKEN} | fields
    return api.post(f"{path}/v1/audio/speech", json=body)


def transcribe(api: TestClient, audio: bytes, path: str = "", **fields: Any) -> Any:
    return api.post(
        f"{path}/v1/audio/transcriptions",
        data={"model": "whisper-1"} | fields,
        files={"file": ("hi.wav", audio, "audio/wav")},
    )


@pytest.mark.parametrize("form", SOUNDS)
def test_sounds_are_those_of_every_machine(api: TestClient, form: str) -> None:
    spoken = speak(api, response_format=form).content
    assert hashlib.sha256(spoken).hexdigest() == SOUNDS[form]


@pytest.mark.parametrize("form", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_two_servers_speak_the_same(open_api: Any, form: str) -> None:
    one, other = (speak(open_api(), response_format=form).content for _ in range(2))
    assert one == other


@pytest.mark.parametrize("form", ["json", "text", "srt", "verbose_json", "vtt"])
def test_two_servers_hear_the_same(open_api: Any, form: str) -> None:
    one, other = open_api(), open_api()
    sound = speak(one, response_format="wav").content
    heard = [transcribe(api, sound, response_format=form).text for api in (one, other)]
    assert heard[0] == heard[1]
    assert "quick brown fox" in heard[0]


def test_streams_are_the_same(open_api: Any) -> None:
    one, other = open_api(), open_api()
    sound = speak(one, response_format="wav").content
    fields = {"model": "gpt-4o-transcribe", "stream": "true"}
    heard = [transcribe(api, sound, **fields).text for api in (one, other)]
    assert heard[0] == heard[1]
    assert "transcript.text.done" in heard[0]


def test_a_seed_gives_ids_and_times(open_api: Any) -> None:
    def told(seed: int | None, scope: str = "a") -> list[tuple[str, ...]]:
        api = open_api(seed=seed)
        answers = [speak(api, path=f"/s/{scope}") for _ in range(2)]
        names = ("x-request-id", "openai-processing-ms", "date")
        return [tuple(answer.headers[name] for name in names) for answer in answers]

    assert told(7) == told(7)
    assert told(7) != told(8)
    assert told(7)[0] != told(7)[1]
    assert told(7) != told(7, "b")
    assert told(None)[0][0] != told(None)[0][0]


def test_an_upload_is_looked_into_once(open_api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[object] = []
    inspect = LocalRuntime.inspect

    async def counted(self: LocalRuntime, model: str, path: Any) -> Any:
        looked.append(path)
        return await inspect(self, model, path)

    monkeypatch.setattr(LocalRuntime, "inspect", counted)
    api = open_api()
    sound = speak(api, response_format="wav").content
    for scope in ("a", "b", "a"):
        assert transcribe(api, sound, path=f"/s/{scope}").status_code == 200
    assert len(looked) == 1
    files = [r["file"] for r in api.get("/s/b/_soundalike/requests").json()["requests"]]
    assert [file["seconds"] > 0.5 for file in files] == [True]
