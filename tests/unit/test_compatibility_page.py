"""`docs/compatibility.md` against the code: nothing that the API has is missing there, nothing
stands there that is gone, and every test that it names exists. `test_compatibility_errors.py` holds
its errors.

What the API has is gathered from the OpenAPI document, and from the sources of the modules: a
header or an event is known by how it is written.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from soundalike import api, formats
from soundalike.api.openapi import document
from soundalike.contracts.table import PUBLIC_MODELS
from soundalike.contracts.terms import SPEECH_FORMATS
from soundalike.contracts.transcription import FORMATS

TESTS = Path(__file__).parents[1]
STATES = {"yes", "yes, chosen", "accepted, ignored", "no"}
HEADER = re.compile(r"[a-z]+(-[a-z]+)+|allow")
EVENT = re.compile(r"(transcript|speech)\.[a-z.]+")
CONTENT_TYPE = re.compile(r"(audio|text|application)/[a-z-]+(; charset=utf-8)?")


def strings(nodes: Any) -> set[str]:
    constants = {node.value for _, node in nodes if isinstance(node, ast.Constant)}
    return {value for value in constants if isinstance(value, str)}


def schemas() -> dict[str, set[str]]:
    """The fields of every schema of the document; those of an object in a field behind a dot."""
    described = document()["components"]["schemas"]
    return {name: names for name in described if (names := set(field_names(described[name])))}


def field_names(schema: Any) -> Iterator[str]:
    for name, value in schema.get("properties", {}).items():
        yield name
        for inline in (value, *value.get("anyOf", ())):
            yield from (f"{name}.{inner}" for inner in field_names(inline))
        yield from (f"{name}[].{inner}" for inner in field_names(value.get("items", {})))


def operations() -> Iterator[tuple[str, Any]]:
    """Each with its method and path."""
    for path, item in document()["paths"].items():
        for method in ("get", "post", "delete"):
            if method in item:
                root = "" if "servers" in item else "/v1"
                yield f"{method.upper()} {root}{path}", item[method]


def headers_written(nodes: Any) -> set[str]:
    """Keys of any mapping that look like a header."""
    found: set[object] = set()
    for _, node in nodes:
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            found |= {node.slice.value} if isinstance(node.slice, ast.Constant) else set()
        elif isinstance(node, ast.Dict):
            found |= {key.value for key in node.keys if isinstance(key, ast.Constant)}
    return {name for name in found if isinstance(name, str) and HEADER.fullmatch(name)}


def headers_read(nodes: Any) -> set[str]:
    """What is taken out of a mapping called headers."""
    return {
        node.args[0].value
        for _, node in nodes
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("headers.get")
        if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    }


@pytest.mark.parametrize("schema", sorted(schemas()))
def test_every_parameter_and_every_field_is_on_the_page(page: Any, schema: str) -> None:
    assert page.listed(schema) == schemas()[schema]


def test_every_operation_and_its_parameters_are_on_the_page(page: Any) -> None:
    said = {row.item: row.cells["Request"] for row in page.tables["Operations"] if row.here}
    assert said == {operation["operationId"]: f"`{request}`" for request, operation in operations()}
    assert page.listed("Parameters in path and query") == {
        f"{operation['operationId']}.{parameter['name']}"
        for _, operation in operations()
        for parameter in operation.get("parameters", ())
    }


def test_every_model_and_every_format_is_on_the_page(page: Any) -> None:
    assert page.listed("Model ids") == set(PUBLIC_MODELS)
    assert page.listed("Speech formats") == set(SPEECH_FORMATS)
    assert page.listed("Transcription formats") == set(FORMATS["transcriptions"])


def test_every_event_is_on_the_page(page: Any, sources: Any) -> None:
    named = {text for text in strings(sources(formats)) if EVENT.fullmatch(text)}
    assert len(named) == 5
    assert page.listed("Events") == named | {"[DONE]", "error"}


def test_every_header_is_on_the_page(page: Any, sources: Any) -> None:
    written, read = headers_written(sources(api)), headers_read(sources(api))
    assert {"x-request-id", "retry-after", "x-ratelimit-reset-tokens", "allow"} < written
    assert page.listed("Response headers") == written
    assert {"authorization", "openai-project"} < read <= page.listed("Request headers")


def test_every_content_type_is_on_the_page(page: Any, sources: Any) -> None:
    types = {text for text in strings(sources(api, formats)) if CONTENT_TYPE.fullmatch(text)}
    assert {"audio/mpeg", "text/plain"} < types
    assert page.listed("Content types") == types


def test_every_row_has_a_state_and_what_is_here_has_a_test(page: Any) -> None:
    assert len(page.rows) > 200
    for row in page.rows:
        assert row.cells["State"] in STATES, row
        assert bool(row.tests) == row.here, row


def test_every_test_that_the_page_names_exists(page: Any) -> None:
    files = (path.read_text("utf-8") for path in TESTS.rglob("test_*.py"))
    tests = {name for file in files for name in re.findall(r"def (test_\w+)\(", file)}
    assert {name for row in page.rows for name in row.tests} - tests == set()


def test_no_row_stands_twice_in_a_table(page: Any) -> None:
    for heading, table in page.tables.items():
        items = [(row.item, row.cells.get("Param")) for row in table]
        assert len(items) == len(set(items)), heading
