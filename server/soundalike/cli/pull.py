"""`soundalike pull`, and the pull that `serve` does before it says that it is ready."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from soundalike.cli.options import read_settings, setting_options
from soundalike.settings import Settings

if TYPE_CHECKING:
    from soundalike.store.pull import Progress


@click.command(short_help="Fetch a model into the store, or say which there are.")
@click.argument("model", required=False)
@setting_options("models", "offline")
def pull(model: str | None, **given: Any) -> None:
    """Fetch MODEL into the store; without MODEL, say what can be fetched."""
    from soundalike.store.catalog import catalog
    from soundalike.store.folder import ModelStore
    from soundalike.store.pull import pull as pull_model

    settings = read_settings(**given)
    known = catalog()
    if model is None:
        for entry in known.values():
            click.echo(f"{entry.id:18} {entry.bytes / 1e6:5.0f} MB  {entry.description}")
        return
    if model not in known:
        raise click.ClickException(f"nothing is known of {model!r}; known: {', '.join(known)}")
    with _store_errors(), _progress_bar(model) as progress:
        folder = pull_model(
            known[model], ModelStore(settings.models), progress, offline=settings.offline
        )
    click.echo(f"{model} is in {folder}, complete and verified.")


def pull_missing(settings: Settings) -> None:
    """Make sure that the weights which answer for OpenAI's ids are there, and are what they
    should be. Their bytes are looked at only where they have changed since that was known.
    Nothing is pulled into a folder that was chosen and is not there: its name may be mistyped."""
    if settings.transcription_engine_name != "whisper":
        return
    from soundalike.store.folder import ModelStore
    from soundalike.store.record import is_verified

    name = settings.whisper_model
    with _store_errors():
        store = ModelStore(settings.models)
        store.check_folder(name)
        found = next((model for model in store.models() if model.id == name), None)
        if found and (found.entry is None or is_verified(found.entry, found.path)):
            return
        from soundalike.store.pull import ensure
        from soundalike.store.pull import pull as pull_model

        with _progress_bar(name) as progress:
            if found and found.entry:  # of the right size, and changed or never verified
                pull_model(found.entry, store, progress, offline=settings.offline)
            else:
                ensure(store, name, progress, offline=settings.offline)


@contextmanager
def _store_errors() -> Iterator[None]:
    from soundalike.store.errors import StoreError

    try:
        yield
    except StoreError as error:
        remedy = f"\n  -> {error.remedy}" if error.remedy else ""
        raise click.ClickException(f"{error.found}{remedy}") from None


@contextmanager
def _progress_bar(model: str) -> Iterator[Progress]:
    """A bar a file on stderr, which appears with the first byte that is fetched."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as ProgressBar

    bar = ProgressBar(
        TextColumn(f"{model}/{{task.description}}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(stderr=True),
    )
    tasks: dict[str, Any] = {}
    there: dict[str, int] = {}

    def progress(file: str, done: int, total: int) -> None:
        if done == there.setdefault(file, done):
            return  # nothing of it has come yet
        if not tasks:
            bar.start()
        if file not in tasks:
            tasks[file] = bar.add_task(file, total=total)
        bar.update(tasks[file], completed=done)

    try:
        yield progress
    finally:
        if tasks:
            bar.stop()
