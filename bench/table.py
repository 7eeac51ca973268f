"""The rows as a table for people."""

import statistics
from collections.abc import Iterable

from rich.table import Table

from bench.rows import Row

COLUMNS = (
    *("", "median", "p95", "min", "max"),
    *("baseline", "ratio", "target", "met", "words wrong"),
)
MET = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}


def table(benchmark: str, rows: Iterable[Row]) -> Table:
    """One line a row, without columns that are empty in all of them. Word error rates stand as
    ours/baseline's."""
    lines = [cells(row) for row in rows]
    shown = Table(title=benchmark, title_justify="left", title_style="bold")
    shown.add_column("", overflow="fold", min_width=28)
    used = [place for place in range(1, len(COLUMNS)) if any(line[place] for line in lines)]
    for place in used:
        shown.add_column(COLUMNS[place], justify="right", no_wrap=True)
    for line in lines:
        shown.add_row(line[0], *(line[place] for place in used))
    return shown


def cells(row: Row) -> tuple[str, ...]:
    name = f"{row.name} [dim]({row.note})[/]" if row.note else row.name
    if row.figures is None:
        figures = ["not measured", "", "", ""]
    else:
        figures = [figure(value) for value in row.figures.values()]
        figures[0] += f" {row.unit}"
    return (
        name,
        *figures,
        figure(statistics.median(row.baseline)) if row.baseline else "",
        "" if row.ratio is None else figure(row.ratio),
        "" if row.target is None else str(row.target),
        MET[row.met],
        "/".join(f"{rate:.1%}" for rate in (row.errors, row.baseline_errors) if rate is not None),
    )


def figure(value: float) -> str:
    """Three digits that count, and never an exponent."""
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return (
        f"{value:.1f}" if abs(value) >= 10 else f"{value:.2g}" if abs(value) < 1 else f"{value:.2f}"
    )
