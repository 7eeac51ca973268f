"""`docs/operations.md` and the dashboard beside it, against what a server tells."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from soundalike.app import create_app
from soundalike.observation import Observation
from soundalike.runtime.base import Load, State, Status
from soundalike.settings import Settings
from soundalike.telemetry.metrics import Metrics

DOCS = Path(__file__).parents[2] / "docs"
KEY = {"authorization": "Bearer sk-test"}


class Busy:
    """A runtime of which everything can be told."""

    def load(self) -> tuple[Load, ...]:
        return (Load("stub", "speech", slots=1, queue=1, real_time_factor=0.5, pid=1),)

    def ready(self) -> tuple[Status, ...]:
        return (Status("stub", "speech", "ready"),)


@pytest.fixture(scope="module")
def families() -> dict[str, Metric]:
    """Every metric, by the name under which Prometheus stores it."""
    metrics = Metrics(Busy(), ["tts-1"])  # type: ignore[arg-type]
    request = Observation("POST", "/", model="tts-1", status=200, first_byte=0.1)
    metrics.ended(request, 0.2)
    found = text_string_to_metric_families(metrics.exposition().decode())
    return {f.name + "_total" * (f.type == "counter"): f for f in found}


@pytest.fixture(scope="module")
def page() -> str:
    return (DOCS / "operations.md").read_text("utf-8")


@pytest.fixture(scope="module")
def dashboard() -> Any:
    return json.loads((DOCS / "grafana.json").read_text("utf-8"))


def table(page: str, heading: str) -> dict[str, list[str]]:
    """The rows of the table whose first column has this heading, by what their first cell names."""
    lines = iter(page.splitlines())
    for line in lines:
        if line.startswith(f"| {heading} |"):
            break
    next(lines)
    rows: dict[str, list[str]] = {}
    for line in lines:
        if not line.startswith("|"):
            break
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        rows[name.strip("`")] = cells
    return rows


def expressions(node: Any) -> Iterator[str]:
    """All that the dashboard asks of Prometheus."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name in ("expr", "query", "definition") and isinstance(value, str):
                yield value
            else:
                yield from expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value)


def test_every_metric_is_on_the_page_with_its_type_labels_and_meaning(
    page: str, families: dict[str, Metric]
) -> None:
    rows = table(page, "Metric")
    assert set(rows) == set(families)
    for name, family in families.items():
        kind, labels, meaning = rows[name]
        assert kind == family.type
        sent = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert set(re.findall(r"`(\w+)`", labels)) == sent
        assert meaning == family.documentation


def test_every_metric_is_on_the_dashboard_and_it_asks_for_no_other(
    dashboard: Any, families: dict[str, Metric]
) -> None:
    asked = {
        re.sub(r"_(bucket|sum|count)$", "", name)
        for expression in expressions(dashboard)
        for name in re.findall(r"\bsoundalike_\w+", expression)
    }
    assert asked == set(families)


def test_the_dashboard_groups_and_names_by_labels_that_are_there(
    dashboard: Any, families: dict[str, Metric]
) -> None:
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            names = set(re.findall(r"\bsoundalike_\w+", target["expr"]))
            known = {"instance", "le"}
            for name in names:
                family = families[re.sub(r"_(bucket|sum|count)$", "", name)]
                known |= {label for sample in family.samples for label in sample.labels}
            used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            for group in re.findall(r"by \(([^)]*)\)", target["expr"]):
                used |= set(group.split(", "))
            for chosen in re.findall(r"\{([^}]*)\}", target["expr"]):
                used |= set(re.findall(r"(\w+)\s*[=!]", chosen))
            assert used <= known, target


def test_panels_have_ids_and_places_of_their_own(dashboard: Any) -> None:
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_field_of_the_log_is_on_the_page_in_its_order(page: str) -> None:
    request = Observation("GET", "/")
    fields = [
        *("time", "level", "logger", "message"),
        *request.identity(),
        *("status", "duration"),
        *(name for name in request.outcome() if name != "status"),
        "exception",
    ]
    assert list(table(page, "Field")) == fields


def test_every_state_of_an_engine_is_on_the_page(page: str) -> None:
    told = re.search(r"`state` \(([^)]*)\)", page)
    assert told
    assert tuple(re.findall(r"`(\w+)`", told[1])) == get_args(State)


def test_a_real_server_tells_of_no_other_metric(
    families: dict[str, Metric], tmp_path: Path
) -> None:
    settings = Settings(engine="stub", runtime="inline", models=tmp_path)
    with TestClient(create_app(settings), headers=KEY) as api:
        api.get("/v1/models")
        found = text_string_to_metric_families(api.get("/metrics").text)
        assert {f.name + "_total" * (f.type == "counter") for f in found} == set(families)
