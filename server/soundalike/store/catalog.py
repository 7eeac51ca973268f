"""The catalog: what can be pulled, file by file, and from where. Reads one TOML text; pure."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from typing import Any

from soundalike.store.errors import CatalogError

# One path component that does not start with a dot: such a name cannot leave the store's folder,
# nor meet the store's own hidden files.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model: its name in the model's folder, its size in bytes and its hash."""

    path: str
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        if not _PLAIN_NAME.fullmatch(self.path) or not _SHA256.fullmatch(self.sha256):
            raise CatalogError(f"not a file of a model: {self.path!r} with sha256 {self.sha256!r}")


@dataclass(frozen=True, slots=True)
class WheelSource:
    """Installed distributions that carry the files, whole or in pieces to be joined in order.

    `pieces` gives, for each file of the model, paths as the distributions' RECORDs list them;
    `requirement` is what pip installs to have them.
    """

    requirement: str
    distributions: tuple[str, ...]
    pieces: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        return f"wheels ({', '.join(self.distributions)})"


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository of the Hugging Face Hub at one commit; its file names are the model's."""

    repository: str
    revision: str

    def __str__(self) -> str:
        return f"Hugging Face Hub ({self.repository})"


Source = WheelSource | HubSource


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A model that can be pulled. `id` is also the name of its folder in a store."""

    id: str
    engine: str
    description: str
    licence: str
    languages: tuple[str, ...]
    files: tuple[ModelFile, ...]
    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        if not _PLAIN_NAME.fullmatch(self.id) or not self.files or not self.sources:
            raise CatalogError(f"not a model: {self.id!r} needs a plain name, files and sources")

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files)


Catalog = Mapping[str, CatalogEntry]


@cache
def catalog() -> Catalog:
    """The models that this version of soundalike knows, by id."""
    return read_catalog(package_files(__package__).joinpath("catalog.toml").read_text("utf-8"))


def read_catalog(text: str) -> Catalog:
    """The entries of a catalog's TOML text, by id.

    Raises:
        CatalogError: the text is no catalog.
    """
    try:
        entries = [_entry(table) for table in tomllib.loads(text)["models"]]
    except (KeyError, TypeError, ValueError) as error:
        raise CatalogError(f"the catalog cannot be read: {error!r}") from error
    by_id = {entry.id: entry for entry in entries}
    if len(by_id) != len(entries):
        raise CatalogError("the catalog gives one id to two models")
    return by_id


def _entry(table: Mapping[str, Any]) -> CatalogEntry:
    return CatalogEntry(
        id=table["id"],
        engine=table["engine"],
        description=table["description"],
        licence=table["licence"],
        languages=tuple(table["languages"]),
        files=tuple(ModelFile(**file) for file in table["files"]),
        sources=tuple(_sources(table["sources"])),
    )


def _sources(tables: Iterable[Mapping[str, Any]]) -> Iterable[Source]:
    for table in tables:
        match table["kind"]:
            case "wheels":
                yield WheelSource(
                    requirement=table["requirement"],
                    distributions=tuple(table["distributions"]),
                    pieces={file: tuple(paths) for file, paths in table["pieces"].items()},
                )
            case "hub":
                yield HubSource(repository=table["repository"], revision=table["revision"])
            case kind:
                raise ValueError(f"no source is of kind {kind!r}")
