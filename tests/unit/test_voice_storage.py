"""Consents and samples on disk: whole or not there, and never by a client's path."""

import itertools
from pathlib import Path

import pytest

from soundalike.store.folder import ModelStore
from soundalike.store.record import sha256_of
from soundalike.store.voices import Recording, Recordings


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(b"RIFF and so on")
    return path


@pytest.fixture
def consents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recordings:
    ticks = itertools.count(1_700_000_000 * 10**9, 1000)
    monkeypatch.setattr("soundalike.store.voices.time.time_ns", lambda: next(ticks))
    return Recordings(tmp_path / "models" / ".voices", "cons")


def test_a_recording_is_found_by_another_server(
    consents: Recordings, audio: Path, tmp_path: Path
) -> None:
    added = consents.add(audio, "Zoë 谢谢", language="en-US")
    assert added.id.startswith("cons_")
    assert added.created_ns == 1_700_000_000 * 10**9
    assert added.sha256 == sha256_of(audio)
    folder = tmp_path / "models" / ".voices"
    assert Recordings(folder, "cons").find(added.id) == added
    assert (folder / added.id / "recording").read_bytes() == audio.read_bytes()
    assert Recordings(folder, "voice").find(added.id) is None


def test_pages_go_from_the_newest_to_the_oldest(consents: Recordings, audio: Path) -> None:
    one, two, three = (consents.add(audio, name) for name in ("one", "two", "three"))
    assert consents.page(2) == ((three, two), True)
    assert consents.page(2, after=two) == ((one,), False)
    assert consents.page(3) == ((three, two, one), False)
    consents.remove(two)
    assert consents.page(2, after=two) == ((one,), False)
    assert consents.page(0) == ((), True)


def test_a_new_name_is_kept_and_nothing_else_changes(consents: Recordings, audio: Path) -> None:
    added = consents.add(audio, "old", language="fr")
    renamed = consents.rename(added, "new")
    assert (renamed.name, renamed.language, renamed.sha256) == ("new", "fr", added.sha256)
    assert consents.find(added.id) == renamed


def test_what_was_removed_is_gone_with_its_audio(
    consents: Recordings, audio: Path, tmp_path: Path
) -> None:
    added = consents.add(audio, "gone")
    consents.remove(added)
    consents.remove(added)
    assert consents.find(added.id) is None
    assert consents.rename(added, "still gone").name == "still gone"
    assert list((tmp_path / "models" / ".voices").iterdir()) == []


@pytest.mark.parametrize("id_", ["", ".", "..", "../upload", "cons_", "cons_/..", "/etc", "a\0b"])
def test_an_id_is_never_a_path(consents: Recordings, audio: Path, tmp_path: Path, id_: str) -> None:
    consents.add(audio, "there")
    made_up = Recording(id_, "made up", 0, "0" * 64)
    assert consents.find(id_) is None
    consents.rename(made_up, "other")
    consents.remove(made_up)
    assert len(consents.page(10)[0]) == 1
    assert audio.exists()


def test_an_upload_that_cannot_be_copied_leaves_nothing(
    consents: Recordings, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        consents.add(tmp_path / "nowhere", "name")
    assert list((tmp_path / "models" / ".voices").iterdir()) == []


@pytest.mark.parametrize("content", [None, "", "[]", "{", '{"name": "x"}'])
def test_a_folder_that_is_not_a_whole_recording_is_passed_over(
    consents: Recordings, audio: Path, tmp_path: Path, content: str | None
) -> None:
    added = consents.add(audio, "whole")
    broken = tmp_path / "models" / ".voices" / "cons_broken"
    broken.mkdir()
    if content is not None:
        (broken / "recording.json").write_text(content)
    assert consents.page(10) == ((added,), False)
    assert consents.find("cons_broken") is None


def test_a_store_without_voices_has_none_and_voices_are_no_models(
    consents: Recordings, audio: Path, tmp_path: Path
) -> None:
    assert consents.page(10) == ((), False)
    assert consents.find("cons_1") is None
    consents.add(audio, "name")
    assert ModelStore(tmp_path / "models").models() == ()
