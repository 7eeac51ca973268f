"""`X-Soundalike-Fault` where it does nothing: on a server that is no fixture."""

import logging
from typing import Any

import pytest

FAILING = {"X-Soundalike-Fault": "status; status=500"}


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno == logging.WARNING and "X-Soundalike-Fault" in record.getMessage()
    ]


def test_a_server_that_is_no_fixture_says_so_once_and_answers(
    open_api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    api = open_api(fixture="off")
    usual = api.get("/v1/models")
    assert told(caplog) == []
    for _ in range(3):
        answer = api.get("/v1/models", headers=FAILING)
        assert (answer.status_code, answer.content) == (200, usual.content)
        assert answer.headers.keys() == usual.headers.keys()
    (warning,) = told(caplog)
    assert "--fixture on (SOUNDALIKE_FIXTURE=on)" in warning


def test_a_fixture_has_nothing_to_say(open_api: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert open_api(fixture="on").get("/v1/models", headers=FAILING).status_code == 500
    assert told(caplog) == []
