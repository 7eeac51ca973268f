"""The one place where errors become responses."""

import json
import logging
import math
import re
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from soundalike.errors import (
    SORRY,
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    Producer,
    ServerError,
    shown,
)

_FIXTURE_PATH = re.compile(r"/_soundalike(/|$)|/s/[^/]+/")

log = logging.getLogger(__name__)


def envelope(error: ApiError) -> dict[str, Any]:
    """The body of an error, all four keys always present."""
    body: dict[str, Any] = {
        "error": {
            "message": error.message,
            "type": error.type,
            "param": error.param,
            "code": error.code,
        }
    }
    if error.billed:
        body["usage"] = {"type": "duration", "seconds": 0}
    return body


def render(error: ApiError, *, audio: bool = True) -> Response:
    """The response that the live service would give: gateway errors are indented, the others
    compact; a wrong key is answered on `audio` routes as plain text with the status in the body,
    elsewhere with a challenge."""
    body = envelope(error)
    content_type = "application/json"
    if error.producer is Producer.GATEWAY:
        content_type = "application/json; charset=utf-8"
        if isinstance(error, AuthenticationError) and error.code and audio:
            inner = body["error"]
            body = {
                "error": {key: inner[key] for key in ("message", "type", "code", "param")},
                "status": error.status,
            }
            content_type = "text/plain"
        text = json.dumps(body, indent=2, ensure_ascii=False)
    else:
        text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    # Bytes and a raw header: Starlette would add a charset to a text type.
    response = Response(text.encode("utf-8", "surrogatepass"), status_code=error.status)
    response.headers["content-type"] = content_type
    if isinstance(error, AuthenticationError) and error.code and not audio:
        response.headers["www-authenticate"] = 'Bearer realm="OpenAI API"'
    if error.retry_after is not None:
        # Rounded up: who comes back even a moment too early is refused again.
        response.headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    return response


def from_http(request: Request, exception: HTTPException) -> ApiError:
    """Starlette's own refusals (no such route, wrong method) in the API's terms."""
    path = shown(request.url.path)
    if exception.status_code == 404:
        hint = _fixture_hint(path, is_fixture=request.app.state.service.settings.is_fixture)
        return NotFoundError(f"Invalid URL ({request.method} {path}){hint}")
    if exception.status_code == 405:
        return MethodNotAllowedError(
            f"Not allowed to {request.method} on {path}. "
            "(HINT: Perhaps you meant to use a different HTTP method?)"
        )
    error = InvalidRequestError(str(exception.detail))
    error.status = exception.status_code
    return error


def _fixture_hint(path: str, *, is_fixture: bool) -> str:
    """What a test is told that takes a server for a fixture, or looks for the control plane."""
    if not _FIXTURE_PATH.match(path):
        return ""
    if is_fixture:
        if not path.startswith("/_soundalike"):
            return ""
        return (
            ". The control plane's routes are in /openapi.json, tagged Control, and in "
            "docs/control-plane.md."
        )
    return (
        ". This server is no fixture: scopes (/s/NAME/v1) and the control plane (/_soundalike) "
        "are there with --fixture on."
    )


def internal(request_id: str) -> ServerError:
    """What a client is told of a fault of the server's own."""
    return ServerError(
        "The server had an error processing your request. Sorry about that! You can retry your "
        "request, or contact us through our help center at help.openai.com if you keep seeing "
        f"this error. (Please include the request ID {request_id} in your email.)"
    )


def in_stream(error: ApiError) -> ApiError:
    """What is told of an error in a stream that has begun, where no status can say it any more.
    The reason of a fault of the server's own goes to the log, as elsewhere."""
    if error.status != 500:
        return error
    log.error("in a stream: %s", error.message)
    return ServerError(SORRY)


def install(app: FastAPI) -> None:
    """Answer every refusal with the envelope. What nobody foresaw, `ServiceHeaders` answers."""

    async def api_error(request: Request, exception: Exception) -> Response:
        assert isinstance(exception, ApiError)
        if exception.status >= 500:
            where = f"{request.method} {request.url.path}"
            log.error("%s: %s (%s)", where, exception.message, request.state.request_id)
        if exception.status == 500:  # the reason is the operator's business, and in the log
            return render(internal(request.state.request_id))
        return render(exception, audio="/audio/" in request.url.path)

    async def http_exception(request: Request, exception: Exception) -> Response:
        assert isinstance(exception, HTTPException)
        response = render(from_http(request, exception))
        if allow := (exception.headers or {}).get("Allow"):
            response.headers["allow"] = allow
        return response

    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(HTTPException, http_exception)
