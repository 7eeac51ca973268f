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
    """The class of a speech engine. Imports its module, however heavy."""
    return cast("type[SpeechEngine]", find_engine("speech", name).load())


def transcription_engine(name: str) -> type[TranscriptionEngine]:
    """The class of a transcription engine. Imports its module, however heavy."""
    return cast("type[TranscriptionEngine]", find_engine("transcription", name).load())
