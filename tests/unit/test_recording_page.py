"""`docs/recordings.md` against the options that there are."""

import re
from pathlib import Path
from typing import get_args

from soundalike.fixture.recordings.spec import Mode, RecordingSpec

PAGE = (Path(__file__).parents[2] / "docs" / "recordings.md").read_text("utf-8")
OPTIONS, MODES = PAGE.partition("## Options")[2].partition("## What is")[0].split("| mode |")


def test_every_option_is_on_the_page_with_its_default() -> None:
    said = re.findall(r"^\| `(\w+)` \| (.*)\| (.*) \|$", OPTIONS, re.MULTILINE)
    assert {name: meaning.partition("; see below")[0].rstrip(".") for name, _, meaning in said} == {
        name: str(field.description).rstrip(".")
        for name, field in RecordingSpec.model_fields.items()
    }
    defaults = {name: default.strip("` ") for name, default, _ in said}
    spec = RecordingSpec(folder=Path("x"))
    for name, default in defaults.items():
        value = getattr(spec, name)
        shown = {True: "true", False: "false", None: "none"}.get(value, str(value))
        assert default == ("" if name == "folder" else shown.removesuffix(".0"))


def test_every_mode_is_on_the_page() -> None:
    assert re.findall(r"^\| `(\w+)` \|", MODES, re.MULTILINE) == list(get_args(Mode))
