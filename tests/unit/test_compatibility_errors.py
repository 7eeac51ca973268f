"""The errors of `docs/compatibility.md` against the code, in both directions: every refusal that
the contracts hold, every error that is made on the spot, every class, every fault of the validator.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import ModuleType
from typing import Any

from soundalike import api, audio, contracts, engines, errors, runtime
from soundalike.contracts.terms import Refusal
from soundalike.errors import ApiError, ServerError

NULL = "null"


@dataclass(frozen=True)
class Told:
    """An error as a client sees it; what depends on the request stands as `{}`."""

    message: str
    status: int
    param: str
    code: str

    def shortened(self, beginnings: Iterable[str]) -> "Told":
        """The error as the page has it, where that gives only the beginning of its text."""
        for beginning in beginnings:
            if self.message.startswith(beginning):
                return Told(f"{beginning}…", self.status, self.param, self.code)
        return self


def blank(text: str) -> str:
    return re.sub(r"\{[^{}]*\}", "{}", text)


def refusals(modules: Iterable[ModuleType]) -> set[Told]:
    """Every `Refusal` in the values of some modules, however deep."""
    found: set[Told] = set()

    def collect(value: object) -> None:
        if isinstance(value, Refusal):
            param, code = value.param or NULL, value.code or NULL
            found.add(Told(blank(value.message), 400, param, code))
        elif isinstance(value, Mapping):
            for item in value.values():
                collect(item)
        elif is_dataclass(value) and not isinstance(value, type):
            for one in fields(value):
                collect(getattr(value, one.name))

    for module in modules:
        collect(vars(module))
    return found


def raised(nodes: Iterable[tuple[ModuleType, ast.AST]]) -> set[Told]:
    """Every error that a function makes. Failures of an engine, and those inside of the runtime
    or the API that are described with particulars, are for the log: their clients are told the
    text of every 500."""
    found: set[Told] = set()
    for module, function in nodes:
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.args:
                kind = vars(errors).get(call.func.id)
                if isinstance(kind, type) and issubclass(kind, ApiError):
                    told = made(kind, call, function, module)
                    if told.message != "{}" and not is_for_the_log(kind, told, module):
                        found.add(told)
    return found


def is_for_the_log(kind: type[ApiError], told: Told, module: ModuleType) -> bool:
    if kind is not ServerError:
        return False
    if module.__name__.startswith((audio.__name__, engines.__name__)):
        return True
    inside = (runtime.__name__, api.__name__)
    rendered = module.__name__ == f"{api.__name__}.errors"  # what clients are told of all of these
    return "{}" in told.message and module.__name__.startswith(inside) and not rendered


def made(kind: type[ApiError], call: ast.Call, within: ast.AST, module: ModuleType) -> Told:
    named = {keyword.arg: blank(text_of(keyword.value)) for keyword in call.keywords}
    message = call.args[0]
    if isinstance(message, ast.Name):
        text = str(vars(module).get(message.id) or last_value(message, within))
    else:
        text = text_of(message)
    code = named.get("code", kind.default_code or NULL)
    return Told(blank(text), kind.status, named.get("param", NULL), code)


def last_value(name: ast.Name, within: ast.AST) -> str:
    """The text that a function gave to a name, above the line where it is used."""
    given = [
        node.value
        for node in ast.walk(within)
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == name.id
        and node.lineno < name.lineno
    ]
    return text_of(max(given, key=lambda value: value.lineno)) if given else "{}"


def text_of(value: ast.expr) -> str:
    if isinstance(value, ast.Constant):
        return str(value.value)
    if isinstance(value, ast.JoinedStr):
        return "".join(map(text_of, value.values))
    return "{}"


def cell(row: Any, column: str) -> str:
    return blank(row.cells[column].strip("`"))


def test_every_error_is_on_the_page(page: Any, sources: Any) -> None:
    modules = {module.__name__: module for module, _ in sources(contracts)}
    here = refusals(modules.values()) | raised(sources(api, audio, contracts, engines, runtime))
    assert len(here) > 40
    said = {
        Told(blank(row.item), int(row.cells["Status"]), cell(row, "Param"), cell(row, "Code"))
        for heading, table in page.tables.items()
        if heading.startswith("Errors of")
        for row in table
        if row.here
    }
    beginnings = {told.message.removesuffix("…") for told in said if told.message.endswith("…")}
    assert said == {told.shortened(beginnings) for told in here}


def test_every_class_of_error_is_on_the_page(page: Any) -> None:
    said = {
        row.item: (cell(row, "Status"), cell(row, "Type"), cell(row, "Code"))
        for row in page.tables["Error classes"]
    }
    assert said == {
        name: (str(kind.status), kind.type, kind.default_code or NULL)
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, ApiError) and kind is not ApiError
    }


def test_every_fault_of_the_validator_is_on_the_page(page: Any, sources: Any) -> None:
    kinds = {
        str(node.args[0].value)
        for _, node in sources(api, contracts)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "fault"
        if isinstance(node.args[0], ast.Constant)
    }
    assert {"enum", "missing"} < kinds
    assert page.listed("Faults that the validator finds") == kinds
