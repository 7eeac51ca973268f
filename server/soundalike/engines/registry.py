"""Finds engines by name through entry points, so that other packages can add their own."""

from importlib.metadata import EntryPoint, entry_points
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


def _load(kind: Kind, name: str) -> object:
    found: tuple[EntryPoint, ...] = tuple(entry_points(group=GROUPS[kind], name=name))
    if not found:
        known = ", ".join(engine_names(kind))
        raise UnknownEngineError(f"no {kind} engine is called {name!r}; installed: {known}")
    return found[0].load()


def speech_engine(name: str) -> type[SpeechEngine]:
    """The class of a speech engine. Imports its module, however heavy."""
    return cast("type[SpeechEngine]", _load("speech", name))


def transcription_engine(name: str) -> type[TranscriptionEngine]:
    """The class of a transcription engine. Imports its module, however heavy."""
    return cast("type[TranscriptionEngine]", _load("transcription", name))
