"""`soundalike doctor`."""

from typing import Any

import click

from soundalike.cli.options import setting_options


@click.command()
@setting_options("models", "engine", "speech_engine", "transcription_engine", "whisper_model")
def doctor(**given: Any) -> None:
    """Say what is found and what is missing, with the command that mends it.

    Exits with 1 when speech or transcription cannot run.
    """
