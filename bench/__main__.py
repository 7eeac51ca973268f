"""`python -m bench`: run the benchmarks, print their tables, write their results and plots."""

import json
import time
from pathlib import Path

import click
from rich.console import Console

from bench.context import Context, context
from bench.machine import facts
from bench.measures import BENCHMARKS
from bench.plots import draw
from bench.rows import Row
from bench.table import table

RESULTS = Path(__file__).parent / "results"
WIDTH = 150
"""Columns of the tables, where the terminal does not say."""


@click.command()
@click.option("--quick", is_flag=True, help="Measure less often, and without the rival server.")
@click.option("--only", help=f"Run only these, separated by commas: {', '.join(BENCHMARKS)}.")
@click.option("--name", help="Of the file in bench/results; by default full, quick or part.")
@click.option("--images", type=click.Path(path_type=Path), help="Folder for the plots.")
@click.option(
    "--rival-python",
    type=click.Path(path_type=Path),
    default=Path(".venv.rival/bin/python"),
    show_default=True,
    help="Python of the environment that holds faster-whisper-server.",
)
def main(
    *, quick: bool, only: str | None, name: str | None, images: Path | None, rival_python: Path
) -> None:
    """Measure soundalike over HTTP, beside plain faster-whisper and faster-whisper-server."""
    chosen = only.split(",") if only else list(BENCHMARKS)
    if unknown := [one for one in chosen if one not in BENCHMARKS]:
        raise click.UsageError(f"no such benchmark: {', '.join(unknown)}")
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    machine, began = facts(), time.perf_counter()
    with context(quick=quick, rival_python=rival_python) as shared:
        rows = {one: run(shared, one, console) for one in chosen}
        watch = shared.watch if shared.is_serving else None
    path = RESULTS / f"{name or ('part' if only else 'quick' if quick else 'full')}.json"
    path.parent.mkdir(exist_ok=True)
    results = {one: [row.as_json() for row in measured] for one, measured in rows.items()}
    memory = {"samples": watch.samples, "marks": watch.marks} if watch else None
    path.write_text(json.dumps({"machine": machine, "results": results, "memory": memory}) + "\n")
    if images:
        draw([row for measured in rows.values() for row in measured], watch, images)
    judged = [row.met for measured in rows.values() for row in measured if row.met is not None]
    console.print(
        f"{sum(judged)} of {len(judged)} targets met, in {time.perf_counter() - began:.0f} s; "
        f"all samples are in {path}"
    )


def run(shared: Context, name: str, console: Console) -> list[Row]:
    """The rows of one benchmark, printed when it is done. An error ends that benchmark alone: the
    minutes that others took are not to be lost."""
    shared.begin(name)
    rows: list[Row] = []
    with console.status(f"measuring {name}"):
        try:
            rows.extend(BENCHMARKS[name](shared))
        except Exception as error:
            console.print_exception()
            rows.append(Row("ended by an error", "count", (), note=repr(error)))
    console.print(table(name, rows))
    return rows


if __name__ == "__main__":
    main()
