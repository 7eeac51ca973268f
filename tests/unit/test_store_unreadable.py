"""What a user may not read is told in one error that names it, never as missing, nor by a
traceback."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from soundalike.store.catalog import catalog
from soundalike.store.errors import UnreadableError
from soundalike.store.folder import ModelStore
from soundalike.store.record import RECORD, verify, write_record

BASE = catalog()["whisper-base"]
LET_IN = "let the user who runs soundalike read it, and enter every folder above it"
SERVE = ("serve", "--port", "0", "--offline", "--speech-engine", "stub")
DOCTOR = ("doctor", "--speech-engine", "stub")
LATER = b"\7\0\0\0" + b"\14\0WhisperSpec\0"
"""How weights begin that are taken for a Whisper's, whatever follows."""

PULL = ("pull", "whisper-base", "--offline")


def lay_out(folder: Path) -> Path:
    """A whisper-base whose files have their sizes, though none of their bytes."""
    folder.mkdir(parents=True)
    for file in BASE.files:
        with (folder / file.path).open("wb") as made:
            made.truncate(file.bytes)
    return folder


@contextmanager
def closed(path: Path) -> Iterator[None]:
    """Nobody may read it, nor enter it."""
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        yield
    finally:
        path.chmod(mode)


@pytest.fixture(scope="module")
def bound(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """What runs a command so that the modes of files bind it: they do not bind root."""
    command: tuple[str, ...] = ()
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("the modes of files do not bind root, and there is no setpriv")
        drop = "-dac_override,-dac_read_search"
        command = ("setpriv", f"--bounding-set={drop}", f"--inh-caps={drop}")
    file = tmp_path_factory.mktemp("modes") / "file"
    file.touch()
    code = "import os, sys; sys.exit(os.access(sys.argv[1], os.R_OK))"
    with closed(file):
        done = subprocess.run([*command, sys.executable, "-c", code, str(file)], check=False)
    if done.returncode != 0:
        pytest.skip("the modes of files do not bind here")
    return command


@pytest.mark.parametrize(
    ("command", "name", "told"),
    [
        (SERVE, "store/whisper-base/model.bin", None),
        (SERVE, "store/whisper-base/config.json", None),
        (SERVE, "store/whisper-base", "store/whisper-base/model.bin"),
        (SERVE, "store", None),
        (SERVE, ".", "store"),
        (PULL, "store/whisper-base/model.bin", None),
        (PULL, "store", "store/whisper-base"),
        (PULL, ".", "store"),
        (DOCTOR, "store/whisper-base/model.bin", None),
        (DOCTOR, "store/whisper-base", "store/whisper-base/model.bin"),
        (DOCTOR, ".", "store"),
    ],
)
def test_what_may_not_be_read_is_one_clear_error(
    command: tuple[str, ...], name: str, told: str | None, bound: tuple[str, ...], tmp_path: Path
) -> None:
    folder = lay_out(tmp_path / "closed" / "store" / "whisper-base")
    (folder / RECORD).write_text("{}")  # of files that have changed since
    with closed(tmp_path / "closed" / name):
        done = subprocess.run(
            [*bound, sys.executable, "-m", "soundalike", *command, "--models", folder.parent],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1, done.stderr
    found = f"cannot read {tmp_path / 'closed' / (told or name)}: Permission denied"
    if command is DOCTOR:
        assert done.stderr == ""
        first, remedy = done.stdout.splitlines()[:2]
        assert first.split(maxsplit=2)[1:] == ["weights", found]
    else:
        first, remedy = done.stderr.splitlines()
        assert first == f"Error: {found}"
    assert remedy.strip() == f"-> {LET_IN}"


@pytest.mark.parametrize("name", ["model.bin", "config.json"])
@pytest.mark.parametrize("model", ["whisper-base", "mine"])
def test_weights_are_read_also_where_they_were_verified_once_or_are_somebody_elses(
    model: str, name: str, bound: tuple[str, ...], tmp_path: Path
) -> None:
    folder = lay_out(tmp_path / model)
    if model == BASE.id:
        write_record(BASE, folder)
    else:
        (folder / "model.bin").write_bytes(LATER)
    command = (*SERVE, "--whisper-model", model, "--models", str(tmp_path))
    with closed(folder / name):
        done = subprocess.run(
            [*bound, sys.executable, "-m", "soundalike", *command], capture_output=True, text=True
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"Error: cannot read {folder / name}: Permission denied",
        f"  -> {LET_IN}",
    ]


def test_a_disk_that_fails_is_told_and_no_mode_is_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> str:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    folder = lay_out(tmp_path / "whisper-base")
    monkeypatch.setattr("soundalike.store.record.sha256_of", fail)
    with pytest.raises(UnreadableError, match=r"model\.bin: Input/output error$") as raised:
        verify(BASE, folder)
    assert raised.value.remedy is None


def test_one_model_that_cannot_be_read_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("whisper-base", "whisper-tiny.en"):
        lay_out(tmp_path / name)
    looked = Path.stat

    def refuse(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.parent.name == "whisper-tiny.en":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return looked(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", refuse)
    store = ModelStore(tmp_path)
    assert [model.id for model in store.models()] == ["whisper-base"]
    assert store.path("whisper-base") == tmp_path / "whisper-base"
    with pytest.raises(UnreadableError, match="whisper-tiny"):
        store.path("whisper-tiny.en")
