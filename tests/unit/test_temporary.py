"""The folder of uploads: whose is removed, and whose is not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from soundalike.temporary import LOCK, own_folder

pytestmark = pytest.mark.skipif(not psutil.POSIX, reason="there are no locks on folders")

KEEPS_ONE = """
import sys
from soundalike.temporary import own_folder
with own_folder() as folder:
    (folder / "uploads").mkdir()
    (folder / "uploads" / "a").write_text("a")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def keeper(temporary: Path) -> tuple["subprocess.Popen[str]", Path]:
    """A process with a folder of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPS_ONE],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_the_folder_is_private_and_goes_with_its_server(temporary: Path) -> None:
    with own_folder() as folder:
        assert folder.parent == temporary
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(temporary.iterdir()) == []


def test_only_what_a_killed_server_left_is_removed(temporary: Path) -> None:
    killed, left = keeper(temporary)
    alive, kept = keeper(temporary)
    with killed, alive:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (left / "uploads" / "a").exists()
        with own_folder() as own:
            assert set(temporary.iterdir()) == {kept, own}
            with own_folder() as another:  # of the same process
                assert set(temporary.iterdir()) == {kept, own, another}
        assert (kept / "uploads" / "a").read_text() == "a"
        alive.communicate("")
    assert list(temporary.iterdir()) == []


def test_what_is_not_locked_by_us_is_left_alone(temporary: Path) -> None:
    """A folder that is just being made, one of another programme, links, and what is no folder."""
    (temporary / "elsewhere").mkdir()
    (temporary / "elsewhere" / LOCK).touch()
    (temporary / "soundalike-young").mkdir()
    (temporary / "soundalike-young" / f"{LOCK}.new").touch()
    (temporary / "soundalike-file").touch()
    (temporary / "soundalike-link").symlink_to("elsewhere")
    (temporary / "soundalike-linked").mkdir()
    (temporary / "soundalike-linked" / LOCK).symlink_to(temporary / "elsewhere" / LOCK)
    (temporary / "soundalike-queer").mkdir()
    os.mkfifo(temporary / "soundalike-queer" / LOCK)
    before = sorted(temporary.rglob("*"))
    with own_folder():
        pass
    assert sorted(temporary.rglob("*")) == before


def test_links_in_what_was_left_are_not_followed(temporary: Path) -> None:
    (temporary / "precious").write_text("mine")
    left = temporary / "soundalike-left"
    left.mkdir()
    (left / LOCK).touch()
    (left / "out").symlink_to(temporary)
    with own_folder():
        assert not left.exists()
    assert (temporary / "precious").read_text() == "mine"


def test_the_folders_of_others_are_left_alone(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = temporary / "soundalike-left"
    left.mkdir()
    (left / LOCK).touch()
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    with own_folder():
        assert left.exists()
