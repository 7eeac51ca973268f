"""What an application counts, in the text that Prometheus reads.

Counting is done in plain numbers, on the event loop alone. The library that writes them down is
not loaded before they are first asked for.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from soundalike import __version__
from soundalike.observation import Observation
from soundalike.runtime.base import Load, Runtime
from soundalike.telemetry.memory import resident_bytes

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds: upper bounds of the histograms' buckets."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
"""What a client made up: it must not make new time series."""

ENGINE_LABELS = ("deployment", "kind")
ROUTE_LABELS = ("route", "model")
PROCESS_LABELS = ("process", *ENGINE_LABELS)

_OF_ENGINES: tuple[
    tuple[Literal["counter", "gauge"], str, str, Callable[[Load], float | None]], ...
] = (
    ("gauge", "slots", "Jobs that an engine works on side by side.", lambda load: load.slots),
    ("gauge", "jobs_running", "Jobs that an engine works on.", lambda load: load.running),
    ("gauge", "queue_size", "Jobs that may wait for an engine.", lambda load: load.queue),
    ("gauge", "jobs_queued", "Jobs that wait for an engine.", lambda load: load.queued),
    (
        *("counter", "audio_seconds", "Seconds of audio that were spoken or recognised."),
        lambda load: load.audio_seconds,
    ),
    (
        *("counter", "engine_busy_seconds", "Seconds for which an engine worked on jobs."),
        lambda load: load.busy_seconds,
    ),
    (
        *("gauge", "real_time_factor", "Seconds of work for a second of audio, in the last job."),
        lambda load: load.real_time_factor,
    ),
    (
        *("counter", "host_restarts", "Times that an engine was opened anew after its host died."),
        lambda load: load.restarts,
    ),
)


class _Distribution:
    """How often which durations came."""

    __slots__ = ("_counts", "total")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bounds, and how many durations lie up to each."""
        bounds = (*map(str, BOUNDS), "+Inf")
        return list(zip(bounds, accumulate(map(float, self._counts)), strict=True))


class Metrics:
    """What one application counts of its requests, and what its runtime says of the engines.

    Args:
        models: the ids that are answered to; any other is counted as `other`.
    """

    def __init__(self, runtime: Runtime, models: Iterable[str]) -> None:
        self.in_flight = 0
        self._runtime = runtime
        self._models = frozenset(models)
        self._requests: Counter[tuple[str, str, str, str]] = Counter()
        self._durations: defaultdict[tuple[str, str], _Distribution] = defaultdict(_Distribution)
        self._first_bytes: defaultdict[tuple[str, str], _Distribution] = defaultdict(_Distribution)

    def ended(self, request: Observation, seconds: float) -> None:
        """Count a request that is over.

        Args:
            seconds: from its head to the end of its answer.
        """
        model = request.model or ""
        if model and model not in self._models:
            model = OTHER
        method = request.method if request.method in METHODS else OTHER
        status = "none" if request.status is None else str(request.status)
        self._requests[method, request.route, model, status] += 1
        self._durations[request.route, model].add(seconds)
        if request.first_byte is not None:
            self._first_bytes[request.route, model].add(request.first_byte)

    def exposition(self) -> bytes:
        """Everything, in Prometheus' text format."""
        from prometheus_client import generate_latest

        return generate_latest(self._registry)

    @cached_property
    def _registry(self) -> "CollectorRegistry":
        from prometheus_client import CollectorRegistry

        registry = CollectorRegistry()
        registry.register(self)
        return registry

    def collect(self) -> Iterator["Metric"]:
        """As a collector of `prometheus_client`."""
        from prometheus_client.metrics_core import GaugeMetricFamily

        yield from self._of_requests()
        yield from self._of_engines()
        yield self._memory()
        build = GaugeMetricFamily("soundalike_build_info", "The version.", labels=("version",))
        build.add_metric((__version__,), 1)
        yield build

    def _of_requests(self) -> Iterator["Metric"]:
        from prometheus_client.metrics_core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        labels = ("method", "route", "model", "status")
        requests = CounterMetricFamily("soundalike_requests", "Requests ended.", labels=labels)
        for values, count in self._requests.items():
            requests.add_metric(values, count)
        yield requests
        for name, text, found in (
            ("request_duration", "From a request to the end of its answer.", self._durations),
            ("time_to_first_byte", "From a request to its answer's first byte.", self._first_bytes),
        ):
            family = HistogramMetricFamily(f"soundalike_{name}_seconds", text, labels=ROUTE_LABELS)
            for where, durations in found.items():
                family.add_metric(where, durations.buckets(), durations.total)
            yield family
        yield GaugeMetricFamily(
            "soundalike_requests_in_flight", "Requests being answered.", self.in_flight
        )

    def _of_engines(self) -> Iterator["Metric"]:
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        families = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
        loads = self._runtime.load()
        for kind, name, text, value in _OF_ENGINES:
            family = families[kind](f"soundalike_{name}", text, labels=ENGINE_LABELS)
            for load in loads:
                if (number := value(load)) is not None:
                    family.add_metric((load.id, load.kind), number)
            yield family
        states = GaugeMetricFamily(
            "soundalike_engine_state",
            "1 for the state that an engine is in.",
            labels=(*ENGINE_LABELS, "state"),
        )
        for status in self._runtime.ready():
            states.add_metric((status.id, status.kind, status.state), 1)
        yield states

    def _memory(self) -> "Metric":
        from prometheus_client.metrics_core import GaugeMetricFamily

        family = GaugeMetricFamily(
            "soundalike_resident_memory_bytes", "Memory in use.", labels=PROCESS_LABELS
        )
        if (own := resident_bytes()) is not None:
            family.add_metric(("server", "", ""), own)
        for load in self._runtime.load():
            if load.pid is not None and (used := resident_bytes(load.pid)) is not None:
                family.add_metric(("host", load.id, load.kind), used)
        return family
