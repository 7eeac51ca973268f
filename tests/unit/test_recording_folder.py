"""The folder that recordings are kept in."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from soundalike.errors import InvalidRequestError, ServerError
from soundalike.fixture.recordings.folder import Folder
from soundalike.fixture.recordings.recorded import (
    RecordedAnswer,
    RecordedFile,
    RecordedRequest,
    Recording,
)

MP3 = RecordedAnswer(
    status=200, headers={"content-type": "audio/mpeg"}, delay=0.5, chunks="0.1:2 0.2:1"
)
JSON = RecordedAnswer(status=200, headers={"content-type": "application/json"}, chunks="0:2")


def speech(text: str) -> RecordedRequest:
    return RecordedRequest(
        endpoint="speech", method="POST", path="/audio/speech", fields={"input": text}
    )


def heard(prompt: str, data: bytes, name: str | None = "hello.WAV") -> RecordedRequest:
    file = RecordedFile(
        field="file",
        name=name,
        content_type=None,
        bytes=len(data),
        sha256=data.hex(),
        container="mov,mp4,m4a",
    )
    return RecordedRequest(
        endpoint="transcriptions",
        method="POST",
        path="/audio/transcriptions",
        fields={"prompt": prompt},
        file=file,
    )


def names(folder: Folder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir() if path.name != ".lock")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "recordings")


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(b"sound")
    return path


def test_a_folder_that_is_not_there_has_no_recordings(folder: Folder) -> None:
    assert folder.read() == ()
    assert not folder.path.exists()


def test_what_is_added_is_read_again(folder: Folder, upload: Path) -> None:
    first = folder.add(speech("hi"), MP3, b"abc", None)
    second = folder.add(heard("x", b"sound"), JSON, b"{}", upload)
    assert [first.id, second.id] == ["0001", "0002"]
    assert names(folder) == [
        *("0001-speech.mp3", "0002-transcription.json", "0002-upload.wav", "index.json")
    ]
    assert Folder(folder.path).read() == [first, second]
    assert folder.body(first) == b"abc"
    assert (folder.path / "0002-upload.wav").read_bytes() == b"sound"
    assert first.answer.timeline() == [(0.1, 2), (0.2, 1)]


def test_the_index_is_readable_and_stable(folder: Folder) -> None:
    folder.add(speech("grüße"), MP3, b"abc", None)
    before = (folder.path / "index.json").read_text("utf-8")
    assert '"input": "grüße"' in before
    assert before.endswith("}\n")
    folder.add(speech("b"), MP3, b"abc", None)
    after = (folder.path / "index.json").read_text("utf-8")
    # Another recording adds lines and changes none but the comma before it.
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert not [line for line in before.splitlines() if line not in after.splitlines()]
    assert any("0002-speech.mp3" in line for line in added)


def test_the_same_upload_is_kept_once(folder: Folder, upload: Path) -> None:
    first = folder.add(heard("a", b"sound"), JSON, b"{}", upload)
    second = folder.add(heard("b", b"sound"), JSON, b"{}", upload)
    assert first.request.file is not None
    assert second.request.file is not None
    assert first.request.file.kept == second.request.file.kept == "0001-upload.wav"
    third = folder.add(heard("c", b"sound"), JSON, b"{}", upload, instead_of=[first])
    assert "0001-upload.wav" in names(folder)
    assert third.id == "0001"
    assert folder.read() == [third, second]


def test_an_upload_without_a_name_has_the_suffix_of_its_container(
    folder: Folder, upload: Path
) -> None:
    folder.add(heard("a", b"sound", name=None), JSON, b"{}", upload)
    folder.add(heard("a", b"other", name="../../x.y/z"), JSON, b"{}", upload)
    assert {"0001-upload.mov", "0002-upload.mov"} <= set(names(folder))


def test_recordings_that_go_take_their_files_along(folder: Folder, upload: Path) -> None:
    old = folder.add(heard("a", b"sound"), JSON, b"{}", upload)
    other = folder.add(speech("b"), MP3, b"abc", None)
    new = folder.add(heard("a", b"sound"), JSON, b"", None, instead_of=[old])
    assert names(folder) == ["0002-speech.mp3", "index.json"]
    assert folder.read() == [new, other]
    # What is gone already is not looked for again: its number is another's by now.
    folder.add(speech("c"), MP3, b"abc", None, instead_of=[old])
    assert [recording.id for recording in folder.read()] == ["0001", "0002", "0003"]


def test_recordings_of_one_request_are_numbered_in_their_order(folder: Folder) -> None:
    first, second, third = (folder.add(speech(text), MP3, b"abc", None) for text in "aab")
    folder.add(speech("c"), MP3, b"abc", None, instead_of=[first])
    again = folder.add(speech("a"), MP3, b"abc", None, instead_of=[third])
    assert (second.id, again.id) == ("0002", "0003")


def test_an_index_that_is_none_is_refused(folder: Folder) -> None:
    folder.path.mkdir()
    index = folder.path / "index.json"
    for text in ("{", "[]", '{"version": 2}', '{"recordings": [{"id": "1"}]}'):
        index.write_text(text)
        with pytest.raises(InvalidRequestError, match="is no index of recordings") as refused:
            folder.read()
        assert refused.value.param == "folder"


def test_an_index_names_files_beside_it_only(folder: Folder) -> None:
    recording = folder.add(speech("a"), MP3, b"abc", None)
    index = folder.path / "index.json"
    index.write_text(index.read_text("utf-8").replace("0001-speech.mp3", "../secret.mp3"), "utf-8")
    with pytest.raises(InvalidRequestError, match="is no index"):
        folder.read()
    assert recording.answer.body == "0001-speech.mp3"


def test_a_body_that_is_missing_is_told_of(folder: Folder) -> None:
    recording = folder.add(speech("a"), MP3, b"abc", None)
    (folder.path / "0001-speech.mp3").unlink()
    with pytest.raises(ServerError, match=r"Recording 0001: .*0001-speech\.mp3"):
        folder.body(recording)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "recordings", tmp_path / ("long" * 100)):
        with pytest.raises(InvalidRequestError, match="cannot be written"):
            Folder(path).check()
    Folder(tmp_path / "new" / "recordings").check()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_crash_leaves_the_index_whole(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = folder.add(speech("a"), MP3, b"abc", None)
    before = names(folder)

    def crash(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(OSError, match="no space"):
        folder.add(speech("b"), MP3, b"def", None)
    monkeypatch.undo()
    assert folder.read() == [kept]
    assert json.loads((folder.path / "index.json").read_bytes())["version"] == 1
    assert [name for name in names(folder) if not name.startswith(".")] == before


def test_several_writers_lose_nothing(folder: Folder) -> None:
    def add(number: int) -> Recording:
        return Folder(folder.path).add(speech(str(number)), MP3, str(number).encode(), None)

    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(add, range(12)))
    assert {recording.id for recording in folder.read()} == {f"{n:04}" for n in range(1, 13)}
    for number, recording in enumerate(added):
        assert folder.body(recording) == str(number).encode()
