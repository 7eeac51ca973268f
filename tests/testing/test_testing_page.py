"""docs/testing.md names everything that there is."""

import inspect
from dataclasses import fields
from pathlib import Path

import pytest

from soundalike.fixture.exchange import Exchange, File
from soundalike.fixture.matching import Match
from soundalike.testing import Requests, Server, Soundalike, plugin, serve

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text("utf-8")


def public(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def parameters(function: object) -> set[str]:
    assert callable(function)
    return set(inspect.signature(function).parameters) - {"self", "conditions"}


@pytest.mark.parametrize(
    "names",
    [
        {name for name in vars(plugin) if name.startswith("soundalike")},
        set(plugin.OPTIONS),
        set(Match.model_fields),
        {each.name for each in fields(File)},
        {each.name for each in fields(Exchange)} - {"scope", "body_bytes"},
        public(Soundalike) | public(Server) | public(Requests) - {"close"},
        parameters(serve),
        parameters(Soundalike.verify) | parameters(Soundalike.record) | parameters(Requests.wait),
    ],
    ids=["fixtures", "marker", "conditions", "file", "request", "methods", "serve", "arguments"],
)
def test_the_page_names_them_all(names: set[str]) -> None:
    code = "".join(part for number, part in enumerate(PAGE.split("`")) if number % 2)
    assert not {name for name in names if name not in code}


def test_the_arguments_of_stubs_are_listed() -> None:
    from soundalike.testing.stubbing import SpeechStubs, TranscriptStubs

    named = parameters(TranscriptStubs.stub) | parameters(SpeechStubs.stub)
    assert {name for name in named - {"answer", "audio"} if f"| `{name}` |" not in PAGE} == set()
