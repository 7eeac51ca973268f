"""`soundalike serve`."""

import asyncio
import errno
import logging
import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soundalike.cli.banner import banner, reached
from soundalike.cli.descriptors import affordable
from soundalike.cli.engines import check_engines
from soundalike.cli.loading import unbuilt, uncollected
from soundalike.cli.options import read_settings, setting_options, strays
from soundalike.cli.pull import pull_missing
from soundalike.errors import ApiError
from soundalike.keys import is_open_to_others
from soundalike.logs import log_to_stderr
from soundalike.runtime.local import LocalRuntime
from soundalike.served import local_runtime, served_models
from soundalike.settings import ENV_PREFIX, Settings, is_loopback
from soundalike.temporary import UPLOADS, own_folder

if TYPE_CHECKING:
    from soundalike.cli.web_server import WebServer


log = logging.getLogger(__name__)

WAITING = 2048
"""Connections that wait in the kernel to be accepted."""


@click.command()
@setting_options()
def serve(**given: Any) -> None:
    """Serve the API until Ctrl-C.

    Missing weights are pulled first; with --offline, from installed wheels only.

    Keys are given in SOUNDALIKE_API_KEYS, separated by commas, or in a file (--api-keys-file), and
    the token for the control plane in SOUNDALIKE_CONTROL_TOKEN: every user of a machine can read
    the flags of a process.
    """
    settings = read_settings(**given)
    _check(settings)
    log_to_stderr(settings.log_format, settings.log_level, content=settings.log_content)
    for stray in strays(os.environ):
        log.warning("%s", stray)
    if settings.api_keys_file and is_open_to_others(settings.api_keys_file):
        log.warning("%s can be read by other users: chmod 600 it", settings.api_keys_file)
    pull_missing(settings)
    settings = _affordable(settings)
    listening = _listen(settings)
    try:
        with ExitStack() as stack:
            folder = _room_for_uploads(stack)
            asyncio.run(_serve(settings, listening, folder))
    except KeyboardInterrupt:
        pass
    except ApiError as error:
        click.secho(f"Error: {error.message}", fg="red", err=True)
        sys.exit(1)


def _check(settings: Settings) -> None:
    """Refuse what could only fail later, or be regretted.

    Raises:
        click.UsageError: strangers could reach a server without keys, or an engine is not known.
    """
    if not (settings.api_keys or settings.allow_keyless or is_loopback(settings.host)):
        raise click.UsageError(
            f"refusing to listen on {settings.host} without an API key: set "
            f"{ENV_PREFIX}API_KEYS or --api-keys-file, or say --allow-keyless"
        )
    check_engines(settings, "speech", "transcription")


def _room_for_uploads(stack: ExitStack) -> Path:
    """The folder for uploads, which goes with the stack."""
    try:
        folder = stack.enter_context(own_folder())
        (folder / UPLOADS).mkdir()
    except OSError as error:
        raise click.ClickException(
            f"uploads need room for temporary files: {error.strerror}; set TMPDIR to a folder "
            "that can be written"
        ) from None
    return folder


def _affordable(settings: Settings) -> Settings:
    """The settings, with as many connections as this process can have open."""
    connections = affordable(settings.max_connections)
    if connections < settings.max_connections:
        log.warning(
            "this process may have so few files open (ulimit -n) that --max-connections is %d "
            "instead of %d",
            *(connections, settings.max_connections),
        )
    return settings.model_copy(update={"max_connections": connections})


def _listen(settings: Settings) -> socket.socket:
    """The listening socket, before anything heavy is loaded, so that a taken port is told at once.
    Of two that are bound at the same moment the second learns only then that the port is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only on sockets that say they are TCP; without that every
    # small answer waits 40 ms for the client's delayed acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
        listening.listen(WAITING)
    except OSError as error:
        listening.close()
        raise click.ClickException(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}"
            f"{_way_out(settings, error)}"
        ) from None
    return listening


def _way_out(settings: Settings, error: OSError) -> str:
    """What may help where a server cannot listen."""
    if error.errno == errno.EADDRINUSE:
        another = settings.port % 65535 + 1
        return f"; another port may be free: --port {another}, or PORT={another} with make"
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return "; --host takes an address of this machine"
    return ""


async def _serve(settings: Settings, listening: socket.socket, folder: Path) -> None:
    models = served_models(settings)
    runtime = local_runtime(settings, models)
    starting = asyncio.create_task(runtime.open())
    # The first host gets a moment to start; then it is told to open its engine, and does so in a
    # process of its own, while this one loads the web stack in another thread. All that the first
    # requests need besides would hold that up, and so comes when the application starts, at once.
    await asyncio.sleep(0.01)
    await asyncio.to_thread(_load_web_stack)
    server = _web_server(settings, runtime, folder)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await starting
        await server.listens.wait()
        if not server.started:
            raise click.ClickException("the server could not start; its log says why")
        if server.should_exit:
            return
        listening.listen(WAITING)  # which asyncio has set to what it accepts at once
        host, port = listening.getsockname()[:2]
        base_url = f"http://{reached(host)}:{port}/v1"
        if settings.log_format == "json":  # a machine reads it
            log.info("ready at %s", base_url)
        else:
            click.echo(banner(settings, models, base_url))
    except BaseException as error:
        if not (server.should_exit and isinstance(error, ApiError)):  # not just told to end
            server.should_exit = True
            raise
    finally:
        await serving


def _load_web_stack() -> None:
    with uncollected(), unbuilt():
        import soundalike.cli.web_server  # noqa: F401


def _web_server(settings: Settings, runtime: LocalRuntime, folder: Path) -> "WebServer":
    from soundalike.cli.web_server import WebServer

    os.environ.setdefault("OTEL_SERVICE_NAME", "soundalike")  # where traces are wanted
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    with unbuilt():  # which loads what only some servers need
        return WebServer(settings, runtime, folder)
