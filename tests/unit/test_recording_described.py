"""What a recording keeps of a request."""

import hashlib
import io
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.types import Message

from soundalike.fixture.exchange import Exchange, File
from soundalike.fixture.intake import Intake
from soundalike.fixture.recordings.described import described
from soundalike.fixture.recordings.recorded import Index, RecordedRequest, Recording
from soundalike.fixture.recordings.redaction import Secrets


async def nothing() -> Message:
    raise AssertionError("nothing is received")


def kept(body: bytes = b"", query: str = "", **values: Any) -> RecordedRequest:
    exchange = Exchange(
        id="req_1",
        number=1,
        scope="default",
        endpoint="transcriptions",
        method="POST",
        path="/v1/audio/transcriptions",
        query=query,
        **values,
    )
    taken = Intake(nothing, io.BytesIO(body), len(body), exchange.fields)
    return described(exchange, taken, Secrets(Headers({})))


def test_fields_stand_in_one_order_and_paths_below_the_base_url() -> None:
    request = kept(fields={"model": "whisper-1", "language": "en"})
    assert list(request.fields) == ["language", "model"]
    assert request.path == "/audio/transcriptions"


def test_a_query_is_read_into_its_values() -> None:
    assert kept(query="a=1&b=2&b=3&c=&token=x").query == {
        "a": "1",
        "b": ["2", "3"],
        "c": "",
        "token": "***",
    }


def test_a_sample_in_a_field_is_kept_as_its_hash() -> None:
    sample = "data:audio/wav;base64," + "QUFB" * 1000
    request = kept(fields={"known_speaker_references[]": [sample]})
    digest = hashlib.sha256(b"QUFB" * 1000).hexdigest()
    expected = f"data:audio/wav;base64,sha256-{digest}"
    assert request.fields == {"known_speaker_references[]": [expected]}
    other = kept(fields={"known_speaker_references[]": [sample + "QUFB"]})
    assert request.key() != other.key()


def test_what_utf_8_cannot_hold_does_not_break_the_index() -> None:
    request = kept(fields={"input": "half \ud83d", "\udc00": {"x": ["\ud800"]}})
    recording = Recording.model_validate(
        {"id": "0001", "request": request.model_dump(), "answer": {"status": 200}}
    )
    text = Index(recordings=(recording,)).model_dump_json()
    assert Index.model_validate_json(text).recordings == (recording,)
    assert request.key() != kept(fields={"input": "half \ud83e"}).key()


def test_an_upload_is_kept_by_its_hashes() -> None:
    file = File("file", "a.wav", "audio/wav", 4, "ab" * 32, "wav", 1.23456, "cd" * 32)
    request = kept(b"form", fields={"model": "whisper-1"}, file=file)
    assert request.file is not None
    assert (request.file.seconds, request.file.sound) == (1.235, "cd" * 32)
    assert request.file.kept is None


@pytest.mark.parametrize(
    ("content_type", "told_apart"),
    [("application/octet-stream", True), ("multipart/form-data; boundary=x", False)],
)
def test_a_body_without_fields_is_told_by_its_hash_unless_it_is_a_form(
    content_type: str, told_apart: bool
) -> None:
    headers = {"content-type": content_type}
    one, other = kept(b"one", headers=headers), kept(b"other", headers=headers)
    assert (one.key() != other.key()) is told_apart
