"""No path from a request reaches the file system: names that lead elsewhere, or to a file that is
there, are put wherever a request has a name, and neither read, written nor removed."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

OPENED: list[str] = []
"""Paths that this process touched while a test watches."""

WATCHED = frozenset(
    {"open", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.mkdir", "os.rmdir"}
)
watching = False


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if watching and event in WATCHED:
        OPENED.extend(os.fsdecode(a) for a in arguments if isinstance(a, str | bytes))


sys.addaudithook(_note)


@pytest.fixture
def touched() -> Iterator[list[str]]:
    """Every path that is opened, listed, made, moved or removed during the test."""
    global watching
    OPENED.clear()
    watching = True
    yield OPENED
    watching = False


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A recording beside the model store that no request has business with."""
    folder = tmp_path / "outside" / "voice_canary"
    folder.mkdir(parents=True)
    (folder / "recording.json").write_text(
        '{"name": "CANARY", "created_ns": 1, "sha256": "0", "language": "en", "consent": null}'
    )
    (folder / "recording").write_bytes(b"CANARY")
    return folder


def names(canary: Path) -> list[str]:
    """Ways to say where the canary is, from the store, from the spool and from anywhere."""
    return [
        str(canary),
        f"{canary}/recording",
        "../outside/voice_canary",
        "../../outside/voice_canary",
        "%2e%2e%2foutside%2fvoice_canary",
        f"file://{canary}/recording",
        f"concat:{canary}/recording",
        f"{canary}/recording\x00.wav",
        "..",
        "/etc/passwd",
    ]


FIELDS = (
    *("model", "language", "prompt", "response_format", "temperature", "stream", "include[]"),
    *("timestamp_granularities[]", "chunking_strategy", "known_speaker_names[]"),
    *("known_speaker_references[]", "languages[]", "keywords[]", "name", "consent", "path"),
)
SPOKEN = ("model", "voice", "input", "instructions", "response_format", "stream_format", "path")


def requests(api: Any, audio: bytes, name: str) -> Iterator[Any]:
    """A request for each place in which a name can be."""
    speech = {"model": "tts-1", "voice": "alloy", "input": "Hello."}
    for field in SPOKEN:
        yield api.post("/v1/audio/speech", json=speech | {field: name})
    yield api.post("/v1/audio/speech", json=speech | {"voice": {"id": name}})
    form = {"model": "gpt-4o-transcribe-diarize", "chunking_strategy": "auto"}
    file = {"file": ("a.wav", audio, "audio/wav")}
    for field in FIELDS:
        yield api.post("/v1/audio/transcriptions", data=form | {field: name}, files=file)
    for sent in (name, f"{name}.wav"):
        named = {"file": (sent, audio, name.replace("\x00", ""))}
        yield api.post("/v1/audio/transcriptions", data=form, files=named)
        recording = {"recording": (sent, audio, "audio/wav")}
        consent = {"name": name, "language": name}
        yield api.post("/v1/audio/voice_consents", data=consent, files=recording)
        sample = {"audio_sample": (sent, audio, "audio/wav")}
        yield api.post("/v1/audio/voices", data={"name": name, "consent": name}, files=sample)
    yield api.post("/v1/audio/transcriptions", data=form, files={name: file["file"]})
    yield api.post(
        "/v1/audio/transcriptions",
        headers={"content-type": "multipart/form-data; boundary=b"},
        content=b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="%b"\r\n\r\n%b\r\n--b--\r\n'
        % (name.encode(), audio),
    )
    quoted = name.replace("%", "%25").replace("\x00", "%00").replace("?", "%3F")
    for escaped in (quoted, quoted.replace("/", "%2F")):
        for kind in ("voices", "voice_consents"):
            yield api.get(f"/v1/audio/{kind}/{escaped}")
            yield api.get(f"/v1/audio/{kind}", params={"after": name})
            yield api.delete(f"/v1/audio/{kind}/{escaped}")
        yield api.post(f"/v1/audio/voice_consents/{escaped}", json={"name": name})
        yield api.get(f"/v1/models/{escaped}")
        yield api.delete(f"/v1/models/{escaped}")
        yield api.get(f"/s/{escaped}/v1/models")
        yield api.get(f"/_soundalike/requests/{escaped}")
        yield api.get(f"/_soundalike/requests/{escaped}/file")
        yield api.delete(f"/_soundalike/scopes/{escaped}")
    yield api.get("/v1/models", headers={"openai-organization": name.replace("\x00", "")})
    stub = {"match": {"endpoint": "speech"}, "answers": [{"audio": name, "file": name}]}
    yield api.post("/_soundalike/stubs", json=stub)


@pytest.mark.parametrize("rules", ["service", "schema"])
def test_no_name_in_a_request_is_a_path(
    open_api: Any,
    canary: Path,
    touched: list[str],
    second_of_silence: bytes,
    tmp_path: Path,
    rules: str,
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    api = open_api(models=store, fixture="on", rules=rules)
    inside = {str(api.app.state.service.spool), str(store)}
    spellings = names(canary)
    answers = 0
    touched.clear()
    for name in spellings:
        for answer in requests(api, second_of_silence, name):
            answers += 1
            assert answer.status_code < 500, (name, answer.request.url, answer.text)
            assert b"CANARY" not in answer.content
    assert answers > 300
    assert any(path.startswith(str(store)) for path in touched)  # the watching works
    seen = {os.path.normpath(path) for path in touched}
    assert not {path for path in seen if "canary" in path or "outside" in path}
    assert "/etc/passwd" not in seen
    assert all(path.startswith(tuple(inside)) for path in seen if str(tmp_path) in path)
    assert (canary / "recording").read_bytes() == b"CANARY"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside", "store"]
    assert {path.name for path in store.iterdir()} == {".voices"}
    kept = [path.name for path in (store / ".voices").iterdir()]
    assert all(name.startswith(("cons_", "voice_")) for name in kept)


@pytest.mark.parametrize("folder", ["../outside", "/etc", ".", "a/../../b", "~/x\x00", "\ud800"])
def test_recordings_stay_below_the_folder_that_the_server_was_started_in(
    open_api: Any,
    canary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    api = open_api(models=tmp_path / "store", fixture="on")
    body = f'{{"folder": "{folder.encode("unicode_escape").decode().replace("x00", "u0000")}"}}'
    answer = api.put("/_soundalike/recordings", content=body)
    assert answer.status_code == 400, answer.text
    assert list(home.iterdir()) == []


def test_recordings_do_not_follow_a_link_out_of_that_folder(
    open_api: Any, canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "link").symlink_to(canary.parent)
    monkeypatch.chdir(home)
    api = open_api(models=tmp_path / "store", fixture="on")
    answer = api.put("/_soundalike/recordings", json={"folder": "link/voice_canary"})
    assert answer.status_code == 400
    assert sorted(path.name for path in canary.iterdir()) == ["recording", "recording.json"]
