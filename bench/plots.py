"""The plots, as SVG."""

import statistics
from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.memory import MEGABYTE, Watch
from bench.rows import Place, Row

TITLES = {
    "latency": ("Time to transcribe a short clip", "length of the clip in s", "s"),
    "throughput": ("Clips transcribed by several clients", "clients", "clips/s"),
    "first-audio": ("Time to the first sound", "characters of text", "ms"),
}
LOGARITHMIC = {"first-audio", "throughput"}
"""Those whose x spans powers."""

LABELLED = 0.03
"""The share of a run from which on a part of it has room for its name."""


def draw(rows: Iterable[Row], watch: Watch | None, folder: Path) -> list[Path]:
    """Draw every plot that there are rows for, and memory over time if it was watched.

    Returns the files written.
    """
    mpl.rcParams["svg.hashsalt"] = "soundalike"  # the same figures give the same file
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for plot, lines in points(rows).items():
        figure, axes = _axes(*TITLES[plot])
        for line, places in lines.items():
            axes.plot(*zip(*places, strict=True), marker="o", label=line)
        if plot in LOGARITHMIC:
            axes.set_xscale("log", base=2 if plot == "throughput" else 10)
            ticks = sorted({x for places in lines.values() for x, _ in places})
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
        written.append(_save(figure, axes, folder / f"{plot}.svg"))
    if watch is not None and watch.samples:
        written.append(_memory(watch, folder / "memory.svg"))
    return written


def points(rows: Iterable[Row]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """The medians of rows that have a place, as points by plot and line, in the order of x."""
    plots: dict[str, dict[str, list[tuple[float, float]]]] = {}

    def add(place: Place | None, samples: tuple[float, ...]) -> None:
        if place is not None and samples:
            line = plots.setdefault(place.plot, {}).setdefault(place.line, [])
            line.append((place.x, statistics.median(samples)))
            line.sort()

    for row in rows:
        add(row.place, row.samples)
        add(row.baseline_place, row.baseline)
    return plots


def _memory(watch: Watch, path: Path) -> Path:
    figure, axes = _axes("Memory over the run of the benchmarks", "s", "MB")
    names = sorted({name for sample in watch.samples for name in sample.resident})
    times = [sample.seconds for sample in watch.samples]
    for name in names:
        held = [sample.resident.get(name, 0) / MEGABYTE for sample in watch.samples]
        axes.plot(times, held, label=name)
    ends = [*(seconds for seconds, _ in watch.marks[1:]), times[-1]]
    for (seconds, name), end in zip(watch.marks, ends, strict=True):
        axes.axvline(seconds, color="0.8", linewidth=0.8, zorder=0)
        if end - seconds >= LABELLED * times[-1]:
            place = axes.get_xaxis_transform()
            axes.text(seconds, 0.98, f" {name}", transform=place, va="top", rotation=90, fontsize=7)
    return _save(figure, axes, path)


def _axes(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    return figure, axes


def _save(figure: Figure, axes: Axes, path: Path) -> Path:
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
    return path
