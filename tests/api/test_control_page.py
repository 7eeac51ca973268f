"""`docs/control-plane.md` and the OpenAPI document against the routes of the control plane."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from soundalike.api import openapi
from soundalike.fixture.control.openapi import document
from soundalike.fixture.control.routes import TAG
from soundalike.fixture.matching import Match

PAGE = Path(__file__).parents[2] / "docs" / "control-plane.md"
HEADING = re.compile(r"### `([A-Z]+) (/\S+)`\n(.*?)(?=\n##|\Z)", re.DOTALL)
LINE = re.compile(r"```sh\n(.*?)```", re.DOTALL)
ROOT = "http://127.0.0.1:8000"
REQUEST = "req_REQUEST"


def operations() -> dict[tuple[str, str], Any]:
    return {
        (method.upper(), path): operation
        for path, item in document()["paths"].items()
        for method, operation in item.items()
        if isinstance(operation, dict) and TAG in operation["tags"]
    }


def called(line: str) -> tuple[str, str, dict[str, Any]]:
    """Method, path and the rest of what a line of curl asks."""
    words = iter(shlex.split(line)[1:])
    method, url = "GET", ""
    request: dict[str, Any] = {"data": {}, "files": {}}
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "--json":
            method = "POST" if method == "GET" else method
            request |= {"content": next(words), "headers": {"content-type": "application/json"}}
        elif word == "-F":
            method = "POST"
            name, _, value = next(words).partition("=")
            request["files" if value.startswith("@") else "data"][name] = value.removeprefix("@")
        elif word == "-o":
            next(words)
        elif word != "-i":
            url = word
    assert url.startswith(ROOT), line
    return method, url.removeprefix(ROOT), {key: value for key, value in request.items() if value}


def test_every_route_is_on_the_page_with_a_line_that_calls_it() -> None:
    sections = HEADING.findall(PAGE.read_text("utf-8"))
    assert len(sections) == len(operations()) > 20
    for method, path, text in sections:
        assert (method, path) in operations()
        lines = LINE.findall(text)
        assert lines, path
        for line in lines:
            asked, url, _ = called(line)
            bare = re.sub(r"\{\w+\}", "[^/]+", path)
            assert asked == method
            assert re.fullmatch(rf"(/s/mytest)?{bare}(\?.*)?", url), line


def test_every_line_works(
    open_api: Any, second_of_silence: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a line names a folder
    client = open_api()
    client.get("/s/another/_soundalike/stubs")
    request_id = ""
    for line in LINE.findall(PAGE.read_text("utf-8")):
        method, url, request = called(line)
        for name in request.get("files", {}):
            request["files"][name] = ("hello.wav", second_of_silence)
        if "/requests" in url and not request_id:
            sent = client.post(
                "/s/mytest/v1/audio/transcriptions",
                data={"model": "whisper-1"},
                files={"file": ("hi.wav", second_of_silence)},
            )
            request_id = sent.headers["x-request-id"]
        answer = client.request(method, url.replace(REQUEST, request_id), **request)
        assert answer.status_code in (200, 201), f"{line}\n{answer.text}"


def test_every_condition_is_on_the_page() -> None:
    conditions = PAGE.read_text("utf-8").partition("## Conditions")[2]
    said = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", conditions, re.MULTILINE))
    assert said == {name: field.description for name, field in Match.model_fields.items()}


def test_the_document_has_every_route_under_its_tag() -> None:
    routes = {
        (method, path)
        for path, item in document()["paths"].items()
        if path.startswith("/_soundalike/")
        for method in (name.upper() for name in item if name != "servers")
    }
    assert routes == set(operations())
    assert len({operation["operationId"] for operation in operations().values()}) == len(routes)
    for operation in operations().values():
        assert operation["summary"].endswith(".")
        assert "4XX" in operation["responses"]
        assert "422" not in operation["responses"]


def test_the_document_of_the_api_stays_as_it_is() -> None:
    api, whole = openapi.document(), document()
    assert TAG not in str(api["tags"])
    assert {path: whole["paths"][path] for path in api["paths"]} == api["paths"]
    schemas = api["components"]["schemas"]
    assert {name: whole["components"]["schemas"][name] for name in schemas} == schemas


def test_the_server_gives_the_document_where_it_is_a_fixture(open_api: Any) -> None:
    assert open_api().get("/openapi.json").json() == document()
    without = open_api(fixture="off")
    assert without.get("/openapi.json").json() == openapi.document()
    assert without.get("/_soundalike/stubs").status_code == 404


@pytest.mark.parametrize("name", ["SentStub", "Status", "Expectation", "Exchange", "Match"])
def test_bodies_are_described(name: str) -> None:
    assert document()["components"]["schemas"][name]["properties"]
