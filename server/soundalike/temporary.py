"""The folder of a server's uploads, which goes when the server ends, or when the next starts."""

import os
import stat
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, gettempdir

PREFIX = "soundalike-"

LOCK = "lock"
"""A file in the folder that is locked for as long as its server lives, however that ends. What has
none is not ours, or is just being made."""


UPLOADS = "uploads"
"""The folder in it for uploads."""


@contextmanager
def own_folder() -> Generator[Path]:
    """A new folder that no other user can read. Those of servers that were killed are removed.

    Raises:
        OSError: there is no room for it.
    """
    if sys.platform != "win32":
        _sweep(Path(gettempdir()))
    with TemporaryDirectory(prefix=PREFIX) as name, ExitStack() as stack:
        folder = Path(name)
        with suppress(OSError):  # a file system without locks: then the folder is never swept
            stack.callback(os.close, _locked(folder))
        yield folder


def _locked(folder: Path) -> int:
    """The folder's lock, held by this process until it is closed. It gets its name only then, so
    that nobody finds it free before."""
    held = os.open(folder / f"{LOCK}.new", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _lock(held)
        (folder / f"{LOCK}.new").rename(folder / LOCK)
    except BaseException:
        os.close(held)
        raise
    return held


def _lock(file: int) -> None:
    """Raises OSError where another process has it, or where there are no locks."""
    try:
        import fcntl
    except ImportError as error:  # Windows
        raise OSError("no locks here") from error
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sweep(parent: Path) -> None:
    """Remove the folders of this user's servers that have ended without doing so."""
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_left(Path(entry.path))


def _remove_left(folder: Path) -> None:
    """Remove a folder if its lock is there, ours, and free; raises OSError where it is not."""
    with ExitStack() as stack:
        inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        stack.callback(os.close, inside)
        lock = os.open(LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=inside)
        stack.callback(os.close, lock)
        ours = all(os.fstat(file).st_uid == os.getuid() for file in (inside, lock))
        if not ours or not stat.S_ISREG(os.fstat(lock).st_mode):
            return
        _lock(lock)
        rmtree(folder, ignore_errors=True)  # follows no links
