"""What a soak found: for people as tables and a plot, for machines as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from bench.machine import facts
from bench.soak.flatness import Trend
from bench.soak.outcomes import Outcome, Verdict, counted, lost
from bench.soak.vitals import FIGURES, Sample

VERDICTS: tuple[Verdict, ...] = ("right", "refused", "left", "failed", "wrong")
SHOWN = 20
"""Lost requests that are told one by one."""


@dataclass(frozen=True, slots=True)
class Soak:
    """A run and its end.

    Attributes:
        engine: `real` or `stub`.
        seconds: how long it took.
        begun: requests that were sent.
        kills: when a host was killed, in seconds.
        rests: when nothing was asked, in seconds.
        exit_code: of the server when it was told to end.
        left: what was still there of it afterwards.
    """

    engine: str
    seconds: float
    begun: int
    outcomes: Sequence[Outcome]
    kills: Sequence[float]
    rests: Sequence[tuple[float, float]]
    samples: Sequence[Sample]
    trends: Sequence[Trend]
    exit_code: int
    left: Sequence[str]

    def problems(self) -> Iterator[str]:
        """Everything that must not be; nothing where all is well."""
        for outcome in lost(self.outcomes, self.kills)[:SHOWN]:
            yield f"lost at {outcome.began:.1f} s: {outcome.kind}: {outcome.note}"
        if self.begun != len(self.outcomes):
            yield f"{self.begun} requests were sent, and {len(self.outcomes)} ended"
        for kind, verdicts in counted(self.outcomes).items():
            if not verdicts["right"] and not verdicts["left"]:
                yield f"nothing is known of {kind}: no request was answered"
        if not self.kills:
            yield "no host was killed"
        for trend in self.trends:
            if not trend.flat:
                yield f"{FIGURES[trend.figure]} rose from {trend.early:g} to {trend.late:g}"
        if self.exit_code:
            yield f"the server ended with {self.exit_code}"
        for thing in self.left:
            yield f"left over: {thing}"

    def as_json(self) -> dict[str, Any]:
        return {
            "machine": facts(),
            "engine": self.engine,
            "seconds": round(self.seconds, 1),
            "requests": {kind: dict(each) for kind, each in counted(self.outcomes).items()},
            "failures": [
                asdict(one) for one in self.outcomes if one.verdict in ("failed", "wrong")
            ],
            "kills": [round(kill, 2) for kill in self.kills],
            "rests": self.rests,
            "trends": [asdict(trend) | {"flat": trend.flat} for trend in self.trends],
            "exit_code": self.exit_code,
            "problems": list(self.problems()),
            "samples": [asdict(sample) for sample in self.samples],
        }


def show(soak: Soak, console: Console) -> None:
    requests = Table(title=f"{soak.begun} requests, {len(soak.kills)} hosts killed")
    requests.add_column("")
    for verdict in VERDICTS:
        requests.add_column(verdict, justify="right")
    for kind, verdicts in counted(soak.outcomes).items():
        requests.add_row(kind, *(str(verdicts[one] or "") for one in VERDICTS))
    trends = Table(title="At rest")
    for column in ("", "second quarter", "last quarter", "most ever", "flat"):
        trends.add_column(column, justify="right" if column else "left")
    for trend in soak.trends:
        figures = (f"{figure:g}" for figure in (trend.early, trend.late, trend.most))
        trends.add_row(FIGURES[trend.figure], *figures, "yes" if trend.flat else "[red]no[/]")
    console.print(requests, trends)
    problems = list(soak.problems())
    for problem in problems:
        console.print(problem, style="red", markup=False)
    console.print("All is well." if not problems else f"{len(problems)} problems.")


def draw(soak: Soak, path: Path) -> None:
    """The curves over the run, with its rests in grey and its kills as dotted lines."""
    mpl.rcParams["svg.hashsalt"] = "soundalike"  # the same figures give the same file
    figure = Figure(figsize=(8, 9), layout="constrained")
    panels = {
        "memory, MB": ("server_memory", "hosts_memory"),
        "handles": ("server_handles", "hosts_handles"),
        "threads": ("server_threads", "hosts_threads"),
        "processes and files": ("processes", "files"),
        "failed requests": (),
    }
    times = [sample.seconds for sample in soak.samples]
    for axes, (name, curves) in zip(
        figure.subplots(len(panels), sharex=True), panels.items(), strict=True
    ):
        for begin, end in soak.rests:
            axes.axvspan(begin, end, color="0.93")
        for kill in soak.kills:
            axes.axvline(kill, color="0.7", linewidth=0.5, linestyle=":")
        for curve in curves:
            values = [getattr(sample, curve) for sample in soak.samples]
            axes.plot(times, values, label=FIGURES[curve].partition(",")[0], linewidth=1)
        if not curves:
            failed = sorted(one.ended for one in soak.outcomes if one.verdict == "failed")
            unexcused = sorted(one.ended for one in lost(soak.outcomes, soak.kills))
            for label, moments in (("with a kill", failed), ("lost", unexcused)):
                axes.step(
                    [0, *moments, times[-1]],
                    [*range(len(moments) + 1), len(moments)],
                    where="post",
                    label=label,
                )
        axes.set(ylabel=name, ylim=(0, None))
        axes.legend(loc="upper left", fontsize=7)
    figure.axes[-1].set_xlabel("s")
    figure.axes[0].set_title("Memory, handles, threads and failures during the soak")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
