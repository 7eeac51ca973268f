"""Refuses engines that nobody has installed."""

import click

from soundalike.engines.registry import Kind, UnknownEngineError, find_engine
from soundalike.settings import Settings


def check_engines(settings: Settings, *kinds: Kind) -> None:
    """Look for the engines that the settings name, without loading them.

    Raises:
        click.UsageError: no installed package offers one of them; the text names those that are.
    """
    chosen: dict[Kind, str] = {
        "speech": settings.speech_engine_name,
        "transcription": settings.transcription_engine_name,
    }
    for kind in kinds:
        try:
            find_engine(kind, chosen[kind])
        except UnknownEngineError as error:
            raise click.UsageError(str(error)) from None
