"""Whether traces can be sent where the environment wants them."""

import logging
import os
from importlib.util import find_spec

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Variables that name a collector (OpenTelemetry's specification of its OTLP exporters)."""

log = logging.getLogger(__name__)


def can_send_traces() -> bool:
    """Whether the exporter is installed. Where it is wanted and is not, the log says what to do."""
    wanted = next((name for name in ENDPOINTS if os.environ.get(name)), None)
    turned_off = (
        os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
        or os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
    )
    if wanted is None or turned_off:
        return True
    try:
        found = find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # one of the packages above it
        found = False
    if not found:
        log.warning(
            "%s is set, but nothing that could send traces there is installed: "
            "pip install 'soundalike[otel]'",
            wanted,
        )
    return found
