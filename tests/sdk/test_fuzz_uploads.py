"""Mutated files of every container: never a 5xx, a hang or a dead server."""

import urllib.request
from typing import Any

import psutil

from bench.fuzz import CONTAINERS, Target, fuzz, originals

CASES = 2000


def test_mutated_files_are_heard_or_refused(serve: Any) -> None:
    with serve("--engine", "stub") as server:
        target = Target(server.root)
        try:
            for extension, data in originals().items():
                assert target.send(f"whole.{extension}", data) == 200
            processes = psutil.Process(server.process.pid).children()
            statuses = fuzz(target, CASES, start=1)
        finally:
            target.close()
        # Both happen often: files are damaged neither beyond recognition nor for show.
        assert min(statuses[200], statuses[400]) > CASES / 20
        assert psutil.Process(server.process.pid).children() == processes  # no host died
        with urllib.request.urlopen(f"{server.root}/healthz") as answer:
            assert answer.status == 200


def test_every_container_is_mutated() -> None:
    named = {"flac", "m4a", "mp3", "mp4", "mpeg", "oga", "ogg", "wav", "webm"}
    assert set(CONTAINERS) >= {*named, "adts.mp3", "aiff.wav"}
