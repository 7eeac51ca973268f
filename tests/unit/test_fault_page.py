"""docs/faults.md names every fault and every option, with its default and its meaning."""

import re
from pathlib import Path

import pytest

from soundalike.fixture.faults import FAULTS, Fault, fault_of_header

PAGE = (Path(__file__).parents[2] / "docs" / "faults.md").read_text("utf-8")
COMMON = set(Fault.model_fields) - {"kind"}


def rows(title: str) -> list[list[str]]:
    """The cells of every row of the tables in a section, without their heads."""
    section = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    assert cells, title
    return cells


def option(kind: type[Fault], name: str) -> tuple[str, str]:
    """Default and meaning, as the page gives them."""
    field = kind.model_fields[name]
    default = "" if field.default is None or name == "match" else f"`{field.default}`"
    return default, field.description or ""


def test_every_fault_has_its_row() -> None:
    assert [row[0].strip("`") for row in rows("What goes over the wire")] == list(FAULTS)


def test_every_option_has_its_row() -> None:
    given = {
        (kind.strip("`"), name.strip("`")): (default, meaning)
        for kind, name, default, meaning in (row for row in rows("Options") if len(row) == 4)
    }
    own = {
        (name, field): option(kind, field)
        for name, kind in FAULTS.items()
        for field in kind.model_fields
        if field not in COMMON | {"kind"}
    }
    assert {key: default for key, (default, _) in given.items()} == {
        key: default for key, (default, _) in own.items()
    }
    for key, (_, meaning) in own.items():
        assert given[key][1].startswith(meaning.rstrip(".")), key


def test_the_options_of_all_have_their_rows() -> None:
    given = {row[0].strip("`"): (row[1], row[2]) for row in rows("Options") if len(row) == 3}
    assert given == {name: option(Fault, name) for name in COMMON}


def test_what_the_sdks_do_is_told_of_every_fault() -> None:
    asked = [row[0].strip("`") for row in rows("What the official SDKs do")]
    assert {fault_of_header(header).kind for header in asked} == set(FAULTS)


@pytest.mark.parametrize("header", re.findall(r"^X-Soundalike-Fault: (.+)$", PAGE, re.MULTILINE))
def test_the_examples_can_be_read(header: str) -> None:
    assert fault_of_header(header).times == 2
