"""Faults over the control plane, through the real application."""

from typing import Any

import pytest

from soundalike.fixture.faults import FAULTS

BUSY = {"kind": "status", "status": 429, "times": 2}


def test_a_fault_fails_the_requests_that_it_matches(control: Any) -> None:
    added = control("POST", "/faults", json=BUSY | {"match": {"text": "Hello*"}, "skip": 1})
    assert added.status_code == 201
    fault = BUSY | {"match": {"text": "Hello*"}, "skip": 1}
    assert added.json()["faults"] == [
        {"id": "fault-1", "passed": 0, "uses": 0, "spent": False, "fault": fault}
    ]
    statuses = [control.speak(text).status_code for text in ("Hello.", "Hello.", "No.", "Hello.")]
    assert statuses == [200, 429, 200, 429]
    (state,) = control("GET", "/faults").json()["faults"]
    assert (state["passed"], state["uses"], state["spent"]) == (1, 2, True)


def test_several_faults_come_in_one_list(control: Any) -> None:
    added = control("POST", "/faults", json=[BUSY | {"times": 1}, {"kind": "status"}])
    assert [each["id"] for each in added.json()["faults"]] == ["fault-1", "fault-2"]
    assert [control.speak().status_code for _ in range(2)] == [429, 500]


def test_faults_are_dropped_one_by_one_and_all_at_once(control: Any) -> None:
    control("POST", "/faults", json=[BUSY, BUSY, BUSY])
    assert control("DELETE", "/faults/fault-1").json() == {"id": "fault-1", "deleted": True}
    assert control("DELETE", "/faults/fault-1").status_code == 404
    assert len(control("GET", "/faults").json()["faults"]) == 2
    assert control("DELETE", "/faults").json()["faults"] == 0
    assert control.speak().status_code == 200


def test_every_kind_tells_its_options(control: Any) -> None:
    kinds = {kind["kind"]: kind for kind in control("GET", "/faults/kinds").json()["kinds"]}
    assert set(kinds) == set(FAULTS)
    for name, kind in kinds.items():
        assert kind["description"]
        assert kind["schema"]["properties"]["kind"]["const"] == name
        assert {"match", "times", "skip", "probability"} < set(kind["schema"]["properties"])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "kind"),
        ({"kind": "plague"}, "kind"),
        (BUSY | {"unknown": 1}, "unknown"),
        (BUSY | {"status": 99}, "status"),
        (BUSY | {"match": {"colour": "red"}}, "match.colour"),
        ([BUSY, BUSY | {"probability": 2}], "probability"),
        (["status"], "0"),
        ("status", None),
        (None, None),
    ],
)
def test_what_is_wrong_is_refused_and_changes_nothing(
    control: Any, body: Any, param: str | None
) -> None:
    answer = control("POST", "/faults", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
    assert control("GET", "/faults").json() == {"faults": []}
    assert control.speak().status_code == 200
