"""A store is a folder of models: one folder each, named by the model's id."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from soundalike.store.catalog import Catalog, CatalogEntry, catalog
from soundalike.store.errors import ModelMissingError
from soundalike.store.location import default_folder
from soundalike.store.record import has_expected_sizes, is_empty, is_recorded
from soundalike.store.weights import is_whole_whisper


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A usable model. `entry` is None for a folder that somebody dropped in."""

    id: str
    path: Path
    engine: str
    entry: CatalogEntry | None


class ModelStore:
    """The models in one folder. The folder need not exist; every look reads it afresh."""

    def __init__(self, folder: Path, known: Catalog | None = None) -> None:
        self.folder = folder
        self.known: Catalog = catalog() if known is None else known

    @property
    def lacks_folder(self) -> bool:
        """Whether the folder is one that somebody chose and is not there, perhaps for a slip of
        the hand: only a pull that is asked for makes it."""
        return self.folder != default_folder() and not self.folder.exists()

    def models(self) -> tuple[StoredModel, ...]:
        """Every usable model, by id: pulled ones whose files are complete, and dropped-in folders
        that hold a whole CTranslate2 Whisper. Hashes nothing; hidden folders are passed over, and
        a store that may not be read holds none."""
        if not self.folder.is_dir():
            return ()
        try:
            folders = [path for path in self.folder.iterdir() if not path.name.startswith(".")]
        except PermissionError:
            return ()
        found = (self._model(path) for path in folders if path.is_dir())
        return tuple(sorted((model for model in found if model), key=lambda model: model.id))

    def path(self, model_id: str) -> Path:
        """The folder of a usable model. An id is only ever compared with the folders' names.

        Raises:
            ModelMissingError: there is none of that id; the text names the way to get it.
        """
        models: Mapping[str, StoredModel] = {model.id: model for model in self.models()}
        if model_id in models:
            return models[model_id].path
        if model_id in self.known:
            state = "not whole" if (self.folder / model_id).is_dir() else "not"
            raise ModelMissingError(
                f"the model {model_id} is {state} in {self.folder}", self.remedy(model_id)
            )
        names = ", ".join(dict.fromkeys((*models, *self.known)))
        raise ModelMissingError(
            f"no model is called {model_id!r} in {self.folder}",
            f"choose one of {names}, or put its folder there",
        )

    def remedy(self, model_id: str) -> str:
        """The command that makes a model of the catalog whole. What somebody else put under its
        name is moved aside, never overwritten."""
        pull = f"soundalike pull {model_id}"
        if self.folder != default_folder():
            pull += f" --models {shlex.quote(str(self.folder))}"
        folder = self.folder / model_id
        if not folder.is_dir() or is_recorded(folder) or is_empty(folder):
            return pull
        return f"mv {shlex.quote(str(folder))} {shlex.quote(f'{folder}.old')} && {pull}"

    def _model(self, path: Path) -> StoredModel | None:
        entry = self.known.get(path.name)
        if entry and has_expected_sizes(entry, path):
            return StoredModel(path.name, path, entry.engine, entry)
        if entry and is_recorded(path):
            return None  # it was the catalog's once, and something happened to it
        return StoredModel(path.name, path, "whisper", None) if is_whole_whisper(path) else None
