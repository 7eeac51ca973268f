"""Servers are started and ended, and spoken to, as the benchmarks do it."""

import json
import sys
from pathlib import Path

import psutil
import pytest

from bench.client import Client
from bench.machine import facts
from bench.measures.clients import Turnout
from bench.memory import resident
from bench.playback import PCM_BYTES_PER_SECOND
from bench.process import NotReadyError, running, soundalike

TALKS = "import time; print('hello'); print('  Base URL  http://127.0.0.1:9/v1'); time.sleep(60)"


def test_a_server_is_ready_when_it_says_its_address_and_ends_with_the_block() -> None:
    with running([sys.executable, "-c", TALKS]) as server:
        assert server.root == "http://127.0.0.1:9"
        assert psutil.pid_exists(server.pid)
        assert server.started_in > 0
    assert not psutil.pid_exists(server.pid)


def test_a_server_that_ends_is_not_ready_and_what_it_said_is_told() -> None:
    with (
        pytest.raises(NotReadyError, match="no such port"),
        running([sys.executable, "-c", "raise SystemExit('no such port')"]),
    ):
        pass


def test_the_server_of_the_checkout_is_measured_over_http(tmp_path: Path) -> None:
    with running(soundalike("--engine", "stub", "--models", str(tmp_path))) as server:
        assert resident(server.pid)["API"] > 0
        with Client(server.root) as client:
            assert client.get("/healthz") > 0
            spoken = client.speak("Hello there.", "wav")
            assert sum(arrival.size for arrival in spoken.arrivals) == len(spoken.body)
            assert 0 < spoken.first <= spoken.total
            assert client.transcribe(spoken.body)[1]["text"] == "Hello there."
            with client.deltas(spoken.body) as deltas:
                assert "".join(deltas) == "Hello there."
            sound = client.speak("Hello there.", "pcm").body
            assert len(spoken.body) - len(sound) == 44
            assert len(sound) / PCM_BYTES_PER_SECOND > 0.5


def test_a_crowd_is_told_by_clips_per_second_and_by_its_worst_share() -> None:
    turnout = Turnout((4, 2, 3), 3.0)
    assert (turnout.rate, turnout.fairness) == (3.0, 0.5)


def test_the_facts_of_the_machine_can_be_kept() -> None:
    kept = json.loads(json.dumps(facts()))
    assert kept["cores"] >= 1
    assert kept["versions"]["soundalike"]
