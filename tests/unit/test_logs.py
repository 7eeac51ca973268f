"""Log lines: one for each record, that nothing a client sends can break, forge or colour, and
that hold no message of an exception unless content is asked for."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from soundalike.logs import INDENT, JsonFormatter, TextFormatter, escaped
from soundalike.observation import Observation, current, note_model, note_text

HOSTILE = "x\r\n2026-01-01T00:00:00.000Z INFO soundalike.access: forged\x1b[2K\u2028\x85\u202eend"


def record(message: str, *args: Any, error: BaseException | None = None) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("a.b", logging.ERROR, __file__, 1, message, args, exc_info)


@pytest.fixture
def request_() -> Iterator[Observation]:
    observation = Observation("GET", HOSTILE, request_id="req_1", content={})
    token = current.set(observation)
    yield observation
    current.reset(token)


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except Exception as caught:
        return caught


def test_what_does_not_print_is_escaped_and_what_does_stays() -> None:
    assert escaped("ä 日本 plain") == "ä 日本 plain"
    assert escaped(HOSTILE).isprintable()
    assert escaped("a\r\nb\x1bc\ud800") == "a\\r\\nb\\x1bc\\ud800"


def test_a_line_of_text_stays_one_line() -> None:
    line = TextFormatter(content=True).format(record("%s failed", HOSTILE))
    assert line.isprintable()
    assert line.startswith("20")
    assert " ERROR a.b: x\\r\\n2026" in line


def test_a_line_of_json_stays_one_line_of_ascii_and_keeps_the_text() -> None:
    line = JsonFormatter(content=True).format(record("%s failed", HOSTILE))
    assert line.isascii()
    assert line.isprintable()
    fields = json.loads(line)
    assert fields.pop("time").endswith("Z")
    assert fields == {"level": "error", "logger": "a.b", "message": f"{HOSTILE} failed"}


def test_a_record_says_which_request_it_is_about(request_: Observation) -> None:
    note_model("tts-1")
    fields = json.loads(JsonFormatter(content=False).format(record("late")))
    assert fields["request_id"] == "req_1"
    assert fields["method"] == "GET"
    assert fields["route"] == "unmatched"
    assert fields["model"] == "tts-1"
    assert "status" not in fields, "the request is not over"
    assert TextFormatter(content=False).format(record("late")).endswith("late (req_1)")
    assert "req_1)" not in TextFormatter(content=False).format(record("late req_1"))


def test_messages_of_exceptions_are_withheld_but_not_what_the_system_says() -> None:
    secret = raised(ValueError("what was spoken"), raised(OSError(28, "No space left", "name")))
    for formatter in (TextFormatter(content=False), JsonFormatter(content=False)):
        text = formatter.format(record("job failed", error=secret))
        assert "builtins.ValueError" in text
        assert "OSError: No space left" in text
        assert "in raised" in text
        assert "what was spoken" not in text
        assert "name" not in text.replace("__name__", "")


def test_messages_of_exceptions_in_a_group_are_withheld_too() -> None:
    group = raised(ExceptionGroup("the group", [raised(KeyError("what was spoken"))]))
    text = TextFormatter(content=False).format(record("job failed", error=group))
    assert "builtins.KeyError" in text
    assert "what was spoken" not in text
    assert "the group" not in text


def test_messages_of_exceptions_are_shown_where_content_is_asked_for() -> None:
    error = raised(ValueError(HOSTILE))
    first, *rest = TextFormatter(content=True).format(record("failed", error=error)).split("\n")
    assert first.endswith("failed")
    assert rest
    assert all(line.startswith(INDENT) and line.isprintable() for line in rest)
    assert "x\\r" in rest[-2] + rest[-1]
    fields = json.loads(JsonFormatter(content=True).format(record("failed", error=error)))
    assert HOSTILE.split("\n")[0] in fields["exception"]


def test_texts_are_kept_only_where_they_are_asked_for_and_not_without_end(
    request_: Observation,
) -> None:
    note_text("text", "one ")
    note_text("text", "two")
    note_text("prompt", None)
    assert request_.content == {"text": "one two"}
    note_text("text", "x" * 10_000)
    assert len(request_.content["text"]) == 4096
    request_.content = None
    note_text("text", "more")
    assert request_.content is None


def test_outside_of_any_request_nothing_is_noted() -> None:
    note_model("tts-1")
    note_text("text", "text")
    assert current.get() is None


def test_the_log_goes_to_stderr_in_the_way_that_was_asked_for(tmp_path: Any) -> None:
    import subprocess

    code = (
        "import logging, os, warnings\n"
        "from soundalike.logs import log_like_the_server, log_to_stderr\n"
        "log_to_stderr('json', 'info', content=False)\n"
        "logging.info('of the server'); logging.debug('too much')\n"
        "logging.getLogger('httpx2').info('GET https://upstream.example/?key=secret')\n"
        "warnings.warn('a warning')\n"
        "log_like_the_server()\n"
        "logging.info('of a host'); logging.error('an error of a host')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == ""
    first, warning, last = map(json.loads, done.stderr.splitlines())
    assert first["message"] == "of the server"
    assert "a warning" in warning["message"]
    assert last["message"] == "an error of a host"
