"""What is known of the request under way, for the log and the metrics.

It stands in a context variable, so that whoever learns something of the request, at whichever
depth, can note it, and every line that is logged meanwhile can say which request it is about.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

UNMATCHED = "unmatched"
"""The route of a request that no route takes."""

LONGEST = 256
"""Characters of a path or a model that are kept; a client chooses both."""

MOST_CONTENT = 4096
"""Characters that are kept of each text, where texts are kept at all."""


@dataclass(slots=True)
class Observation:
    """One request and what became of it so far.

    Attributes:
        path: as sent, without the query, which is kept nowhere.
        route: the template that took it, such as `/v1/audio/voices/{voice_id}`.
        model: as sent, whether it is served or not.
        first_byte: seconds from the request to the first byte of the body.
        waited: seconds for which it has waited for its turn at an engine.
        size: bytes of the body so far.
        complete: whether the body had its end, rather than being broken off.
        content: the texts of the request and the answer; None where they are not to be kept.
    """

    method: str
    path: str
    client: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    route: str = UNMATCHED
    model: str | None = None
    status: int | None = None
    first_byte: float | None = None
    waited: float = 0.0
    size: int = 0
    complete: bool = False
    content: dict[str, str] | None = None

    def identity(self) -> Mapping[str, Any]:
        """What tells it from others, known while it is answered."""
        return {
            "request_id": self.request_id,
            "trace_id": self.trace_id,
            "method": self.method,
            "path": self.path[:LONGEST],
            "route": self.route,
            "model": self.model and self.model[:LONGEST],
        }

    def outcome(self) -> Mapping[str, Any]:
        """What became of it; times in seconds."""
        return {
            "status": self.status,
            "first_byte": self.first_byte and round(self.first_byte, 6),
            "waited": round(self.waited, 6),
            "bytes": self.size,
            "complete": self.complete,
            "client": self.client,
            "content": self.content,
        }


current: ContextVar[Observation | None] = ContextVar("observation", default=None)
"""The request that this task answers; None outside of any."""


def note_model(model: str) -> None:
    """The request under way names this model."""
    if observation := current.get():
        observation.model = model


def note_text(name: str, text: str | None) -> None:
    """A text of the request under way or of its answer, or the next part of one. Dropped unless
    the operator asked for such texts."""
    observation = current.get()
    if text and observation and observation.content is not None:
        so_far = observation.content.get(name, "")
        observation.content[name] = (so_far + text)[:MOST_CONTENT]
