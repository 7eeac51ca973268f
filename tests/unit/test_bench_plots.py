"""Rows become plots."""

import xml.etree.ElementTree as ET
from pathlib import Path

from bench.memory import Sample, Watch
from bench.plots import draw, points
from bench.rows import Place, Row

ROWS = [
    Row("3 s", "s", (3, 1, 2), (8,), place=Place("latency", "ours", 3)),
    Row(
        *("1 s", "s", (1,), (4,)),
        place=Place("latency", "ours", 1),
        baseline_place=Place("latency", "theirs", 1),
    ),
    Row("absent", "s", (), place=Place("throughput", "ours", 1)),
    Row("unplotted", "s", (1,)),
]


def test_points_are_medians_in_order() -> None:
    assert points(ROWS) == {"latency": {"ours": [(1, 1), (3, 2)], "theirs": [(1, 4)]}}


def test_plots_are_drawn_for_what_was_measured(tmp_path: Path) -> None:
    watch = Watch(0)
    watch.marks = [(0.0, "ready"), (1.5, "short")]
    watch.samples = [Sample(float(n), {"API": n * 10**6}) for n in range(4)]
    written = draw(ROWS, watch, tmp_path / "images")
    assert [path.name for path in written] == ["latency.svg", "memory.svg"]
    for path in written:
        assert ET.parse(path).getroot().tag.endswith("svg")


def test_the_same_figures_give_the_same_file(tmp_path: Path) -> None:
    first, second = (draw(ROWS, None, tmp_path / name)[0].read_bytes() for name in "ab")
    assert first == second


def test_memory_is_told_by_process_and_part_of_the_run() -> None:
    watch = Watch(0)
    watch.marks = [(0.0, "ready"), (1.5, "short")]
    watch.samples = [Sample(0, {"API": 3}), Sample(1, {"API": 5}), Sample(2, {"API": 4, "host": 9})]
    assert watch.sizes("host") == [9]
    assert watch.peaks("API") == [("ready", 5), ("short", 4)]
    assert watch.peaks("host") == [("short", 9)]
