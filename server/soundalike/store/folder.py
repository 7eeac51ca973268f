"""A store is a folder of models: one folder each, named by the model's id."""

import os
import shlex
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from soundalike.store.catalog import Catalog, CatalogEntry, catalog
from soundalike.store.errors import ModelMissingError, NoFolderError, UnreadableError
from soundalike.store.location import default_folder
from soundalike.store.reading import exists, is_folder, reading
from soundalike.store.record import is_empty, is_recorded, wrong_sizes
from soundalike.store.weights import flaw

CHECK_FOLDER = "check --models, or SOUNDALIKE_MODELS"


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A usable model. `entry` is None for a folder that somebody dropped in."""

    id: str
    path: Path
    engine: str
    entry: CatalogEntry | None


@dataclass(frozen=True, slots=True)
class UnusableFolder:
    """A folder of the store that is no model; `flaw` says why."""

    id: str
    path: Path
    flaw: str


class ModelStore:
    """The models in one folder. The folder need not exist; every look reads it afresh."""

    def __init__(self, folder: Path, known: Catalog | None = None) -> None:
        self.folder = folder
        self.known: Catalog = catalog() if known is None else known

    @property
    def lacks_folder(self) -> bool:
        """Whether the folder is one that somebody chose and is not there, perhaps for a slip of
        the hand: nothing is pulled into it but what somebody asks `soundalike pull` for.

        Raises:
            UnreadableError: it cannot be told.
        """
        return not self._is_usual and not exists(self.folder)

    def check_folder(self, model_id: str) -> None:
        """Look for the store itself, before a model of it.

        Raises:
            NoFolderError: somebody chose a folder that is not there, or what is no folder.
            UnreadableError: it cannot be told.
        """
        if self.lacks_folder:
            way = f"or have it made: {self._pull(model_id if model_id in self.known else 'MODEL')}"
            raise NoFolderError(f"there is no folder {self.folder}", f"{CHECK_FOLDER}; {way}")
        if exists(self.folder) and not is_folder(self.folder):
            raise NoFolderError(f"{self.folder} is not a folder", CHECK_FOLDER)

    def models(self) -> tuple[StoredModel, ...]:
        """Every usable model, by id: pulled ones whose files are complete, and dropped-in folders
        that hold a whole CTranslate2 Whisper. Hashes nothing."""
        return tuple(found for found in self._found() if isinstance(found, StoredModel))

    def unusable(self) -> tuple[UnusableFolder, ...]:
        """Every other folder, by id, but for hidden ones."""
        return tuple(found for found in self._found() if isinstance(found, UnusableFolder))

    def path(self, model_id: str) -> Path:
        """The folder of a usable model. An id is only ever compared with the folders' names.

        Raises:
            ModelMissingError: there is none of that id; the text names what it lacks, and the way
                to get it.
            UnreadableError: there may be, but the store or its folder cannot be read.
        """
        path = next((path for path in self._paths() if path.name == model_id), None)
        found = self._look(path) if path else None
        if isinstance(found, StoredModel):
            return found.path
        self.check_folder(model_id)
        if model_id in self.known:
            state = (
                f"not whole in {self.folder}: {found.flaw}" if found else f"not in {self.folder}"
            )
            raise ModelMissingError(f"the model {model_id} is {state}", self.remedy(model_id))
        if found:
            raise ModelMissingError(f"{path} is no whole model: {found.flaw}", self._choices())
        text = f"no model is called {model_id!r} in {self.folder}"
        raise ModelMissingError(text, self._choices())

    def remedy(self, model_id: str) -> str:
        """The command that makes a model of the catalog whole. What somebody else put under its
        name is moved aside, never overwritten."""
        pull, folder = self._pull(model_id), self.folder / model_id
        if self.may_fill(model_id):
            return pull
        return f"mv {shlex.quote(str(folder))} {shlex.quote(f'{folder}.old')} && {pull}"

    def may_fill(self, model_id: str) -> bool:
        """Whether a model of the catalog can be pulled, since nobody else's files have its name."""
        folder = self.folder / model_id
        return not is_folder(folder) or is_recorded(folder) or is_empty(folder)

    @property
    def _is_usual(self) -> bool:
        return os.path.realpath(self.folder) == os.path.realpath(default_folder())

    def _pull(self, model_id: str) -> str:
        elsewhere = "" if self._is_usual else f" --models {shlex.quote(str(self.folder))}"
        return f"soundalike pull {model_id}{elsewhere}"

    def _choices(self) -> str:
        """Which models are there, and which can be."""
        there = [model.id for model in self.models()]
        others = [model_id for model_id in self.known if model_id not in there]
        ways = [f"choose what is there ({', '.join(there)})"] if there else []
        if others:
            pull = self._pull(others[0] if len(others) == 1 else "MODEL")
            ways.append(f"first get {' or '.join(others)}: {pull}")
        return ", or ".join(ways)

    def _paths(self) -> list[Path]:
        """All that might be a model; nothing where there is no store."""
        if not is_folder(self.folder):
            return []
        with reading(self.folder):
            return [path for path in self.folder.iterdir() if not path.name.startswith(".")]

    def _found(self) -> list[StoredModel | UnusableFolder]:
        """What every folder is, by id; nothing where there is no store that can be read."""
        found = []
        with suppress(UnreadableError):
            for path in sorted(self._paths()):
                try:
                    found.append(self._look(path))
                except UnreadableError as error:
                    found.append(UnusableFolder(path.name, path, error.found))
        return [folder for folder in found if folder]

    def _look(self, path: Path) -> StoredModel | UnusableFolder | None:
        """What a folder is; None for what is no folder."""
        if not is_folder(path):
            return None
        entry = self.known.get(path.name)
        wrong = wrong_sizes(entry, path) if entry else []
        if entry and not wrong:
            return StoredModel(path.name, path, entry.engine, entry)
        # What has a record was the catalog's once, and something happened to it.
        is_damaged = entry is not None and is_recorded(path)
        if found := "; ".join(wrong) if is_damaged else flaw(path):
            return UnusableFolder(path.name, path, found)
        return StoredModel(path.name, path, "whisper", None)
