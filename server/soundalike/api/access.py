"""Which requests are looked at, by what browsers say of them.

A page of any site can have its visitor's browser send requests to a server on that machine. Two
headers, which no page can forge, give it away: `Origin` names the page's site (RFC 6454), `Host`
the name that the browser looked up, which is the page's own where its owner had that name point to
this machine (DNS rebinding). Applications that are no pages send no `Origin`.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soundalike.api.errors import render
from soundalike.api.headers import ServiceHeaders
from soundalike.errors import ApiError, PermissionDeniedError
from soundalike.settings import Settings, is_loopback

ANY = "*"

EXPOSED = (
    *("date", "retry-after", "x-request-id"),
    *("openai-organization", "openai-processing-ms", "openai-project", "openai-version"),
    *(
        f"x-ratelimit-{figure}-{unit}"
        for figure in ("limit", "remaining", "reset")
        for unit in ("requests", "tokens")
    ),
)
"""Headers of an answer that a page of an allowed origin may read."""


class Doors:
    """Pure ASGI middleware: refuses what a foreign page sends before anything else sees it, and
    has every answer say that its type is not to be guessed.

    Args:
        settings: `cors_origins` and `allowed_hosts`, the host, and whether there are keys.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._origins = settings.cors_origins
        self._hosts = hosts_of(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def unguessed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                MutableHeaders(scope=message).setdefault("x-content-type-options", "nosniff")
            await send(message)

        try:
            self._check(Headers(scope=scope))
        except ApiError as error:
            await ServiceHeaders(render(error))(scope, receive, unguessed)
        else:
            await self._app(scope, receive, unguessed)

    def _check(self, headers: Headers) -> None:
        host = headers.get("host", "")
        if host and self._hosts is not None and not is_known_host(host, self._hosts):
            raise PermissionDeniedError(
                "The server is not known by the name that this request has in its Host header. "
                "Names that it goes by are set with --allowed-hosts."
            )
        origin = headers.get("origin")
        if origin and not self._is_welcome(origin, host):
            raise PermissionDeniedError(
                "Pages of this origin may not use the server. Those that may are set with "
                "--cors-origins."
            )

    def _is_welcome(self, origin: str, host: str) -> bool:
        if ANY in self._origins or origin in self._origins:
            return True
        try:
            return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
        except ValueError:  # it is no URL
            return False


def hosts_of(settings: Settings) -> Collection[str] | None:
    """The names that the server goes by beside those that are anybody's; None is any name at all.

    A stranger's name is of no use where keys are needed and nothing is open without them, so that
    a server that is meant to be reached needs no names until some are set.
    """
    if ANY in settings.allowed_hosts:
        return None
    is_reached = settings.api_keys and not is_loopback(settings.host)
    if is_reached and not settings.allowed_hosts:
        return None
    return {name.lower().rstrip(".") for name in (*settings.allowed_hosts, settings.host)}


def is_known_host(host: str, known: Collection[str]) -> bool:
    """Whether the name in a `Host` header is one of the known ones, or one that nobody can have
    point elsewhere: an address, `localhost` and what is below it (RFC 6761), or a name without a
    dot, which is found on the local network alone."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if name in known or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(name) and "." not in name
    return True


def shared_across_origins(app: ASGIApp, *, settings: Settings) -> ASGIApp:
    """The application, for pages of the allowed origins to use; errors as well as successes."""
    if not settings.cors_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=("DELETE", "GET", "POST"),
        allow_headers=("*",),  # SDKs send a dozen of their own
        expose_headers=EXPOSED,
        allow_private_network=True,
    )
