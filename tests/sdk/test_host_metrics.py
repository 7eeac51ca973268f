"""Metrics of engine hosts that are processes of their own."""

import sys
from typing import Any

import httpx2 as httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

SPEECH = {"model": "tts-1", "voice": "alloy", "input": "Hello.", "response_format": "pcm"}
KEY = {"authorization": "Bearer sk-test"}


def samples(root: str, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """The values of a metric by those of its labels."""
    text = httpx.get(f"{root}/metrics").text
    return {
        tuple(sample.labels[label] for label in labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"soundalike_{name}"
    }


def test_hosts_are_weighed_and_their_restarts_counted(serve: Any) -> None:
    with serve("--engine", "stub") as server:
        if sys.platform == "linux":
            used = samples(server.root, "resident_memory_bytes", "process", "kind")
            assert set(used) == {("server", ""), ("host", "speech"), ("host", "transcription")}
            assert min(used.values()) > 1_000_000
        restarts = samples(server.root, "host_restarts_total", "kind")
        assert restarts == {("speech",): 0, ("transcription",): 0}
        hosts = psutil.Process(server.process.pid).children()
        for host in hosts:
            host.kill()
        psutil.wait_procs(hosts, timeout=20)
        for _ in range(100):
            answer = httpx.post(f"{server.base_url}/audio/speech", json=SPEECH, headers=KEY)
            if answer.status_code == 200:
                break
        assert answer.status_code == 200
        assert samples(server.root, "host_restarts_total", "kind")["speech",] == 1
