"""`soundalike models` and `soundalike voices`."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from soundalike.cli.engines import check_engines
from soundalike.cli.options import read_settings, setting_options
from soundalike.errors import ApiError
from soundalike.settings import Settings

if TYPE_CHECKING:
    from soundalike.served import ServedModels


@click.command(short_help="List the model ids that a server would answer to.")
@setting_options("models", "engine", "speech_engine", "transcription_engine", "whisper_model")
def models(**given: Any) -> None:
    """List the model ids that a server would answer to, and what stands behind each."""
    from rich.console import Console
    from rich.table import Table

    from soundalike.contracts.table import PUBLIC_MODELS
    from soundalike.contracts.terms import SpeechContract, TranscriptionContract
    from soundalike.served import WHISPER, served_models

    settings = read_settings(**given)
    check_engines(settings, "speech", "transcription")
    served = served_models(settings)
    table = Table("Model id", "Does", "Behind it", box=None, header_style="bold")
    for name in (*served.public(SpeechContract), served.speech):
        table.add_row(name, "speech", served.speech)
    for name in served.public(TranscriptionContract):
        contract, local = served.find_transcription(name, "transcriptions")
        table.add_row(name, ", ".join(sorted(contract.endpoints)), local)
    for deployment in served.deployments:
        if deployment.kind == "transcription" and deployment.id not in PUBLIC_MODELS:
            table.add_row(deployment.id, "transcriptions, translations", deployment.id)
    Console().print(table)
    if settings.transcription_engine_name == WHISPER:
        for warning in _of_the_store(settings, served):
            click.echo(f"Warning: {warning}", err=True)


def _of_the_store(settings: Settings, served: "ServedModels") -> Iterator[str]:
    """What the table cannot say of the folders in the store."""
    from soundalike.contracts.table import PUBLIC_MODELS
    from soundalike.doctor.storage import absent_weights
    from soundalike.store.errors import StoreError
    from soundalike.store.folder import ModelStore

    store, wanted = ModelStore(settings.models), settings.whisper_model
    try:
        store.check_folder(wanted)
    except StoreError as error:
        yield f"no weights of {wanted}: {error.found}{_way(error.remedy)}"
        return
    absent = absent_weights(store, wanted)
    if absent and absent.status != "ok":
        yield f"no weights of {wanted}: {absent.text}{_way(absent.remedy)}"
    for folder in store.unusable():
        if folder.id != wanted:
            yield f"{folder.path} is not served: {folder.flaw}"
    for deployment in served.deployments:
        if deployment.id in PUBLIC_MODELS and deployment.id != served.transcription:
            yield f"{deployment.config.weights} is not served: OpenAI's {deployment.id} shadows it"


def _way(remedy: str | None) -> str:
    return f"\n  -> {remedy}" if remedy else ""


@click.command()
@setting_options("engine", "speech_engine", "speech_language")
def voices(**given: Any) -> None:
    """List the voices of the speech engine."""
    from rich.console import Console
    from rich.table import Table

    table = Table("Voice", "Sounds like", box=None, header_style="bold")
    settings = read_settings(**given)
    check_engines(settings, "speech")
    try:
        found = asyncio.run(_voices(settings))
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
