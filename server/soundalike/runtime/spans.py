"""The part of a request's trace that the runtime knows: the wait for an engine, and its work.

Where nothing is traced these spans are empty shells of the OpenTelemetry API.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Span


class JobSpans:
    """`queue` from the moment that a job is submitted, then `engine` from that at which the engine
    takes it; both again where it has to wait once more. They are children of the span that is
    current when this is made.

    Args:
        deployment: the local model, as an attribute of both.
    """

    def __init__(self, deployment: str) -> None:
        # The web stack has loaded it by now; a command that starts a host has no need of it.
        from opentelemetry import context, trace

        self._tracer = trace.get_tracer("soundalike")
        self._parent = context.get_current()
        self._attributes = {"soundalike.deployment": deployment}
        self._span = self._begin("queue")

    def taken(self) -> None:
        """The engine begins. Without effect where nobody waits for it any more."""
        self._next("engine")

    def waits(self) -> None:
        """It has to wait once more. Without effect where nobody waits for it any more."""
        self._next("queue")

    def ended(self) -> None:
        """The job is over, or nobody waits for it any more. A second time is of no effect."""
        if self._span.is_recording():
            self._span.end()

    def _next(self, name: str) -> None:
        if self._span.is_recording():
            self._span.end()
            self._span = self._begin(name)

    def _begin(self, name: str) -> "Span":
        return self._tracer.start_span(name, context=self._parent, attributes=self._attributes)
