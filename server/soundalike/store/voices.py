"""Recordings that clients leave here: consents, and the samples of custom voices.

Each has a folder of its own, named by its id, with the audio as it came and what is known of it as
JSON. A folder is filled under a hidden name and then renamed, so that one which can be seen is
whole. Ids are made here; an id that somebody names is only compared with the folders' names.
"""

import json
import secrets
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile, mkdtemp

from soundalike.store.record import sha256_of

AUDIO = "recording"
ABOUT = "recording.json"


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of one recording.

    Attributes:
        id: as it was made here, such as `cons_` or `voice_` and 24 hexadecimal digits.
        name: the label that its owner gave it.
        created_ns: Unix time in nanoseconds.
        sha256: of the audio's bytes, in hexadecimal digits.
        language: of a consent, the tag of the language that it is spoken in.
        consent: of a voice's sample, the id of the consent to it.
    """

    id: str
    name: str
    created_ns: int
    sha256: str
    language: str | None = None
    consent: str | None = None

    @property
    def age_order(self) -> tuple[int, str]:
        """Sorts recordings from the oldest to the newest."""
        return self.created_ns, self.id


class Recordings:
    """The recordings of one kind in one folder, which need not exist. Every look reads it afresh,
    so that servers may share it.

    Args:
        prefix: how the ids of this kind begin.
    """

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder = folder
        self._prefix = f"{prefix}_"

    def add(
        self, audio: Path, name: str, *, language: str | None = None, consent: str | None = None
    ) -> Recording:
        """Keep a copy of a file under a new id. Whole, or not at all.

        Raises:
            OSError: the folder cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        filling = Path(mkdtemp(prefix=".", dir=self._folder))
        try:
            shutil.copyfile(audio, filling / AUDIO)
            recording = Recording(
                id=self._prefix + secrets.token_hex(12),
                name=name,
                created_ns=time.time_ns(),
                sha256=sha256_of(filling / AUDIO),
                language=language,
                consent=consent,
            )
            _write(filling, recording)
            filling.rename(self._folder / recording.id)
        except BaseException:
            shutil.rmtree(filling, ignore_errors=True)
            raise
        return recording

    def find(self, id_: str) -> Recording | None:
        """The recording of that id, if there is one."""
        folder = self._folder_of(id_)
        return None if folder is None else _read(folder)

    def page(
        self, limit: int, after: Recording | None = None
    ) -> tuple[tuple[Recording, ...], bool]:
        """At most `limit` recordings, the newest first, and whether there are more.

        Args:
            after: only recordings older than this one.
        """
        found = [recording for recording in map(_read, self._folders()) if recording]
        if after is not None:
            found = [recording for recording in found if recording.age_order < after.age_order]
        found.sort(key=lambda recording: recording.age_order, reverse=True)
        return tuple(found[:limit]), len(found) > limit

    def rename(self, recording: Recording, name: str) -> Recording:
        """The recording under another name, which is kept if the recording still is."""
        renamed = replace(recording, name=name)
        if (folder := self._folder_of(recording.id)) is not None:
            with suppress(FileNotFoundError):
                _write(folder, renamed)
        return renamed

    def remove(self, recording: Recording) -> None:
        """Drop a recording, its audio included, unless that was done already."""
        if (folder := self._folder_of(recording.id)) is not None:
            leaving = Path(mkdtemp(prefix=".", dir=self._folder))
            with suppress(FileNotFoundError):
                folder.rename(leaving / recording.id)
            shutil.rmtree(leaving)

    def _folders(self) -> Iterable[Path]:
        try:
            return [path for path in self._folder.iterdir() if path.name.startswith(self._prefix)]
        except (FileNotFoundError, PermissionError):
            return []

    def _folder_of(self, id_: str) -> Path | None:
        return next((path for path in self._folders() if path.name == id_), None)


def _read(folder: Path) -> Recording | None:
    """What a folder says of its recording; None if it was just removed, or is not one of ours."""
    try:
        return Recording(id=folder.name, **json.loads((folder / ABOUT).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write(folder: Path, recording: Recording) -> None:
    about = asdict(recording)
    del about["id"]  # the folder's name says it
    with NamedTemporaryFile("w", encoding="utf-8", dir=folder, prefix=".", delete=False) as fresh:
        json.dump(about, fresh)
    Path(fresh.name).replace(folder / ABOUT)
