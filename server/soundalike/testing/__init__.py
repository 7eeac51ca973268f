"""soundalike as a fixture for tests: a server in this process, what it is to answer, and what it
was asked. With pytest, the plugin `soundalike.testing.plugin` makes fixtures of all this.

Nothing of the server is imported before the first of these names is used. Its modules hide from
pytest's tracebacks (`__tracebackhide__`, of a module as of a function), so that a failure is shown
where the test asked for what failed.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from soundalike.fixture.stubs import Answer
    from soundalike.testing.requests import Request, Requests
    from soundalike.testing.scope import Soundalike
    from soundalike.testing.serving import Server, aserve, serve

__all__ = [
    "Answer",
    "NoRequestsWarning",
    "Request",
    "Requests",
    "Server",
    "Soundalike",
    "aserve",
    "serve",
]

_HOMES = {
    "Answer": "soundalike.fixture.stubs",
    "Request": "soundalike.testing.requests",
    "Requests": "soundalike.testing.requests",
    "Server": "soundalike.testing.serving",
    "Soundalike": "soundalike.testing.scope",
    "aserve": "soundalike.testing.serving",
    "serve": "soundalike.testing.serving",
}


class NoRequestsWarning(UserWarning):
    """A test asked for soundalike, and nothing that it did made a request."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
