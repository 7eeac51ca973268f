"""`python -m bench.soak`: an hour of everything at once, and whether anything is left of it."""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console

from bench.process import running, soundalike
from bench.soak.flatness import trends
from bench.soak.report import Soak, draw, show
from bench.soak.traffic import Traffic
from bench.soak.vitals import watched
from soundalike.store.folder import ModelStore
from soundalike.store.location import default_folder

RESULTS = Path(__file__).parents[1] / "results" / "soak.json"
WIDTH = 120
"""Columns of the tables, where the terminal does not say."""

MODEL = "whisper-base"


@click.command()
@click.option("--minutes", type=float, default=60.0, show_default=True, help="How long.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "real", "stub"]),
    default="auto",
    show_default=True,
    help=f"`auto` takes the real engines where the store has {MODEL}.",
)
@click.option("--seed", type=int, default=1, help="Of the order of requests and kills.")
@click.option(
    "--results", type=click.Path(path_type=Path), default=RESULTS, help="File for the figures."
)
@click.option("--image", type=click.Path(path_type=Path), help="File for the plot.")
def main(*, minutes: float, engine: str, seed: int, results: Path, image: Path | None) -> None:
    """Keep a server busy with good, bad and broken requests, kill its hosts, and see that it loses
    no request and keeps nothing. Exits with 1 where it does."""
    if engine == "auto":
        there = {model.id for model in ModelStore(default_folder()).models()}
        engine = "real" if MODEL in there else "stub"
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    with console.status(f"soaking the {engine} engines for {minutes:g} minutes"):
        soak = soaked(engine, minutes * 60, seed)
    show(soak, console)
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps(soak.as_json()) + "\n")
    if image:
        draw(soak, image)
    sys.exit(any(soak.problems()))


def soaked(engine: str, seconds: float, seed: int) -> Soak:
    """A server under everything for so many seconds, and its end."""
    flags = ["--log-level", "critical"]
    if engine == "stub":
        flags += ["--engine", "stub", "--fixture", "off"]  # a fixture keeps what it was asked
    with TemporaryDirectory(prefix="soak-") as temporary:
        folder = Path(temporary)
        with (
            running(soundalike(*flags), variables={"TMPDIR": temporary}) as server,
            watched(server.pid, folder) as vitals,
        ):
            traffic = Traffic(server.root, vitals, seed)
            began = vitals.now
            traffic.run(seconds)
            end = vitals.now
            exit_code = server.stop()
            left = vitals.left()
    return Soak(
        engine,
        end - began,
        traffic.begun,
        traffic.outcomes,
        traffic.kills,
        traffic.rests,
        vitals.samples,
        trends(vitals.samples, traffic.rests, end),
        exit_code,
        left,
    )


if __name__ == "__main__":
    main()
