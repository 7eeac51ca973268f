"""Uploads and answers, kept by their hashes."""

import hashlib
import os
from pathlib import Path

import pytest

from soundalike.fixture.journal import Bodies

SOUND = b"RIFF and so on"
SHA256 = hashlib.sha256(SOUND).hexdigest()


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "upload"
    path.write_bytes(SOUND)
    return path


def test_what_a_file_held_outlives_it(tmp_path: Path, upload: Path) -> None:
    bodies = Bodies(tmp_path / "bodies")
    bodies.keep_file(upload, SHA256)
    upload.unlink()
    assert bodies.read(SHA256) == SOUND
    assert [path.name for path in (tmp_path / "bodies").iterdir()] == [SHA256]


def test_a_file_is_copied_where_it_cannot_be_linked(
    tmp_path: Path, upload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    bodies = Bodies(tmp_path / "bodies")
    bodies.keep_file(upload, SHA256)
    assert bodies.read(SHA256) == SOUND


def test_the_same_body_is_kept_once(tmp_path: Path, upload: Path) -> None:
    bodies = Bodies(tmp_path / "bodies", most=len(SOUND))
    assert bodies.keep(SOUND) == SHA256
    bodies.keep_file(upload, SHA256)
    assert bodies.read(SHA256) == SOUND


def test_the_oldest_go_first(tmp_path: Path, upload: Path) -> None:
    bodies = Bodies(tmp_path / "bodies", most=len(SOUND) + 1)
    bodies.keep_file(upload, SHA256)
    newer = bodies.keep(b"ab")
    assert bodies.read(SHA256) is None
    assert bodies.read(newer) == b"ab"
