"""What the tests of the compatibility page share: the page, and the sources that it is held to."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"


@dataclass(frozen=True)
class Row:
    """A line of a table: what its first cell names, and its cells by the names of their columns."""

    item: str
    cells: Mapping[str, str]

    @property
    def here(self) -> bool:
        """It is not a thing that soundalike does without."""
        return self.cells["State"] != "no"

    @property
    def tests(self) -> list[str]:
        return re.findall(r"`(test_\w+)`", self.cells["Test"])


class Page:
    """The tables of `docs/compatibility.md` that have a state, by the headings above them as far
    as a colon."""

    def __init__(self, text: str) -> None:
        self.tables: dict[str, list[Row]] = {}
        heading, columns = "", list[str]()
        for line in text.splitlines():
            if line.startswith("#"):
                heading, columns = line.lstrip("# ").partition(":")[0].replace("`", ""), []
            elif line.startswith("| ") and not columns:
                columns = _cells(line)
            elif line.startswith("| ") and "State" in columns[1:]:
                row = dict(zip(columns, _cells(line), strict=True))
                self.tables.setdefault(heading, []).append(Row(_code(row[columns[0]]), row))

    @property
    def rows(self) -> list[Row]:
        return [row for table in self.tables.values() for row in table]

    def listed(self, heading: str) -> set[str]:
        """What a table says is here."""
        return {row.item for row in self.tables.get(heading, []) if row.here}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.sub(r"^\||\|$", "", line).split(" | ")]


def _code(cell: str) -> str:
    """What a cell's first code span holds."""
    span = re.search(r"(`+) ?(.+?) ?\1(?!`)", cell)
    assert span, f"no code span in {cell!r}"
    return span[2]


@pytest.fixture(scope="session")
def page() -> Page:
    return Page(PAGE.read_text("utf-8"))


class Sources(Protocol):
    def __call__(self, *packages: ModuleType) -> Iterator[tuple[ModuleType, ast.AST]]: ...


@pytest.fixture(scope="session")
def sources() -> Sources:
    """Every node of the syntax of some packages, with its module. The modules of the OpenAPI
    document are left out: they only describe."""

    def nodes(*packages: ModuleType) -> Iterator[tuple[ModuleType, ast.AST]]:
        for package in packages:
            inner = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
            names = [info.name for info in inner if "openapi" not in info.name]
            for module in (package, *map(importlib.import_module, names)):
                for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text("utf-8"))):
                    yield module, node

    return nodes
