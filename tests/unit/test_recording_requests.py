"""Which requests a recording takes for the same."""

from typing import Any

import pytest

from soundalike.fixture.recordings.recorded import RecordedFile, RecordedRequest


def request(**values: Any) -> RecordedRequest:
    return RecordedRequest.model_validate(
        {"endpoint": "transcriptions", "method": "POST", "path": "/audio/transcriptions"} | values
    )


def upload(**values: Any) -> RecordedFile:
    return RecordedFile.model_validate(
        {
            "field": "file",
            "name": "hello.wav",
            "content_type": "audio/wav",
            "bytes": 4,
            "sha256": "ab" * 32,
            "container": "wav",
            "seconds": 1.5,
            "audio_sha256": "cd" * 32,
        }
        | values
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"model": "whisper-1", "language": "en"}, {"language": "en", "model": "whisper-1"}),
        ({"temperature": "0.50"}, {"temperature": " 0.5 "}),
        ({"speed": 1}, {"speed": 1.0}),
        (
            {"timestamp_granularities[]": ["word", "segment"]},
            {"timestamp_granularities[]": ["segment", "word"]},
        ),
        ({"include[]": "logprobs"}, {"include": ["logprobs"]}),
        (
            {"chunking_strategy": '{"type": "server_vad", "threshold": 1.0}'},
            {"chunking_strategy": '{"threshold":1,"type":"server_vad"}'},
        ),
    ],
)
def test_the_same_request_in_another_spelling_has_the_same_key(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert request(fields=one).key() == request(fields=other).key()
    assert request(fields=one).mismatches(request(fields=other)) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"model": "whisper-1"}, {"model": "gpt-4o-transcribe"}),
        ({}, {"temperature": "0"}),
        ({"input": "1.0"}, {"input": "1"}),
        ({"prompt": " a"}, {"prompt": "a"}),
        ({"known_speaker_names[]": ["A", "B"]}, {"known_speaker_names[]": ["B", "A"]}),
    ],
)
def test_another_request_has_another_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert request(fields=one).key() != request(fields=other).key()


def test_an_upload_is_told_by_its_sound_and_not_by_its_name() -> None:
    wav = request(file=upload())
    flac = request(file=upload(name="h.flac", content_type=None, container="flac", sha256="0" * 64))
    assert wav.key() == flac.key()
    assert wav.key() != request(file=upload(audio_sha256="ef" * 32)).key()
    assert wav.key() != request(file=upload(field="sample")).key()


def test_what_is_no_audio_is_told_by_its_bytes() -> None:
    none = {"audio_sha256": None, "seconds": None, "container": None}
    one, other = (request(file=upload(sha256=digit * 64, **none)) for digit in "12")
    assert one.key() != other.key()
    assert str(one.file) == "hello.wav (4 bytes, 111111111111)"


def test_query_method_path_and_other_bodies_count() -> None:
    values: list[dict[str, Any]] = [
        {},
        {"query": {"limit": "5"}},
        {"method": "GET"},
        {"path": "/audio/translations"},
        {"body_sha256": "12" * 32},
    ]
    assert len({request(**each).key() for each in values}) == len(values)
    assert request(query={"limit": "5"}).key() == request(query={"limit": "05"}).key()


def test_mismatches_say_what_was_recorded_and_what_was_sent() -> None:
    recorded = request(fields={"model": "whisper-1", "language": "en"}, file=upload())
    sent = request(fields={"model": "whisper-1", "prompt": "x" * 100}, file=upload(name="a.mp3"))
    assert [str(mismatch) for mismatch in recorded.mismatches(sent)] == [
        "fields.language: wanted 'en', not sent",
        f"fields.prompt: wanted '(not sent)', got '{'x' * 77}...'",
    ]
    other = request(
        fields=recorded.fields, file=upload(name="b.wav", audio_sha256="ef" * 32, seconds=2)
    )
    (mismatch,) = recorded.mismatches(other)
    assert str(mismatch) == (
        "file: wanted 'hello.wav (1.5 s, cdcdcdcdcdcd)', got 'b.wav (2 s, efefefefefef)'"
    )
