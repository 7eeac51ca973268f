"""What the document says holds for whatever is sent: no 5xx, no undeclared status."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

OPERATIONS = [
    *("createSpeech", "createTranscription", "createTranslation"),
    *("createVoiceConsent", "listVoiceConsents", "getVoiceConsent", "updateVoiceConsent"),
    *("deleteVoiceConsent", "createVoice", "listVoices", "getVoice", "deleteVoice"),
    *("listModels", "retrieveModel", "deleteModel", "healthz", "readyz"),
]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module", params=["service", "schema"])
def operations(
    serve: Any, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, Any]]:
    """Every operation of a running server's document. By the schema's rules most are answered; by
    the service's most are refused."""
    models = str(tmp_path_factory.mktemp("models"))
    with serve("--engine", "stub", "--rules", request.param, "--models", models) as server:
        yield _operations(server.root)


def _operations(root: str) -> dict[str, Any]:
    schema = schemathesis.openapi.from_url(f"{root}/openapi.json")
    found: list[Any] = [result.ok() for result in schema.get_all_operations()]  # type: ignore[union-attr]
    return {
        operation.definition.raw["operationId"]: operation
        for operation in found
        if operation.definition.raw["tags"] != ["Control"]  # test_control_schemathesis.py has it
    }


def test_every_operation_is_tried(operations: dict[str, Any]) -> None:
    assert set(operations) == set(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_document_holds(operations: dict[str, Any], operation: str) -> None:
    @settings(
        max_examples=40,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operations[operation].as_strategy())
    def holds(case: Any) -> None:
        answer = case.call(headers={"authorization": "Bearer sk-test"})
        streamed = "text/event-stream" in answer.headers.get("content-type", [""])[0]
        # As in the official document, an event stream's schema is that of the events' data.
        checks = [c for c in CHECKS if not (streamed and c is response_schema_conformance)]
        case.validate_response(answer, checks=checks)

    holds()
