"""The outermost layer of the application: sees each request come and its answer go."""

import logging
import time
from collections.abc import Mapping

from opentelemetry import trace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soundalike.observation import Observation, current
from soundalike.telemetry.metrics import Metrics

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Routes that machines ask every few seconds: logged on `debug`, never traced."""

log = logging.getLogger("soundalike.access")


def is_probe(scope: Mapping[str, object]) -> bool:
    return scope.get("path") in PROBES


class Observer:
    """Pure ASGI middleware: counts and logs every request, and tells its trace of the first byte.

    Args:
        metrics: counts the requests.
        keep_content: log the texts that are spoken and heard too.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, keep_content: bool = False) -> None:
        self._app = app
        self._metrics = metrics
        self._keep_content = keep_content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        client = scope.get("client")
        request = Observation(
            scope["method"],
            scope["path"],
            client=client[0] if client else None,
            content={} if self._keep_content else None,
        )
        _begin_trace(scope, request)

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                _answered(request, message)
            elif message["type"] == "http.response.body":
                if chunk := message.get("body"):
                    if request.first_byte is None:
                        _first_byte(request, time.perf_counter() - began)
                    request.size += len(chunk)
                if not message.get("more_body"):
                    request.complete = True
            await send(message)

        token = current.set(request)
        self._metrics.in_flight += 1
        try:
            await self._app(scope, receive, observed)
        finally:
            self._metrics.in_flight -= 1
            current.reset(token)
            seconds = time.perf_counter() - began
            self._metrics.ended(request, seconds)
            _log(request, seconds)


def _begin_trace(scope: Scope, request: Observation) -> None:
    span = trace.get_current_span()
    context = span.get_span_context()
    if context.is_valid:
        request.trace_id = trace.format_trace_id(context.trace_id)
    if span.is_recording() and scope.get("query_string"):
        span.set_attribute("url.query", "REDACTED")  # a client may have put anything there


def _answered(request: Observation, message: Message) -> None:
    request.status = message["status"]
    if request.request_id is None:  # what answered lies outside of the layer that names requests
        sent = dict(message.get("headers", ())).get(b"x-request-id")
        request.request_id = sent.decode("latin-1") if sent else None
    span = trace.get_current_span()
    if span.is_recording():
        found = {"soundalike.request_id": request.request_id, "soundalike.model": request.model}
        span.set_attributes({name: value[:256] for name, value in found.items() if value})


def _first_byte(request: Observation, seconds: float) -> None:
    request.first_byte = seconds
    if trace.get_current_span().is_recording():
        now = time.time_ns()
        tracer = trace.get_tracer("soundalike")
        tracer.start_span("first byte", start_time=now - round(seconds * 1e9)).end(now)


def _log(request: Observation, seconds: float) -> None:
    level = logging.DEBUG if request.route in PROBES else logging.INFO
    if not log.isEnabledFor(level):
        return
    model = f" {request.identity()['model']}" if request.model else ""
    end = "" if request.complete else ", broken off"
    log.log(
        *(level, "%s %s %s%s in %.3f s%s", request.method, request.identity()["path"]),
        *(request.status or "unanswered", model, seconds, end),
        extra={"observation": request, "duration": round(seconds, 6)},
    )
