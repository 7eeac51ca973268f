"""Puts the server together."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.telemetry import TelemetryConfig

from soundalike import __version__
from soundalike.api import (
    document,
    errors,
    health,
    metrics,
    models,
    speech,
    transcriptions,
    translations,
    voice_consents,
    voices,
)
from soundalike.api.access import Doors, shared_across_origins
from soundalike.api.auth import authenticate
from soundalike.api.headers import ServiceHeaders
from soundalike.api.limits import RateLimiter
from soundalike.api.patience import Patience
from soundalike.api.service import Service
from soundalike.api.unheeded import FaultsUnheeded
from soundalike.runtime.base import Runtime
from soundalike.served import ServedModels, local_runtime, served_models
from soundalike.settings import Settings
from soundalike.store.voices import Recordings
from soundalike.telemetry.metrics import Metrics
from soundalike.telemetry.middleware import Observer, is_probe
from soundalike.telemetry.traces import can_send_traces
from soundalike.temporary import UPLOADS, own_folder

TRACES: TelemetryConfig = {
    "tracing": True,
    "operation_spans": False,
    "metrics": False,  # Prometheus has them
    "logs": False,  # they would carry messages of exceptions
    "exclude": is_probe,
}
"""FastAPI's own traces of requests; the runtime adds its spans to them."""

ENDPOINTS = (speech, transcriptions, translations, voices, voice_consents, models)


def create_app(
    settings: Settings, runtime: Runtime | None = None, folder: Path | None = None
) -> FastAPI:
    """The ASGI application. Engines start with its lifespan and end with it.

    Args:
        runtime: what runs the jobs; by default one for this machine, as the settings say.
        folder: for uploads; by default one of its own.
    """
    served = served_models(settings)
    running = runtime or local_runtime(settings, served)
    if settings.is_fixture:
        from soundalike.fixture.scripted import ScriptedRuntime

        running = ScriptedRuntime(running)
    app = FastAPI(
        title="soundalike",
        version=__version__,
        description="A local emulator of the OpenAI Audio API.",
        lifespan=_lifespan(settings, running, served, folder),
        openapi_url=None,  # a route of our own has it, which strangers do not pass
        docs_url=None,  # their pages would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # another path is a 404 in the envelope, not an empty 307
        telemetry={**TRACES, "auto_configure": can_send_traces()},
    )
    app.openapi = _document  # type: ignore[method-assign]
    app.state.metrics = Metrics(running, served.listing)
    errors.install(app)
    _add_layers(app, settings)
    _add_routes(app, settings)
    return app


def _lifespan(
    settings: Settings, runtime: Runtime, served: ServedModels, folder: Path | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        with nullcontext(folder) if folder else own_folder() as room:
            app.state.service = _service(settings, runtime, served, room)
            if settings.is_fixture:
                from soundalike.fixture.scopes import Scopes

                app.state.scopes = Scopes(room / "bodies", settings.seed)
            starting = asyncio.create_task(runtime.start())
            try:
                yield
            finally:
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
                await runtime.close()

    return lifespan


def _service(settings: Settings, runtime: Runtime, served: ServedModels, room: Path) -> Service:
    spool = room / UPLOADS
    spool.mkdir(exist_ok=True)
    return Service(
        settings,
        runtime,
        served,
        spool,
        RateLimiter(settings.rate_limit_requests),
        consents=Recordings(settings.models / ".voices", "cons"),
        voices=Recordings(settings.models / ".voices", "voice"),
    )


def _add_layers(app: FastAPI, settings: Settings) -> None:
    """What a request passes, from the innermost to the outermost, which sees what clients see."""
    app.add_middleware(ServiceHeaders)
    if settings.is_fixture:
        from soundalike.fixture import installation

        installation.install(app)
    else:
        app.add_middleware(FaultsUnheeded)
    app.add_middleware(shared_across_origins, settings=settings)
    app.add_middleware(Doors, settings=settings)
    app.add_middleware(Patience, seconds=settings.client_timeout)
    app.add_middleware(Observer, metrics=app.state.metrics, keep_content=settings.log_content)


def _add_routes(app: FastAPI, settings: Settings) -> None:
    app.include_router(health.router)
    app.include_router(document.router)
    if settings.metrics != "off":
        app.include_router(metrics.router)
    for prefix in ("/v1", ""):  # the bare paths are for SDK test suites, and documented once
        for endpoint in ENDPOINTS:
            app.include_router(
                endpoint.router,
                prefix=prefix,
                dependencies=[Depends(authenticate)],
                include_in_schema=bool(prefix),
            )


def _document() -> dict[str, Any]:
    from soundalike.api.openapi import document

    return document()
