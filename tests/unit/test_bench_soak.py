"""The soak sees what it is there to see: leaks, lost requests, things that stay behind."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from click.testing import CliRunner

from bench.soak.__main__ import main
from bench.soak.flatness import ROOM, trends
from bench.soak.outcomes import Outcome, Verdict, lost
from bench.soak.report import Soak
from bench.soak.requests import FailedError, RefusedError, done, hostile, judged, repeated
from bench.soak.traffic import playable
from bench.soak.vitals import FIGURES, Sample, Vitals

FLAT = Sample(0, 60, 200, 11, 21, 6, 20, 5, 0)
RESTS = [(float(begin), begin + 5.0) for begin in range(10, 400, 50)]


def series(grown: Callable[[int], dict[str, Any]]) -> list[Sample]:
    """A sample for each of 400 seconds."""
    return [replace(FLAT, seconds=float(second), **grown(second)) for second in range(400)]


def rising(samples: list[Sample]) -> set[str]:
    return {trend.figure for trend in trends(samples, RESTS, 400) if not trend.flat}


def test_a_flat_run_is_flat_whatever_work_takes_meanwhile() -> None:
    def busy(second: int) -> dict[str, Any]:
        working = second % 50 not in range(10, 16)
        return {name: second if working else getattr(FLAT, name) for name in FIGURES}

    assert rising(series(busy)) == set()


@pytest.mark.parametrize("figure", FIGURES)
def test_a_leak_of_anything_is_seen(figure: str) -> None:
    start = getattr(FLAT, figure)
    room = ROOM[figure]
    leaked = 3 * (start * room.share + room.amount + 1)  # by the end of the run

    def leaking(second: int) -> dict[str, Any]:
        return {figure: start + leaked * second / 400}

    assert rising(series(leaking)) == {figure}
    assert rising(series(lambda second: {figure: start})) == set()


def test_what_is_given_back_is_no_leak() -> None:
    assert rising(series(lambda second: {"server_memory": 60 + (400 - second) / 4})) == set()


def test_a_run_without_rests_is_not_judged() -> None:
    with pytest.raises(ValueError, match="too short"):
        trends(series(lambda _: {}), [(10, 15)], 400)


@pytest.mark.parametrize(
    ("verdict", "began", "ended", "is_lost"),
    [
        ("right", 1, 2, False),
        ("refused", 1, 2, False),
        ("left", 1, 2, False),
        ("wrong", 9, 11, True),
        ("failed", 9, 11, False),
        ("failed", 10.5, 10.7, False),
        ("failed", 11.5, 12, True),
        ("failed", 8, 9.9, True),
    ],
)
def test_only_a_kill_excuses_a_failure(
    verdict: Verdict, began: float, ended: float, is_lost: bool
) -> None:
    assert bool(lost([Outcome("speech", began, ended, verdict)], [10.0])) is is_lost


def raising(error: Exception) -> Any:
    def act() -> Any:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (RefusedError("429"), "refused"),
        (FailedError("500"), "failed"),
        (httpx2.RemoteProtocolError("broken off"), "failed"),
        (ConnectionResetError(), "failed"),
        (httpx2.ReadTimeout("silence"), "wrong"),
        (json.JSONDecodeError("no JSON", "", 0), "wrong"),
        (KeyError("text"), "wrong"),
        (StopIteration(), "wrong"),
    ],
)
def test_errors_are_verdicts(error: Exception, verdict: str) -> None:
    assert judged(raising(error))[0] == verdict


def test_a_stream_of_events_has_an_end() -> None:
    end = b'data: {"type": "transcript.text.done", "text": "Hello."}\r\n\r\n'
    assert done(end + b"data: [DONE]\r\n\r\n") == "Hello."
    with pytest.raises(FailedError, match="Sorry"):
        done(b'data: {"error": {"message": "Sorry", "type": "server_error"}}\r\n\r\n')
    with pytest.raises(ValueError, match="a stream that ends with"):
        done(b'data: {"type": "transcript.text.delta", "delta": "Hel"}\r\n\r\n')


def test_what_stays_behind_is_told(tmp_path: Path) -> None:
    vitals = Vitals(psutil.Process().pid, tmp_path)
    (tmp_path / "spooled").write_bytes(b"")
    vitals.look()
    assert vitals.samples[-1].files == 1
    assert vitals.samples[-1].server_memory > 1
    left = vitals.left()  # other tests of this process may have servers of their own
    assert {f"process {psutil.Process().pid}", "file spooled"} <= {*left}


def test_every_problem_is_told() -> None:
    outcomes = [Outcome("speech", 1, 2, "wrong", "noise"), Outcome("events", 1, 2, "left")]
    leak = trends(series(lambda second: {"files": second // 100}), RESTS, 400)
    soak = Soak("stub", 400, 3, outcomes, [], RESTS, [], leak, 1, ["process 7"])
    assert list(soak.problems()) == [
        "lost at 1.0 s: speech: noise",
        "3 requests were sent, and 2 ended",
        "nothing is known of speech: no request was answered",
        "no host was killed",
        "temporary files rose from 1 to 3",
        "the server ended with 1",
        "left over: process 7",
    ]


def test_a_soak_of_the_stub_loses_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    results, image = tmp_path / "results" / "soak.json", tmp_path / "images" / "soak.svg"
    flags = ["--minutes", "0.3", "--engine", "stub"]
    done = CliRunner().invoke(main, [*flags, "--results", str(results), "--image", str(image)])
    assert done.exit_code == 0, done.output
    found = json.loads(results.read_text())
    assert found["problems"] == []
    assert found["exit_code"] == 0
    assert len(found["kills"]) >= 8
    assert len(found["samples"]) > 15
    assert sum(sum(verdicts.values()) for verdicts in found["requests"].values()) > 50
    assert {"hostile", "left in an upload", "speech, mp3", "transcription"} <= set(
        found["requests"]
    )
    assert "All is well." in done.output
    assert image.read_text("utf-8").count("<path") > 10


def test_what_is_hostile_is_not_what_is_asked_otherwise(second_of_sound: bytes) -> None:
    assert len(repeated(playable(second_of_sound), 3)) > 2.9 * len(second_of_sound)
    assert len(hostile(second_of_sound)) > 10


@pytest.fixture
def second_of_sound() -> bytes:
    """A WAV file as the server streams it: its lengths are not known when it begins."""
    unknown = b"\xff" * 4
    form = b"fmt \x10\0\0\0\x01\0\x01\0\xc0]\0\0\x80\xbb\0\0\x02\0\x10\0"
    return b"RIFF" + unknown + b"WAVE" + form + b"data" + unknown + bytes(48_000)
