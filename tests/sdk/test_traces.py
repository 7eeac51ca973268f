"""Traces: sent to a collector where one is named, with a request's waits, and without content."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2 as httpx
import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra otel")
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

PARENT = "4bf92f3577b34da6a3ce929d0e0e4736"
KEY = "sk-canary-key-0123456789"
CONTENT = "zebra canary quagga"


class Collector:
    """Takes what is exported over OTLP/HTTP."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes]] = []
        collected = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                collected.append((self.path, body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def spans(self) -> Iterator[tuple[str, Any]]:
        """Each with the name of the service that it comes from."""
        for _, body in self.requests:
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = {a.key: a.value.string_value for a in group.resource.attributes}
                for scope in group.scope_spans:
                    yield from ((names["service.name"], span) for span in scope.spans)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


def traced_requests(**environment: str) -> str:
    """What a server writes that is asked a few things and then ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "soundalike", "serve", "--engine", "stub", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    output = ""
    try:
        while "Try it" not in output:
            line = process.stdout.readline()
            assert line, output
            output += line
        found = re.search(r"http://\S+/v1", output)
        assert found
        headers = {
            "authorization": f"Bearer {KEY}",
            "traceparent": f"00-{PARENT}-00f067aa0ba902b7-01",
        }
        with httpx.Client(base_url=found.group(), headers=headers) as client:
            body = {"model": "tts-1", "voice": "alloy", "input": CONTENT}
            answer = client.post("/audio/speech", params={"key": KEY}, json=body)
            assert answer.status_code == 200
            assert client.get(found.group().replace("/v1", "/readyz")).status_code == 200
    finally:
        process.terminate()
        output += process.communicate(timeout=30)[0]
    return output


def test_a_request_is_traced_with_its_waits_and_without_its_content(collector: Collector) -> None:
    output = traced_requests(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert {path for path, _ in collector.requests} == {"/v1/traces"}
    found = {span.name: span for service, span in collector.spans() if service == "soundalike"}
    assert set(found) == {"POST /v1/audio/speech", "queue", "engine", "first byte"}
    request = found.pop("POST /v1/audio/speech")
    assert request.trace_id.hex() == PARENT
    attributes = {a.key: a.value.string_value for a in request.attributes}
    assert attributes["http.route"] == "/v1/audio/speech"
    assert attributes["soundalike.model"] == "tts-1"
    assert attributes["soundalike.request_id"].startswith("req_")
    assert attributes["url.query"] == "REDACTED"
    for span in found.values():
        assert span.trace_id == request.trace_id
        assert span.parent_span_id == request.span_id
        assert span.start_time_unix_nano <= span.end_time_unix_nano <= request.end_time_unix_nano
    assert found["queue"].end_time_unix_nano <= found["engine"].start_time_unix_nano
    sent = b"".join(body for _, body in collector.requests)
    for secret in (KEY, CONTENT, "quagga"):
        assert secret.encode() not in sent
    assert PARENT not in output, "the log of text stays short"


def test_nothing_is_sent_unless_a_collector_is_named(collector: Collector) -> None:
    traced_requests(OTEL_EXPORTER_OTLP_ENDPOINT="", OTEL_SERVICE_NAME="soundalike")
    traced_requests(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SDK_DISABLED="true")
    assert collector.requests == []
