"""What is said where traces are wanted and nothing can send them."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from soundalike.app import create_app
from soundalike.settings import Settings
from soundalike.telemetry import traces


def not_installed(name: str) -> None:
    raise ModuleNotFoundError(name)


def not_there(name: str) -> None:
    del name


@pytest.mark.parametrize("find", [not_installed, not_there])
@pytest.mark.parametrize("variable", traces.ENDPOINTS)
def test_the_missing_extra_is_told_once_and_by_its_name(
    find: object,
    variable: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setattr(traces, "find_spec", find)
    with TestClient(create_app(Settings(engine="stub", runtime="inline", models=tmp_path))):
        pass
    (said,) = (r.getMessage() for r in caplog.records if r.levelname == "WARNING")
    assert said.startswith(f"{variable} is set, but ")
    assert said.endswith(": pip install 'soundalike[otel]'")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {traces.ENDPOINTS[0]: "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {traces.ENDPOINTS[1]: "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_said_where_no_traces_are_wanted(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for variable in (*traces.ENDPOINTS, "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(traces, "find_spec", not_installed)
    assert traces.can_send_traces()
    assert not caplog.records
