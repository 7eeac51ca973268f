"""`/metrics`: what is counted, under which labels, and who may read it."""

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from soundalike.observation import Observation
from soundalike.telemetry import metrics as metrics_module
from soundalike.telemetry.memory import resident_bytes

SPEECH = {"model": "tts-1", "voice": "alloy", "input": "Hello there.", "response_format": "wav"}
KEYLESS = {"authorization": ""}


class Scrape:
    """One answer of `/metrics`."""

    def __init__(self, api: Any) -> None:
        answer = api.get("/metrics")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        self.samples = [
            sample
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        ]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples with these labels."""
        return float(sum(sample.value for sample in self.found(name, **labels)))

    def found(self, name: str, **labels: str) -> Iterator[Any]:
        for sample in self.samples:
            if sample.name == f"soundalike_{name}" and labels.items() <= sample.labels.items():
                yield sample


def recognised(api: Any, audio: bytes, **fields: str) -> Any:
    files = {"file": ("hello.wav", audio, "audio/wav")}
    return api.post("/v1/audio/transcriptions", files=files, data={"model": "whisper-1", **fields})


def test_requests_are_counted_by_route_model_and_status(open_api: Any) -> None:
    api = open_api()
    for _ in range(2):
        assert api.post("/v1/audio/speech", json=SPEECH).status_code == 200
    assert api.post("/audio/speech", json=SPEECH).status_code == 200
    assert api.post("/v1/audio/speech", json=SPEECH | {"voice": "nobody"}).status_code == 400
    assert api.get("/v1/audio/voices/voice_1").status_code == 404
    scrape = Scrape(api)
    speech = {"route": "/v1/audio/speech", "model": "tts-1", "method": "POST"}
    assert scrape.value("requests_total", **speech, status="200") == 2
    assert scrape.value("requests_total", **speech, status="400") == 1
    assert scrape.value("requests_total", **speech | {"route": "/audio/speech"}) == 1
    assert scrape.value("requests_total", route="/v1/audio/voices/{voice_id}", status="404") == 1


def test_strangers_make_no_time_series(open_api: Any) -> None:
    api = open_api()
    for number in range(3):
        assert api.get(f"/no/such/path/{number}").status_code == 404
        assert api.post("/v1/audio/speech", json=SPEECH | {"model": f"m{number}"}).is_error
        assert api.request(f"VERB{number}", "/v1/audio/speech").status_code == 405
        assert api.get(f"/v1/models/m{number}/m").status_code == 404
    scrape = Scrape(api)
    assert scrape.value("requests_total", route="unmatched", model="") == 3
    assert scrape.value("requests_total", route="/v1/audio/speech", model="other") == 3
    assert scrape.value("requests_total", route="/v1/audio/speech", method="other") == 3
    assert scrape.value("requests_total", route="/v1/models/{model}") == 3
    assert len(list(scrape.found("requests_total"))) == 4


def test_durations_and_first_bytes_are_distributed(open_api: Any) -> None:
    api = open_api()
    api.post("/v1/audio/speech", json=SPEECH)
    scrape = Scrape(api)
    for name in ("request_duration_seconds", "time_to_first_byte_seconds"):
        where = {"route": "/v1/audio/speech", "model": "tts-1"}
        assert scrape.value(f"{name}_count", **where) == 1
        assert scrape.value(f"{name}_bucket", **where, le="+Inf") == 1
        assert scrape.value(f"{name}_sum", **where) > 0
    assert scrape.value("requests_in_flight") == 1, "the scrape itself"


def test_a_duration_on_a_bound_lies_in_its_bucket() -> None:
    distribution = metrics_module._Distribution()
    for seconds in (0.005, 0.006, 1000.0):
        distribution.add(seconds)
    buckets = dict(distribution.buckets())
    assert (buckets["0.005"], buckets["0.01"], buckets["300.0"], buckets["+Inf"]) == (1, 2, 2, 3)


def test_audio_is_counted_in_seconds_both_ways(open_api: Any) -> None:
    api = open_api()
    audio = api.post("/v1/audio/speech", json=SPEECH).content
    duration = (len(audio) - 44) / 2 / 24_000
    assert recognised(api, audio).status_code == 200
    scrape = Scrape(api)
    for kind in ("speech", "transcription"):
        assert scrape.value("audio_seconds_total", kind=kind) == pytest.approx(duration, abs=0.01)
        assert scrape.value("engine_busy_seconds_total", kind=kind) > 0
        assert scrape.value("real_time_factor", kind=kind) > 0
        assert scrape.value("jobs_running", kind=kind) == 0
        assert scrape.value("jobs_queued", kind=kind) == 0
        assert scrape.value("slots", kind=kind) > 0
        assert scrape.value("queue_size", kind=kind) == 64
        assert scrape.value("host_restarts_total", kind=kind) == 0
        assert scrape.value("engine_state", kind=kind, state="ready") == 1


def test_memory_of_the_server_is_told_where_the_system_tells_it(open_api: Any) -> None:
    used = Scrape(open_api()).value("resident_memory_bytes", process="server")
    assert (used > 1_000_000) == (resident_bytes() is not None)
    assert resident_bytes(2**30) is None


def test_each_application_counts_for_itself(open_api: Any) -> None:
    one, other = open_api(), open_api()
    one.post("/v1/audio/speech", json=SPEECH)
    assert Scrape(one).value("requests_total", route="/v1/audio/speech") == 1
    assert Scrape(other).value("requests_total", route="/v1/audio/speech") == 0


def test_a_request_that_was_never_answered_has_no_status() -> None:
    counted = metrics_module.Metrics(_Idle(), ["tts-1"])  # type: ignore[arg-type]
    counted.ended(Observation("GET", "/"), 1.0)
    assert b'status="none"' in counted.exposition()


class _Idle:
    """A runtime without engines."""

    def load(self) -> tuple[()]:
        return ()

    ready = load


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, 200),
        ({"host": "0.0.0.0"}, 401),
        ({"api_keys": ("sk-good",)}, 401),
        ({"host": "0.0.0.0", "api_keys": ("sk-good",), "metrics": "open"}, 200),
        ({"metrics": "off"}, 404),
    ],
)
def test_strangers_read_metrics_on_loopback_without_keys_only(
    open_api: Any, settings: dict[str, Any], status: int
) -> None:
    api = open_api(**settings)
    assert api.get("/metrics", headers=KEYLESS).status_code == status
    assert api.get("/healthz", headers=KEYLESS).status_code == 200


def test_a_key_opens_metrics_elsewhere(open_api: Any) -> None:
    api = open_api(host="0.0.0.0", api_keys=("sk-good",))
    headers = {"authorization": "Bearer sk-good"}
    assert api.get("/metrics", headers=headers).status_code == 200
    assert api.get("/metrics", headers={"authorization": "Bearer sk-bad"}).status_code == 401


def test_a_fixture_has_metrics_too(open_api: Any) -> None:
    api = open_api(fixture="on")
    assert api.post("/s/mine/v1/audio/speech", json=SPEECH).status_code == 200
    assert Scrape(api).value("requests_total", route="/v1/audio/speech", status="200") == 1


def test_no_path_makes_a_template_of_its_own(open_api: Any) -> None:
    """Routes match a path that ends in a line end too, which is no part of their parameters."""
    api = open_api(api_keys="sk-right", metrics="open")
    paths = ("/v1/models/{}%0A", "/v1/audio/voices/{}%0A", "/models/{}%0A", "/healthz%0A")
    more = (
        "/v1/models/{}%C3%A9",
        "/v1/models/%E2%80%A8{}",
        "/v1/models/%7B{}%7D",
        "//v1/models/{}",
    )
    for number in range(3):
        for path in (*paths, *more):
            api.get(path.format(number), headers=KEYLESS)
            api.get(path.format(number), headers={"authorization": "Bearer sk-right"})
            api.get(f"/s/scope{number}{path.format(number)}", headers=KEYLESS)
    routes = {sample.labels["route"] for sample in Scrape(api).found("requests_total")}
    assert routes <= {
        *("/v1/models/{model}", "/models/{model}", "/v1/audio/voices/{voice_id}"),
        *("/healthz", "unmatched"),
    }
    assert {"/v1/models/{model}", "/models/{model}", "unmatched"} <= routes
