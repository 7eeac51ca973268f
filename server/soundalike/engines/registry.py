"""Finds engines by name through entry points, so that other packages can add their own."""

from importlib.metadata import (
    EntryPoint,
    EntryPoints,
    PackageNotFoundError,
    distribution,
    entry_points,
)
from typing import Literal, cast

from soundalike.engines.base import SpeechEngine, TranscriptionEngine
from soundalike.errors import ServerError

Kind = Literal["speech", "transcription"]

GROUPS: dict[Kind, str] = {
    "speech": "soundalike.speech_engines",
    "transcription": "soundalike.transcription_engines",
}


class UnknownEngineError(LookupError):
    """No installed package offers an engine of that name."""


def engine_names(kind: Kind) -> tuple[str, ...]:
    """The names of the installed engines of one kind, sorted."""
    return tuple(sorted(entry_points(group=GROUPS[kind]).names))


def find_engine(kind: Kind, name: str) -> EntryPoint:
    """Where the engine of a name is.

    Raises:
        UnknownEngineError: no installed package offers it.
    """
    # Our own first: to read what every installed package offers takes longer the more there are.
    for find in (_own, entry_points):
        for point in find(group=GROUPS[kind], name=name):
            return point
    known = ", ".join(engine_names(kind))
    raise UnknownEngineError(f"no {kind} engine is called {name!r}; installed: {known}")


def _own(*, group: str, name: str) -> EntryPoints:
    try:
        return distribution("soundalike").entry_points.select(group=group, name=name)
    except PackageNotFoundError:  # run from a folder
        return EntryPoints()


def speech_engine(name: str) -> type[SpeechEngine]:
    """The class of a speech engine. Imports its module, however heavy.

    Raises:
        UnknownEngineError: no installed package offers it.
        ServerError: a package that it needs is not installed.
    """
    return cast("type[SpeechEngine]", _loaded("speech", name))


def transcription_engine(name: str) -> type[TranscriptionEngine]:
    """The class of a transcription engine. Imports its module, however heavy.

    Raises:
        As `speech_engine`.
    """
    return cast("type[TranscriptionEngine]", _loaded("transcription", name))


def _loaded(kind: Kind, name: str) -> object:
    point = find_engine(kind, name)
    try:
        return point.load()
    except ModuleNotFoundError as error:
        way = f"; to mend it: pip install {point.dist.name}" if point.dist else ""
        text = f"the {kind} engine {name} lacks the package {error.name}{way}"
        raise ServerError(text) from error
