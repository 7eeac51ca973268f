"""The server's own OpenAPI document: against the routes, and against the official one."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi import FastAPI

OFFICIAL = Path(__file__).parents[3] / "shared" / "reference" / "openai-audio.yaml"
METHODS = {"get", "post", "delete", "put", "patch"}


@pytest.fixture(scope="module")
def document(api: Any) -> Any:
    return api.get("/openapi.json").json()


@pytest.fixture(scope="module")
def official() -> Any:
    if not OFFICIAL.is_file():
        pytest.skip("needs ../shared/reference beside the checkout")
    return yaml.safe_load(OFFICIAL.read_text())


def operations(document: Any) -> dict[tuple[str, str], Any]:
    return {
        (method, path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def test_every_route_is_declared_and_every_declared_one_is_a_route(api: Any, document: Any) -> None:
    derived = FastAPI.openapi(api.app)  # what FastAPI itself finds, from the routes
    served = {
        (method, path.removeprefix("/v1")): operation["operationId"]
        for (method, path), operation in operations(derived).items()
        if path not in ("/healthz", "/readyz")
    }
    declared = {
        key: operation["operationId"]
        for key, operation in operations(document).items()
        if operation["tags"] != ["Control"]  # its document is derived from its routes
    }
    assert {key: id_ for key, id_ in declared.items() if not key[1].endswith("z")} == served
    assert {("get", "/healthz"), ("get", "/readyz")} <= set(declared)


def test_every_official_operation_is_declared_with_its_id(document: Any, official: Any) -> None:
    ours = operations(document)
    for key, operation in operations(official).items():
        assert ours[key]["operationId"] == operation["operationId"]
        assert set(operation["responses"]) <= set(ours[key]["responses"]) | {"429"}


@pytest.mark.parametrize(
    "name",
    [
        *("CreateSpeechRequest", "CreateTranscriptionRequest", "CreateTranslationRequest"),
        *("CreateVoiceConsentRequest", "UpdateVoiceConsentRequest", "CreateVoiceRequest"),
    ],
)
def test_requests_have_the_official_fields(document: Any, official: Any, name: str) -> None:
    ours = document["components"]["schemas"][name]
    theirs = official["components"]["schemas"][name]
    assert set(ours["properties"]) == set(theirs["properties"])
    assert set(ours["required"]) == set(theirs["required"])


def test_errors_have_the_official_envelope(document: Any, official: Any) -> None:
    ours = document["components"]["schemas"]["Error"]
    assert set(ours["required"]) == set(official["components"]["schemas"]["Error"]["required"])


def test_every_reference_leads_somewhere(document: Any) -> None:
    schemas = document["components"]["schemas"]
    used: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                used.add(node["$ref"].removeprefix("#/components/schemas/"))
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    assert used <= set(schemas)
    assert set(schemas) <= used


def test_the_examples_work(api: Any, document: Any) -> None:
    for (method, path), operation in operations(document).items():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" in content and "{" not in path:
            answer = api.request(method, f"/v1{path}", json=content["example"])
            assert answer.status_code == 200
