"""How uvicorn is told to serve the application, by the command as by the fixture."""

from functools import partial
from typing import TYPE_CHECKING, Any

from soundalike.settings import Settings

if TYPE_CHECKING:
    from soundalike.api.protocol import LimitedProtocol

IDLE = 5
"""Seconds for which a connection is kept after an answer."""

SPARE = 32
"""Connections beyond the most that there may be; on these alone health is told."""

ACCEPTED_AT_ONCE = 64
"""Connections that asyncio accepts in one go, before any of them can be turned away: it takes the
length of the kernel's queue for that too."""


def server_options(settings: Settings) -> dict[str, Any]:
    """Arguments of `uvicorn.Config`. The date is the application's: a fixture can be given one."""
    options: dict[str, Any] = {"log_config": None, "ws": "none", "date_header": False}
    options["access_log"] = False  # the application logs its requests itself
    options["proxy_headers"] = False  # anybody may send them, and the log is to name the sender
    options["timeout_keep_alive"] = IDLE
    options["backlog"] = ACCEPTED_AT_ONCE
    options["http"] = partial(
        _protocol(settings),
        patience=settings.client_timeout,
        most=settings.max_connections,
        spare=SPARE,
    )
    return options


def _protocol(settings: Settings) -> "type[LimitedProtocol]":
    if settings.is_fixture:
        from soundalike.fixture.wire import WiredProtocol

        return WiredProtocol
    from soundalike.api.protocol import LimitedProtocol

    return LimitedProtocol
