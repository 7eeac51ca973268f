"""Puts the server together."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import Depends, FastAPI

from soundalike import __version__
from soundalike.api import (
    errors,
    health,
    models,
    speech,
    transcriptions,
    translations,
    voice_consents,
    voices,
)
from soundalike.api.auth import authenticate
from soundalike.api.headers import ServiceHeaders
from soundalike.api.limits import RateLimiter
from soundalike.api.service import Service
from soundalike.runtime.base import Runtime
from soundalike.served import local_runtime, served_models
from soundalike.settings import Settings
from soundalike.store.voices import Recordings

ENDPOINTS = (speech, transcriptions, translations, voices, voice_consents, models)


def create_app(settings: Settings, runtime: Runtime | None = None) -> FastAPI:
    """The ASGI application. Engines start with its lifespan and end with it.

    Args:
        runtime: what runs the jobs; by default one for this machine, as the settings say.
    """
    served = served_models(settings)
    running = runtime or local_runtime(settings, served)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        with TemporaryDirectory(prefix="soundalike-") as spool:
            app.state.service = Service(
                settings,
                running,
                served,
                Path(spool),
                RateLimiter(settings.rate_limit_requests),
                consents=Recordings(settings.models / ".voices", "cons"),
                voices=Recordings(settings.models / ".voices", "voice"),
            )
            starting = asyncio.create_task(running.start())
            try:
                yield
            finally:
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
                await running.close()

    app = FastAPI(
        title="soundalike",
        version=__version__,
        description="A local emulator of the OpenAI Audio API.",
        lifespan=lifespan,
        docs_url=None,  # their pages would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # another path is a 404 in the envelope, not an empty 307
    )
    app.openapi = _document  # type: ignore[method-assign]
    app.add_middleware(ServiceHeaders)
    errors.install(app)
    app.include_router(health.router)
    for prefix in ("/v1", ""):  # the bare paths are for SDK test suites, and documented once
        for endpoint in ENDPOINTS:
            app.include_router(
                endpoint.router,
                prefix=prefix,
                dependencies=[Depends(authenticate)],
                include_in_schema=bool(prefix),
            )
    return app


def _document() -> dict[str, Any]:
    from soundalike.api.openapi import document

    return document()
