"""The headers that the live service puts on every answer, success and error alike."""

import logging
import time
import uuid
from dataclasses import dataclass
from email.utils import formatdate

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soundalike.api.errors import internal, render
from soundalike.observation import UNMATCHED, current

VERSION = "2020-10-01"
ORGANIZATION = "org-soundalike"
PROJECT = "proj_soundalike"

ROOT = "/v1"
"""The path below which the API stands; at `/` it does so too."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What names and dates one request.

    Attributes:
        time: Unix seconds.
        processing_ms: milliseconds that it is said to have taken; None is what it takes.
    """

    request_id: str
    time: float
    processing_ms: int | None = None


def random_stamp() -> Stamp:
    return Stamp(f"req_{uuid.uuid4().hex}", time.time())


class ServiceHeaders:
    """Pure ASGI middleware: names the request, times it, says who answered, and turns what nobody
    foresaw into a 500 that carries the same headers.

    `openai-processing-ms` is the time until the answer starts, in milliseconds.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        state = scope.setdefault("state", {})
        stamp: Stamp = state.get("stamp") or random_stamp()
        request_id = state["request_id"] = stamp.request_id
        answering = False
        observation = current.get()
        if observation:
            observation.request_id = request_id

        async def send_with_headers(message: Message) -> None:
            nonlocal answering
            if message["type"] == "http.response.start":
                answering = True
                if observation:
                    observation.route = route_template(scope)
                headers = MutableHeaders(scope=message)
                spent = stamp.processing_ms
                if spent is None:
                    spent = round((time.perf_counter() - started) * 1000)
                headers["date"] = formatdate(stamp.time, usegmt=True)
                headers["x-request-id"] = request_id
                headers["openai-processing-ms"] = str(spent)
                headers["openai-version"] = VERSION
                headers["x-content-type-options"] = "nosniff"
                headers["access-control-expose-headers"] = "X-Request-ID"
                headers.update(_account(scope))
                headers.update(scope["state"].get("quota", {}))
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            log.info("%s %s: the client went away", scope["method"], scope["path"])
        except Exception:
            log.exception("%s %s failed (%s)", scope["method"], scope["path"], request_id)
            if answering:
                raise  # too late for an answer: the client must see the stream break
            await render(internal(request_id))(scope, receive, send_with_headers)


def route_template(scope: Scope) -> str:
    """The whole path of the route that took a request, its parameters by their names. A route
    knows its own part of that path only, which the application has at the root too. Nothing of
    the path that was sent gets into it: a client could else make as many of them as it likes."""
    own: str | None = getattr(scope.get("route"), "path_format", None)
    if own is None:
        return UNMATCHED
    return ROOT + own if scope["path"].startswith(f"{ROOT}/") else own


def _account(scope: Scope) -> dict[str, str]:
    """Whose request it is, as the request itself says or else by names of our own. Only the audio
    routes tell, and only to a key that is good: the live service's gateway does not know it."""
    if "key" not in scope["state"] or "/audio/" not in scope["path"]:
        return {}
    headers = Headers(scope=scope)
    return {
        "openai-organization": headers.get("openai-organization") or ORGANIZATION,
        "openai-project": headers.get("openai-project") or PROJECT,
    }
