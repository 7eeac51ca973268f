"""The real application in this process, on the stub engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from starlette.testclient import TestClient

from soundalike.app import create_app
from soundalike.settings import Settings

KEY = {"authorization": "Bearer sk-test"}


class OpenApi(Protocol):
    def __call__(self, **settings: Any) -> TestClient: ...


@pytest.fixture
def open_api(tmp_path: Path) -> Iterator[OpenApi]:
    """Opens applications with settings of their own; all are closed at the end."""
    opened: list[TestClient] = []

    def open_one(**settings: Any) -> TestClient:
        values: dict[str, Any] = {
            "engine": "stub",
            "runtime": "inline",
            "models": tmp_path,
        } | settings
        client = TestClient(create_app(Settings(**values)), headers=KEY)
        client.__enter__()
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        client.__exit__()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An application with the default settings, shared by a module's tests."""
    settings = Settings(engine="stub", runtime="inline", models=tmp_path_factory.mktemp("models"))
    with TestClient(create_app(settings), headers=KEY) as client:
        yield client
