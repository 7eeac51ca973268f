"""`soundalike models` and `soundalike voices`."""

import asyncio
from typing import Any

import click

from soundalike.cli.options import read_settings, setting_options
from soundalike.errors import ApiError
from soundalike.settings import Settings


@click.command(short_help="List the model ids that a server would answer to.")
@setting_options("models", "engine", "speech_engine", "transcription_engine", "whisper_model")
def models(**given: Any) -> None:
    """List the model ids that a server would answer to, and what stands behind each."""
    from rich.console import Console
    from rich.table import Table

    from soundalike.contracts.terms import SpeechContract, TranscriptionContract
    from soundalike.served import served_models

    settings = read_settings(**given)
    served = served_models(settings)
    table = Table("Model id", "Does", "Behind it", box=None, header_style="bold")
    for name in (*served.public(SpeechContract), served.speech):
        table.add_row(name, "speech", served.speech)
    for name in served.public(TranscriptionContract):
        contract, local = served.find_transcription(name, "transcriptions")
        table.add_row(name, ", ".join(sorted(contract.endpoints)), local)
    for deployment in served.deployments:
        if deployment.kind == "transcription":
            table.add_row(deployment.id, "transcriptions, translations", deployment.id)
    Console().print(table)


@click.command()
@setting_options("engine", "speech_engine", "speech_language")
def voices(**given: Any) -> None:
    """List the voices of the speech engine."""
    from rich.console import Console
    from rich.table import Table

    table = Table("Voice", "Sounds like", box=None, header_style="bold")
    try:
        found = asyncio.run(_voices(read_settings(**given)))
    except ApiError as error:
        raise click.ClickException(error.message) from None
    for voice in found:
        table.add_row(voice.id, voice.description)
    Console().print(table)


async def _voices(settings: Settings) -> Any:
    from soundalike.runtime.local import LocalRuntime
    from soundalike.served import served_models

    speech = served_models(settings).deployments[0]
    runtime = LocalRuntime([speech])
    try:
        return (await runtime.capabilities("speech", speech.id)).voices
    finally:
        await runtime.close()
