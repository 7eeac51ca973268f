"""What the endpoints share: one value on the application's state."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from soundalike.api.limits import RateLimiter
from soundalike.runtime.base import Runtime
from soundalike.served import ServedModels
from soundalike.settings import Settings
from soundalike.store.voices import Recordings


@dataclass(frozen=True, slots=True)
class Service:
    """The running server, as an endpoint sees it. `spool` is the folder for uploads; `voices` are
    the custom ones, by their samples."""

    settings: Settings
    runtime: Runtime
    models: ServedModels
    spool: Path
    limiter: RateLimiter
    consents: Recordings
    voices: Recordings


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


CurrentService = Annotated[Service, Depends(_service)]
