"""`docs/compatibility.md` against the code: nothing that the API has may be missing there, nothing
may stand there that is gone, and every test that it names must exist."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from soundalike import api, contracts, errors, formats, runtime
from soundalike.api.openapi import document
from soundalike.contracts.terms import Refusal
from soundalike.errors import ApiError

CHECKOUT = Path(__file__).parents[2]
PAGE = CHECKOUT / "docs" / "compatibility.md"
STATES = {"yes", "yes, chosen", "accepted, ignored", "no"}
METHODS = ("get", "post", "delete")
NOTHING = "null"


# The page ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A line of a table: its first cell, and the others by the names of their columns."""

    item: str
    cells: Mapping[str, str]

    @property
    def tests(self) -> list[str]:
        return re.findall(r"`(test_\w+)`", self.cells["Test"])


@cache
def tables() -> dict[str, list[Row]]:
    """The tables by the headings above them, as far as a colon."""
    found: dict[str, list[Row]] = {}
    heading, columns = "", []
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("#"):
            heading, columns = line.lstrip("# ").partition(":")[0].replace("`", ""), []
        elif line.startswith("| "):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            if not columns:
                columns = cells
            else:
                row = Row(_code(cells[0]), dict(zip(columns, cells, strict=True)))
                found.setdefault(heading, []).append(row)
    return found


def _code(cell: str) -> str:
    """What stands in a cell's code span, which two backticks enclose where it holds one itself."""
    span = re.search(r"(`+) ?(.+?) ?\1(?!`)", cell)
    assert span, f"no code span in {cell!r}"
    return span[2]


def listed(heading: str) -> list[str]:
    return [row.item for row in tables()[heading]]


# The code ------------------------------------------------------------------------------------


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """All of a package's modules but those of the OpenAPI document, which only describes."""
    yield package
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if "openapi" not in info.name:
            yield importlib.import_module(info.name)


def nodes(*packages: ModuleType) -> Iterator[tuple[ModuleType, ast.AST]]:
    for package in packages:
        for module in modules(package):
            source = Path(str(module.__file__)).read_text("utf-8")
            for node in ast.walk(ast.parse(source)):
                yield module, node


def strings(*packages: ModuleType) -> set[str]:
    return {
        node.value
        for _, node in nodes(*packages)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def schemas() -> dict[str, set[str]]:
    """The fields of every schema of the document, those of inline objects behind a dot."""
    found = {
        name: set(_fields(schema)) for name, schema in document()["components"]["schemas"].items()
    }
    return {name: names for name, names in found.items() if names}


def _fields(schema: Any) -> Iterator[str]:
    for name, value in schema.get("properties", {}).items():
        yield name
        for inline in (value, *value.get("anyOf", ())):
            yield from (f"{name}.{inner}" for inner in _fields(inline))
        yield from (f"{name}[].{inner}" for inner in _fields(value.get("items", {})))


def operations() -> Iterator[tuple[str, str, Any]]:
    for path, item in document()["paths"].items():
        for method in METHODS:
            if method in item:
                prefix = "" if "servers" in item else "/v1"
                yield f"{method.upper()} {prefix}{path}", item[method]["operationId"], item[method]


def event_names() -> set[str]:
    return {
        text for text in strings(formats) if re.fullmatch(r"(transcript|speech)(\.[a-z]+)+", text)
    }


def header_names() -> set[str]:
    """What is put into a mapping called `headers`, and keys with a dash of any other."""
    found: set[str] = set()
    for _, node in nodes(api):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            if ast.unparse(node.value).endswith("headers") and isinstance(node.slice, ast.Constant):
                found.add(str(node.slice.value))
        elif isinstance(node, ast.Dict):
            keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
            found |= {key for key in keys if isinstance(key, str) and "-" in key}
    return found


def content_types() -> set[str]:
    return {
        text
        for text in strings(api, formats)
        if re.fullmatch(r"(audio|text|application)/[a-z-]+(; .+)?", text)
    }


@dataclass(frozen=True)
class Told:
    """An error as a client sees it; what depends on the request stands as `{}`."""

    message: str
    status: int
    param: str
    code: str


def refusals() -> set[Told]:
    """Every `Refusal` that the contracts hold, however deep."""
    found: set[Told] = set()

    def collect(value: object) -> None:
        if isinstance(value, Refusal):
            code = value.code or NOTHING
            found.add(Told(blank(value.message), 400, value.param or NOTHING, code))
        elif isinstance(value, Mapping):
            for item in value.values():
                collect(item)
        elif is_dataclass(value) and not isinstance(value, type):
            for one in fields(value):
                collect(getattr(value, one.name))

    for module in modules(contracts):
        collect(vars(module))
    return found


def raised() -> set[Told]:
    """Every error that is made on the spot, by its class, in the API, the contracts and the
    runtime."""
    found: set[Told] = set()
    for module, node in nodes(api, contracts, runtime):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.args:
                    kind = vars(errors).get(call.func.id)
                    if isinstance(kind, type) and issubclass(kind, ApiError):
                        found |= set(_told(kind, call, node, module))
    return {told for told in found if told.message != "{}"}


def _told(
    kind: type[ApiError], call: ast.Call, within: ast.AST, module: ModuleType
) -> Iterator[Told]:
    named = {keyword.arg: blank(_text(keyword.value)) for keyword in call.keywords}
    param, code = named.get("param", NOTHING), named.get("code", kind.default_code or NOTHING)
    for message in _messages(call.args[0], within, module):
        yield Told(blank(message), kind.status, param, code)


def _messages(value: ast.expr, within: ast.AST, module: ModuleType) -> list[str]:
    """The text of an expression; of a name, what it stands for in its module or function."""
    if not isinstance(value, ast.Name):
        return [_text(value)]
    if value.id in vars(module):
        return [str(vars(module)[value.id])]
    return [
        _text(node.value)
        for node in ast.walk(within)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == value.id
    ]


def _text(value: ast.expr) -> str:
    if isinstance(value, ast.Constant):
        return str(value.value)
    if isinstance(value, ast.JoinedStr):
        return "".join(_text(part) for part in value.values)
    return "{}"


def blank(text: str) -> str:
    return re.sub(r"\{[^{}]*\}", "{}", text)
