"""The server's own OpenAPI document, at `/openapi.json`.

It declares the audio and models routes as OpenAI's document does (same paths below `/v1`, same
operations, fields and limits), with every status that this server gives. The endpoints read their
bodies themselves, so the document is written here rather than derived from signatures; tests hold
it against the routes and against the official one.
"""

from functools import cache
from typing import Any

from soundalike import __version__
from soundalike.api.openapi.operations import PATHS
from soundalike.api.openapi.requests import REQUESTS
from soundalike.api.openapi.responses import RESPONSES


@cache
def document() -> dict[str, Any]:
    """The document; takes the place of FastAPI's own `openapi` method."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "soundalike",
            "version": __version__,
            "description": "A local emulator of the OpenAI Audio API. Not affiliated with OpenAI.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/v1"}],
        "security": [{"ApiKeyAuth": []}],
        "tags": [
            {"name": "Audio", "description": "Text to sound, and sound to text."},
            {"name": "Models", "description": "What is served here."},
            {"name": "Health", "description": "Whether the server lives and can work."},
        ],
        "paths": PATHS,
        "components": {
            "schemas": REQUESTS | RESPONSES,
            "securitySchemes": {"ApiKeyAuth": {"type": "http", "scheme": "bearer"}},
        },
    }
