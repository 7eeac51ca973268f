"""How the log is written: as text for people, or as one JSON object a line for machines.

In either, a record is one line that nothing in it can break or colour: whatever is not printable
is escaped. Exceptions are shown by their types and the lines of code that they passed; their
messages, which may quote what a client sent, only where content is asked for.
"""

import codecs
import json
import logging
import os
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from soundalike.observation import Observation, current

LogFormat = Literal["text", "json"]

FORMAT_VARIABLE = "SOUNDALIKE_LOG_FORMAT"
CONTENT_VARIABLE = "SOUNDALIKE_LOG_CONTENT"
"""The settings of these names, by which engine hosts learn how the server logs."""

WORDY = ("httpcore", "httpcore2", "httpx", "httpx2")
"""Loggers that tell of each request to another server, with its whole URL, and more on `debug`."""

INDENT = "    | "
"""Stands before the lines of a traceback, so that none can be taken for a record."""


def log_to_stderr(form: LogFormat, level: str, *, content: bool) -> None:
    """Have this process, and the hosts that it starts from now on, log in one way.

    Args:
        level: the least severe one that is logged, such as `info`.
        content: show messages of exceptions too.
    """
    os.environ[FORMAT_VARIABLE] = form
    os.environ[CONTENT_VARIABLE] = str(content).lower()
    _install(form, level, content=content)


def log_like_the_server() -> None:
    """Have an engine host log in the way of the server that started it."""
    form: LogFormat = "json" if os.environ.get(FORMAT_VARIABLE) == "json" else "text"
    _install(form, "warning", content=os.environ.get(CONTENT_VARIABLE) == "true")


def _install(form: LogFormat, level: str, *, content: bool) -> None:
    handler = logging.StreamHandler()
    kind = JsonFormatter if form == "json" else TextFormatter
    handler.setFormatter(kind(content=content))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name in WORDY:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Formatter(logging.Formatter):
    def __init__(self, *, content: bool) -> None:
        super().__init__()
        self._content = content

    def _trace(self, record: logging.LogRecord) -> Iterator[str]:
        """The lines that tell of the record's exception, if it has one."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return
        shown = traceback.format_exception if self._content else _withheld
        for line in shown(error):
            yield from line.rstrip("\n").split("\n")


class TextFormatter(_Formatter):
    """A line of text, and an indented one for each line of a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}"
        observation = _observation(record)
        if observation and observation.request_id and observation.request_id not in line:
            line += f" ({observation.request_id})"
        content: Mapping[str, str] = _outcome(record).get("content") or {}
        line += "".join(f" {name}={text!r}" for name, text in content.items())
        lines = (INDENT + escaped(part) for part in self._trace(record))
        return "\n".join((escaped(line), *lines))


class JsonFormatter(_Formatter):
    """One JSON object in ASCII; fields without a value are left out."""

    def format(self, record: logging.LogRecord) -> str:
        observation = _observation(record)
        fields: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **(observation.identity() if observation else {}),
            **_outcome(record),
            "exception": "\n".join(self._trace(record)) or None,
        }
        return json.dumps({name: value for name, value in fields.items() if value is not None})


codecs.lookup("unicode_escape")  # else loaded from disk, when no file may be opened any more


def escaped(text: str) -> str:
    """The text with everything in it escaped that does not print: line ends, control and escape
    characters, marks that turn the direction of writing, surrogates."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def _time(record: logging.LogRecord) -> str:
    """In UTC, as RFC 3339 writes it, with milliseconds."""
    time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return time.replace("+00:00", "Z")


def _observation(record: logging.LogRecord) -> Observation | None:
    """The request that the record is about: the one it is given, else the one under way."""
    given: Observation | None = getattr(record, "observation", None)
    return given or current.get()


def _outcome(record: logging.LogRecord) -> Mapping[str, Any]:
    """What became of the request; of the record that ends it alone."""
    given: Observation | None = getattr(record, "observation", None)
    if given is None:
        return {}
    return {"duration": getattr(record, "duration", None), **given.outcome()}


def _withheld(error: BaseException) -> Iterator[str]:
    """A traceback without the messages of its exceptions; the first cause first."""
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None:
        yield from _withheld(earlier)
        yield "which led to"
    yield from traceback.format_tb(error.__traceback__)
    kind = type(error)
    told = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    yield f"{kind.__module__}.{kind.__qualname__}{told}"
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield "of which one is"
            yield from _withheld(inner)
