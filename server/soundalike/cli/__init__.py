"""The `soundalike` command: serve, pull, models, voices, doctor."""

import os
import signal
import sys
import threading
from importlib import import_module

import click

from soundalike import __version__
from soundalike.cli.loading import uncollected

# pydantic else reads what every installed package offers it as plugins; nothing here uses any.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

_MODULES = {
    "serve": "soundalike.cli.serve",
    "pull": "soundalike.cli.pull",
    "models": "soundalike.cli.listing",
    "voices": "soundalike.cli.listing",
    "doctor": "soundalike.cli.doctor",
}


class _Commands(click.Group):
    """Imports the module of a command when that command is asked for."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # Before anything is loaded: signals that process 1 does not handle never reach it.
        if args[0] == "serve" and threading.current_thread() is threading.main_thread():
            before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            ctx.call_on_close(lambda: signal.signal(signal.SIGTERM, before))
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _MODULES:
            return None
        with uncollected():
            command: click.Command = getattr(import_module(_MODULES[cmd_name]), cmd_name)
        return command


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="soundalike")
@click.pass_context
def main(ctx: click.Context) -> None:
    """A local emulator of the OpenAI Audio API."""
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        ctx.color = False
    if ctx.invoked_subcommand != "serve":  # which logs them
        from soundalike.cli.options import strays

        for stray in strays(os.environ):
            click.echo(f"Warning: {stray}", err=True)
