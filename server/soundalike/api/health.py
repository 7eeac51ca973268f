"""Whether the server lives, and whether it can do its work. Open to everyone."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from soundalike.api.service import CurrentService

router = APIRouter(tags=["Health"])


@router.get("/healthz", summary="The server answers.")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", summary="The engines are ready.")
async def readyz(service: CurrentService) -> Response:
    """200 with `ready` once every engine was opened that is opened at start, even if it has left
    memory since; 503 before and where one of them failed. Models that open with their first
    request do not count."""
    preloaded = {(d.kind, d.id) for d in service.models.deployments if d.preload}
    engines = service.runtime.ready()
    waiting = {e.state for e in engines if (e.kind, e.id) in preloaded} - {"ready", "unloaded"}
    status = "failed" if "failed" in waiting else "loading" if waiting else "ready"
    return JSONResponse(
        {
            "status": status,
            "engines": [
                {"id": e.id, "kind": e.kind, "state": e.state, "reason": e.reason} for e in engines
            ],
        },
        status_code=503 if waiting else 200,
    )
