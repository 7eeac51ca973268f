"""The rows of a benchmark, and how they read."""

import json
from io import StringIO

import pytest
from rich.console import Console

from bench.rows import Row, Target, percentile
from bench.table import figure, table


def test_a_percentile_is_a_sample() -> None:
    samples = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [percentile(samples, percent) for percent in (0, 20, 50, 95, 100)] == [1, 1, 3, 5, 5]


def test_the_ratio_of_what_took_turns_is_the_median_of_the_ratios() -> None:
    assert Row("clip", "s", (1, 9, 20), (4, 24, 100), in_turns=True).ratio == 0.25


def test_the_ratio_is_that_of_the_medians() -> None:
    assert Row("clip", "s", (1, 2, 9), (4, 8, 100)).ratio == 0.25
    assert Row("clip", "s", (1, 2, 9)).ratio is None
    assert Row("clip", "s", (), (1,)).ratio is None
    assert Row("words", "%", (1,), (0,)).ratio is None


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target("median", 2), True),
        (Target("median", 1.9), False),
        (Target("max", 9), True),
        (Target("p95", 8), False),
        (Target("min", 1, at_least=True), True),
        (Target("ratio", 0.5), True),
        (Target("ratio", 0.6, at_least=True), False),
        (None, None),
    ],
)
def test_a_target_judges_one_figure(target: Target | None, met: bool | None) -> None:
    assert Row("clip", "s", (1, 2, 9), (4,), target).met is met


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert Row("clip", "s", (), target=Target("max", 1)).met is None
    assert Row("clip", "s", (1,), target=Target("ratio", 1)).met is None


def test_a_row_in_json_holds_the_samples_and_what_follows_from_them() -> None:
    row = Row("clip", "s", (1, 2, 9), (4,), Target("ratio", 0.5), errors=0.1)
    told = json.loads(json.dumps(row.as_json()))
    assert told["samples"] == [1, 2, 9]
    assert told["figures"] == {"median": 2, "p95": 9, "min": 1, "max": 9}
    assert (told["ratio"], told["met"], told["errors"]) == (0.5, True, 0.1)


def test_the_table_says_what_was_met_and_leaves_empty_columns_out() -> None:
    rows = [
        Row("quick", "s", (1,), target=Target("max", 1)),
        Row("slow", "s", (3,), target=Target("max", 1)),
        Row("absent", "s", (), note="not installed"),
    ]
    console = Console(width=150, file=StringIO(), record=True)
    console.print(table("clips", rows))
    lines = console.export_text().splitlines()
    assert next(line for line in lines if "quick" in line).rstrip(" │").endswith("yes")
    assert next(line for line in lines if "slow" in line).rstrip(" │").endswith("no")
    assert "not measured" in next(line for line in lines if "absent (not installed)" in line)
    assert not any("ratio" in line or "words wrong" in line for line in lines)


def test_word_error_rates_stand_beside_each_other() -> None:
    console = Console(width=150, file=StringIO(), record=True)
    console.print(table("clips", [Row("clip", "s", (1,), (2,), None, 0.05, 0.125)]))
    assert "5.0%/12.5%" in console.export_text()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.012"), (1.234, "1.23"), (56.78, "56.8"), (1234.5, "1234")],
)
def test_figures_show_the_digits_that_count(value: float, text: str) -> None:
    assert figure(value) == text
