"""Whether the server lives, and whether it can do its work. Open to everyone."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from soundalike.api.auth import authenticate_strangers
from soundalike.api.service import CurrentService
from soundalike.errors import AuthenticationError
from soundalike.runtime.base import DIED, Status

router = APIRouter(tags=["Health"])

NOT_OPENED = "it could not be opened"


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="The server answers.")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", summary="The engines are ready.")
async def readyz(request: Request, service: CurrentService) -> Response:
    """Of the engines that are opened at start:

    - `loading`, 503: one of them has not been ready yet;
    - `failed`, 503: one of them could not be opened, and is tried again by and by;
    - `degraded`, 200: all were ready, and one has died since and comes back, by itself or with its
      next request, and requests to it wait; 503 where it could not;
    - `ready`, 200: all were ready, even if they have left memory since.

    A model that opens with its first request counts only where it failed or died: `degraded`.
    """
    preloaded = {(d.kind, d.id) for d in service.models.deployments if d.preload}
    engines = service.runtime.ready()
    needed = [engine for engine in engines if (engine.kind, engine.id) in preloaded]
    status = overall(needed, engines)
    told = reasons(engines, in_full=not await _is_strange(request))
    usable = all(engine.opened and engine.state != "failed" for engine in needed)
    return JSONResponse(
        {
            "status": status,
            "engines": [
                {"id": e.id, "kind": e.kind, "state": e.state, "reason": reason}
                for e, reason in zip(engines, told, strict=True)
            ],
        },
        status_code=200 if usable else 503,
    )


def reasons(engines: Sequence[Status], *, in_full: bool) -> list[str | None]:
    """Why each engine failed; strangers are told no more than that it did."""
    known = (None, DIED)
    return [e.reason if in_full or e.reason in known else NOT_OPENED for e in engines]


async def _is_strange(request: Request) -> bool:
    """Whether the request lacks a key that the metrics would ask for."""
    try:
        await authenticate_strangers(request)
    except AuthenticationError:
        return True
    return False


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
