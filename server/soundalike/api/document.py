"""`GET /openapi.json`: the server's own OpenAPI document. Closed to strangers."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from soundalike.api.auth import authenticate_strangers

router = APIRouter()


@router.get("/openapi.json", include_in_schema=False)
async def openapi_document(request: Request) -> JSONResponse:
    await authenticate_strangers(request)
    return JSONResponse(request.app.openapi())
