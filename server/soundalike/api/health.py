"""Whether the server lives, and whether it can do its work. Open to everyone."""

from collections.abc import Sequence

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from soundalike.api.service import CurrentService
from soundalike.runtime.base import Status

router = APIRouter(tags=["Health"])


@router.get("/healthz", summary="The server answers.")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", summary="The engines are ready.")
async def readyz(service: CurrentService) -> Response:
    """Of the engines that are opened at start:

    - `loading`, 503: one of them has not been ready yet;
    - `failed`, 503: one of them could not be opened, and is tried again by and by;
    - `degraded`, 200: all were ready, and one has died since and comes back, by itself or with its
      next request; 503 where it could not;
    - `ready`, 200: all were ready, even if they have left memory since.

    A model that opens with its first request counts only where it failed or died: `degraded`.
    """
    preloaded = {(d.kind, d.id) for d in service.models.deployments if d.preload}
    engines = service.runtime.ready()
    needed = [engine for engine in engines if (engine.kind, engine.id) in preloaded]
    status = overall(needed, engines)
    usable = all(engine.opened and engine.state != "failed" for engine in needed)
    return JSONResponse(
        {
            "status": status,
            "engines": [
                {"id": e.id, "kind": e.kind, "state": e.state, "reason": e.reason} for e in engines
            ],
        },
        status_code=200 if usable else 503,
    )


def overall(needed: Sequence[Status], engines: Sequence[Status]) -> str:
    """One word for how the server stands.

    Args:
        needed: the engines that it must have to be ready.
    """
    new = [engine for engine in needed if not engine.opened]
    if any(engine.reason for engine in new):  # it stays while it is tried again
        return "failed"
    if new:
        return "loading"
    return "degraded" if any(engine.reason for engine in engines) else "ready"
