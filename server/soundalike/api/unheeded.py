"""What a server that is no fixture does about requests that take it for one."""

import logging

from starlette.types import ASGIApp, Receive, Scope, Send

FAULT_HEADER = "x-soundalike-fault"
"""By which a request asks a fixture for a fault."""

_NAME = FAULT_HEADER.encode()

log = logging.getLogger(__name__)


class FaultsUnheeded:
    """Pure ASGI middleware: answers a request that asks for a fault like any other, for no header
    of a stranger's may change what a server does that is no fixture; and tells the log why it
    does, once, since whoever is testing wonders."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._told = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._told and any(name == _NAME for name, _ in scope.get("headers", ())):
            self._told = True
            log.warning(
                "X-Soundalike-Fault is ignored: this server is no fixture; "
                "--fixture on (SOUNDALIKE_FIXTURE=on) makes it one"
            )
        await self._app(scope, receive, send)
