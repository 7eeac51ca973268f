"""Spans of jobs, as an exporter gets them."""

import pytest
from opentelemetry import trace

from soundalike.runtime.spans import JobSpans

sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="needs the extra otel")


def test_an_engine_that_takes_a_job_nobody_waits_for_begins_no_span(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[str] = []

    class Exporter(sdk.SpanProcessor):  # type: ignore[misc, name-defined]
        def on_end(self, span: sdk.ReadableSpan) -> None:  # type: ignore[name-defined]
            ended.append(span.name)

    provider = sdk.TracerProvider()
    provider.add_span_processor(Exporter())
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    spans = JobSpans("model")
    spans.ended()
    spans.taken()
    spans.waits()
    spans.ended()
    assert ended == ["queue"]
    again = JobSpans("model")
    again.taken()
    again.waits()
    again.taken()
    again.ended()
    assert ended[1:] == ["queue", "engine", "queue", "engine"]
    assert caplog.text == ""
