"""What the document says of the control plane holds for whatever is sent."""

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

from soundalike.fixture.control.openapi import document
from soundalike.fixture.control.routes import TAG

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OPERATIONS = sorted(
    operation["operationId"]
    for item in document()["paths"].values()
    for operation in item.values()
    if isinstance(operation, dict) and TAG in operation["tags"]
)

AT_LEAST_ONCE = {
    **dict.fromkeys(("deleteScope", "deleteStub", "deleteFault"), 404),
    **dict.fromkeys(("getRequest", "getRequestFile", "getRequestResponse"), 404),
    **dict.fromkeys(("addStubs", "addFaults"), 201),
    "waitForRequests": 408,
}
"""What made-up values come to, where it is not 200."""


@pytest.fixture(scope="module")
def server(serve: Any) -> Iterator[Any]:
    with serve("--engine", "stub") as server:
        yield server


@pytest.fixture(scope="module")
def operations(server: Any) -> dict[str, Any]:
    schema = schemathesis.openapi.from_url(f"{server.root}/openapi.json")
    found: list[Any] = [result.ok() for result in schema.get_all_operations()]  # type: ignore[union-attr]
    return {operation.definition.raw["operationId"]: operation for operation in found}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_document_holds(server: Any, operations: dict[str, Any], operation: str) -> None:
    statuses: set[int] = set()

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operations[operation].as_strategy())
    def holds(case: Any) -> None:
        if operation == "waitForRequests":
            case.query["timeout"] = 0
        answer = case.call(base_url=f"{server.root}/s/tried")
        case.validate_response(answer, checks=CHECKS)
        statuses.add(answer.status_code)

    holds()
    assert AT_LEAST_ONCE.get(operation, 200) in statuses
