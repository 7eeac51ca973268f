"""`GET /metrics`: what Prometheus scrapes. Closed to strangers."""

from fastapi import APIRouter, Request, Response

from soundalike.api.auth import authenticate_strangers
from soundalike.api.service import CurrentService
from soundalike.telemetry.metrics import Metrics

router = APIRouter()

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The version of the text format that every scraper reads."""


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request, service: CurrentService) -> Response:
    if service.settings.metrics != "open":
        await authenticate_strangers(request)
    counted: Metrics = request.app.state.metrics
    return Response(counted.exposition(), headers={"content-type": CONTENT_TYPE})
