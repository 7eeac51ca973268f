"""What consents and custom voices share: the way of a recording from a form to the store, and the
way of stored ones to a list. The texts of the refusals are chosen: none was recorded."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from soundalike.api.form import received_form
from soundalike.api.service import Service
from soundalike.contracts.uploads import MAX_RECORDING, check_recording, too_large_recording
from soundalike.contracts.validator import missing_fields
from soundalike.errors import (
    ContentTooLargeError,
    InvalidRequestError,
    NotFoundError,
    ServerError,
    shown,
)
from soundalike.store.voices import Recording, Recordings

ROOM_FOR_FIELDS = 2**20
"""Bytes of a form beside its recording."""

MAX_PAGE = 100


@dataclass(frozen=True, slots=True)
class SentRecording:
    """What a form held: where its file lies for now, and its other fields."""

    path: Path
    fields: Mapping[str, str]


@asynccontextmanager
async def received_recording(
    request: Request, service: Service, file: str, fields: Sequence[str]
) -> AsyncGenerator[SentRecording]:
    """Read a form with one file and some fields, all of them required, empty ones as good as none.

    Raises:
        ValidationError: something is missing; all of it is told.
        InvalidRequestError: the body is no form, or the file is not of a kind that is taken.
        ContentTooLargeError: the file is larger than `MAX_RECORDING`.
    """
    async with AsyncExitStack() as stack:
        try:
            form = await stack.enter_async_context(
                received_form(
                    request,
                    spool=service.spool,
                    limit=MAX_RECORDING + ROOM_FOR_FIELDS,
                    file_fields=frozenset({file}),
                )
            )
        except ContentTooLargeError:  # it tells of the form's limit, and bills a transcription
            raise too_large_recording() from None
        sent = {name: value for name in fields if (value := form.one(name))}
        if missing := [name for name in (*fields, file) if name not in {*sent, *form.files}]:
            raise missing_fields(missing)
        upload = form.files[file]
        if service.settings.rules == "service":
            check_recording(file, upload.content_type, upload.name, upload.size)
        yield SentRecording(upload.path, sent)


async def kept(recordings: Recordings, sent: SentRecording, **about: str) -> Recording:
    """What was sent, stored.

    Args:
        about: as `Recordings.add` takes it.

    Raises:
        ServerError: the store cannot be written.
    """
    try:
        return await asyncio.to_thread(recordings.add, sent.path, sent.fields["name"], **about)
    except OSError as error:
        raise ServerError(f"a recording cannot be stored: {error.strerror}") from error


def known_recording(service: Service, recordings: Recordings, noun: str, id_: str) -> Recording:
    """The recording that a client names. By the schema any name stands for one: then what nobody
    stored is made up.

    Args:
        noun: what a refusal calls it.

    Raises:
        NotFoundError: there is none.
    """
    if (recording := recordings.find(id_)) is not None:
        return recording
    if service.settings.rules == "schema":
        return Recording(id_, name=noun, created_ns=0, sha256="0" * 64, language="en-US")
    raise NotFoundError(f"No {noun} found with id '{shown(id_)}'.")


def page_size(service: Service, limit: str) -> int:
    """How many items a client wants. The refusals are worded as the service's other lists word
    theirs.

    Raises:
        InvalidRequestError: not a whole number from 1 to 100.
    """
    try:
        size = int(limit)
    except ValueError:
        message = "Invalid type for 'limit': expected an integer, but got a string instead."
        raise InvalidRequestError(message, param="limit", code="invalid_type") from None
    if service.settings.rules == "schema":
        return min(max(size, 0), MAX_PAGE)
    if size < 1:
        message = (
            "Invalid 'limit': integer below minimum value. "
            f"Expected a value >= 1, but got {size} instead."
        )
        raise InvalidRequestError(message, param="limit", code="integer_below_min_value")
    if size > MAX_PAGE:
        message = (
            "Invalid 'limit': integer above maximum value. "
            f"Expected a value <= {MAX_PAGE}, but got {size} instead."
        )
        raise InvalidRequestError(message, param="limit", code="integer_above_max_value")
    return size


def listed(
    page: tuple[Sequence[Recording], bool], as_resource: Callable[[Recording], dict[str, Any]]
) -> Response:
    """A page of a list, with the cursors that the SDKs go on from."""
    recordings, more = page
    return JSONResponse(
        {
            "object": "list",
            "data": [as_resource(recording) for recording in recordings],
            "first_id": recordings[0].id if recordings else None,
            "last_id": recordings[-1].id if recordings else None,
            "has_more": more,
        }
    )


def created_at(recording: Recording) -> int:
    """Unix time in seconds."""
    return recording.created_ns // 10**9
