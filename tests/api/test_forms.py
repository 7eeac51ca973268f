"""Forms as every SDK sends them, and forms that nobody should send.

The requests in `forms/` were recorded (openai-python 3.54.0, openai-node 6.49.0, curl 7.88), or
follow recordings of others (.NET, RubyLLM) and the sources of the SDK. What is uploaded is the stub
engine's own speech, so that the answer shows whether it came through whole.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from soundalike.api import form as forms
from soundalike.api.form_parts import MAX_FIELD, MAX_FILES, MAX_SPOOLED, MAX_TEXT
from soundalike.api.memory import OWN, CommonMemory, RequestMemory
from soundalike.api.multipart import MAX_CONTENT_TYPE, MAX_PARAMETERS, MAX_PARTS
from soundalike.engines.base import VadSettings

FORMS = Path(__file__).parent / "forms"
SPOKEN = "Every client spells a form in its own way."
UNPARSED = "Could not parse multipart form"


@dataclass(frozen=True)
class Recorded:
    """A request's content type, and its body in the pieces in which it is sent."""

    content_type: str
    pieces: list[bytes]

    def cut(self, size: int) -> "Recorded":
        body = b"".join(self.pieces)
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        return Recorded(self.content_type, pieces)


def recorded(name: str, audio: bytes) -> Recorded:
    """A request of `forms/` with a file in it; what was sent in chunks is cut into some."""
    head, _, text = (FORMS / f"{name}.http").read_text(encoding="utf-8").partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    text = text.replace("<length>", str(len(audio))).replace("\n", "\r\n")
    before, after = text.encode().split(b"<audio>")
    request = Recorded(headers["Content-Type"], [before + audio + after])
    return request.cut(1021) if "Transfer-Encoding" in headers else request


def named(kind: str) -> list[str]:
    return sorted(path.stem for path in FORMS.glob(f"*.{kind}.http"))


def form(*parts: tuple[str, str | bytes], before: bytes = b"", after: bytes = b"") -> Recorded:
    """A plain form of parts, each with its headers but for `Content-Disposition: form-data; `."""
    body = before
    for head, content in parts:
        raw = content.encode() if isinstance(content, str) else content
        body += f"--x\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + raw + b"\r\n"
    return Recorded("multipart/form-data; boundary=x", [body + b"--x--\r\n" + after])


WHISPER = ('name="model"', "whisper-1")
REFERENCE = 'name="known_speaker_references[]"'


@pytest.fixture(scope="module")
def audio(api: Any) -> bytes:
    return speech(api, SPOKEN)


def speech(api: Any, text: str) -> bytes:
    body = {"model": "tts-1", "voice": "alloy", "input": text}
    content: bytes = api.post("/v1/audio/speech", json=body).content
    return content


def replay(send: Any, request: Recorded, **options: Any) -> Any:
    return send(request.content_type, request.pieces, **options)


def heard(send: Any, request: Recorded) -> str:
    text: str = json.loads(replay(send, request).body)["text"]
    return text


# As the SDKs send them ---------------------------------------------------------------------------


@pytest.mark.parametrize("request_name", named("words"))
def test_each_sdk_gets_the_words_it_asks_for(send: Any, audio: bytes, request_name: str) -> None:
    answer = replay(send, recorded(request_name, audio))
    assert answer.status == 200
    body = json.loads(answer.body)
    assert body["text"] == SPOKEN
    assert [word["word"] for word in body["words"]] == SPOKEN.rstrip(".").split()
    assert "segments" not in body


@pytest.mark.parametrize("request_name", named("object"))
def test_each_sdk_gets_its_log_probabilities_and_its_chunks(
    send: Any, audio: bytes, request_name: str
) -> None:
    answer = replay(send, recorded(request_name, audio))
    assert answer.status == 200
    body = json.loads(answer.body)
    assert body["text"] == SPOKEN
    assert "".join(token["token"] for token in body["logprobs"]).strip() == SPOKEN
    assert answer.job.vad == VadSettings(0.4, 200, 300)
    assert not answer.job.normalize_loudness


def test_the_other_fields_of_the_python_sdk_arrive(send: Any, audio: bytes) -> None:
    job = replay(send, recorded("python.words", audio)).job
    assert (job.language, job.prompt, job.temperature) == ("en", "héllo", 0.5)
    assert (job.vad, job.normalize_loudness) == (None, False)


@pytest.mark.parametrize(
    ("stream", "streamed"), [("true", True), ("1", True), ("false", False), ("", False)]
)
def test_booleans_of_every_sdk(send: Any, audio: bytes, stream: str, streamed: bool) -> None:
    """PHP writes `1` for true, and nothing at all for false."""
    request = form(
        ('name="file"; filename="speech.mp3"', audio),
        ('name="model"', "gpt-4o-transcribe"),
        ('name="stream"', stream),
        ('name="chunking_strategy"', "auto"),
    )
    answer = replay(send, request)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream") == streamed
    assert (answer.job.vad, answer.job.normalize_loudness) == (None, True)


def test_lists_arrive_whole_and_in_order(send: Any, audio: bytes) -> None:
    request = form(
        ('name="model"', "gpt-transcribe"),
        ('name="languages[]"', "de"),
        ('name="languages[]"', "fr"),
        ('name="keywords[]"', "Dashwood"),
        ('name="keywords[]"', "Ελένη"),
        ('name="file"; filename="speech.mp3"', audio),
    )
    job = replay(send, request).job
    assert (job.language, job.languages) == (None, ("de", "fr"))
    assert job.keywords == ("Dashwood", "Ελένη")


@pytest.mark.parametrize("bare", ["include", "timestamp_granularities"])
def test_lists_need_their_brackets(send: Any, audio: bytes, bare: str) -> None:
    """Without them they are fields like any other that the live service does not know."""
    request = form(
        ('name="model"', "gpt-4o-transcribe" if bare == "include" else "whisper-1"),
        ('name="response_format"', "json" if bare == "include" else "verbose_json"),
        (f'name="{bare}"', "logprobs" if bare == "include" else "word"),
        ('name="file"; filename="speech.mp3"', audio),
    )
    body = json.loads(replay(send, request).body)
    assert body["text"] == SPOKEN
    assert not {"logprobs", "words"} & set(body)


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize("request_name", ["python.words", "dotnet.words"])
def test_it_does_not_matter_where_the_network_cuts(
    send: Any, audio: bytes, request_name: str, size: int
) -> None:
    assert heard(send, recorded(request_name, audio).cut(size)) == SPOKEN


@pytest.mark.parametrize(("extension", "status"), [("mp3", 200), ("txt", 400)])
def test_a_name_in_utf_8_counts(send: Any, audio: bytes, extension: str, status: int) -> None:
    """.NET writes a name beyond ASCII twice, first so that it shows no extension."""
    name = f"filename*=utf-8''%e9%9f%b3%e5%a3%b0.{extension}"
    head = f'name=file; filename="=?utf-8?B?6Z+z5aOwLm1wMw==?="; {name}'
    assert replay(send, form((head, audio), WHISPER)).status == status


@pytest.mark.parametrize(
    "filename",
    ["音声.mp3", "%E9%9F%B3%20a.mp3", 'a \\"b\\".mp3', "a;b=c.mp3", "C:\\sound\\a.mp3", ""],
)
def test_any_file_name_will_do(send: Any, audio: bytes, filename: str) -> None:
    assert heard(send, form((f'name="file"; filename="{filename}"', audio), WHISPER)) == SPOKEN


# As nobody should send them ----------------------------------------------------------------------


def test_what_is_before_and_after_the_parts_is_passed_over(send: Any, audio: bytes) -> None:
    request = form(
        ("name=file", audio),
        WHISPER,
        before=b"This is a message in MIME format.\r\n-- \r\n",
        after=b"\r\nThat was it.\r\n--x\r\n",
    )
    assert heard(send, request) == SPOKEN
    assert heard(send, request.cut(3)) == SPOKEN


def test_header_names_have_no_case(send: Any, audio: bytes) -> None:
    body = (
        b'--x\r\ncOnTent-DISPOSITION:Form-Data; NAME="file"; FileName="a.mp3"\r\n\r\n'
        + audio
        + b"\r\n--x\r\ncontent-disposition:form-data;name=model\r\n\r\nwhisper-1\r\n--x--"
    )
    assert heard(send, Recorded("Multipart/Form-Data; Boundary=x", [body])) == SPOKEN


def test_of_several_the_last_counts(api: Any, send: Any, audio: bytes) -> None:
    request = form(
        ('name="model"', "gpt-4o-transcribe"),
        ('name="response_format"', "text"),
        ('name="file"; filename="a.mp3"', speech(api, "The first one.")),
        ('name="file"; filename="b.mp3"', audio),
        ('name="response_format"', "verbose_json"),
        WHISPER,
    )
    assert heard(send, request) == SPOKEN
    assert json.loads(replay(send, request).body)["segments"]


def test_a_file_under_another_name_is_ignored(send: Any, audio: bytes) -> None:
    request = form(('name="cover"; filename="a.png"', b"\x89PNG"), ("name=file", audio), WHISPER)
    assert heard(send, request) == SPOKEN


REFUSED = {
    "a field beyond all measure": form(WHISPER, ('name="prompt"', bytes(MAX_FIELD + 1))),
    "text beyond all measure": form(*[('name="keywords[]"', bytes(MAX_FIELD))] * 4, WHISPER),
    "names beyond all measure": form(*[(f'name="{"n" * 3000}"', "")] * (MAX_TEXT // 3000 + 1)),
    "references beyond all measure": form((REFERENCE, bytes(MAX_SPOOLED + 1))),
    "too many references": form(*[(REFERENCE, "data:,")] * (MAX_FILES + 1)),
    "too long a content type": Recorded(
        f"multipart/form-data; boundary=x; a={'b' * MAX_CONTENT_TYPE}", form(WHISPER).pieces
    ),
    "too many parameters": Recorded(
        f"multipart/form-data; boundary=x{';' * MAX_PARAMETERS}", form(WHISPER).pieces
    ),
    "too many parameters of a part": form((f'name="a"{";" * MAX_PARAMETERS}', "b")),
    "too many parts": form(*[WHISPER] * (MAX_PARTS + 1)),
    "a part without a name": form(('filename="a.mp3"', b"audio")),
    "a boundary beyond all measure": Recorded(
        f"multipart/form-data; boundary={'x' * 300}", [b"--" + b"x" * 300 + b"--"]
    ),
    "a header that is none": form(("name=a\r\n: b", "c")),
    "no end": Recorded("multipart/form-data; boundary=x", [b"--x\r\nContent-Disposition: form-d"]),
    "another boundary": Recorded("multipart/form-data; boundary=y", form(WHISPER).pieces),
    "no form": Recorded("audio/mpeg", [b"audio"]),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_is_no_form_is_refused_when_all_of_it_was_read(send: Any, fault: str) -> None:
    """A client that still sends would not hear the refusal."""
    answer = replay(send, REFUSED[fault].cut(64 * 1024))
    assert answer.status == 400
    assert json.loads(answer.body)["error"]["message"] == UNPARSED
    assert answer.remaining == []


def test_a_thousand_parts_are_not_too_many(send: Any, audio: bytes) -> None:
    assert heard(send, form(*[WHISPER] * (MAX_PARTS - 1), ("name=file", audio))) == SPOKEN


def test_speaker_references_may_be_large(send: Any, audio: bytes) -> None:
    """Ten seconds of stereo sound, uncompressed, for each of four speakers."""
    speakers = [
        part
        for name in ("agent", "customer", "manager", "cat")
        for part in (
            ('name="known_speaker_names[]"', name),
            ('name="known_speaker_references[]"', "data:audio/wav;base64," + "A" * 2_560_000),
        )
    ]
    diarize = ('name="model"', "gpt-4o-transcribe-diarize")
    assert heard(send, form(diarize, *speakers, ("name=file", audio))) == SPOKEN


def test_the_longest_field_arrives_whole(send: Any, audio: bytes) -> None:
    prompt = "\U0001f600" * (MAX_FIELD // 4)
    request = form(WHISPER, ('name="prompt"', prompt), ("name=file", audio))
    assert replay(send, request).job.prompt == prompt


def test_much_text_is_refused_while_others_take_the_room_for_it(
    send: Any, audio: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = CommonMemory(OWN)
    monkeypatch.setattr(forms, "RequestMemory", lambda: RequestMemory(common))
    short = form(WHISPER, ("name=file", audio))
    long = form(WHISPER, *[('name="keywords[]"', bytes(MAX_FIELD))] * 3, ("name=file", audio))
    refused = replay(send, long.cut(4096))
    assert refused.status == 503
    assert refused.headers["retry-after"] == "1"
    assert json.loads(refused.body)["error"]["type"] == "server_error"
    assert refused.remaining == []
    assert common.left == OWN
    common.take(OWN)
    assert heard(send, short) == SPOKEN


@pytest.mark.parametrize("sent", [0, 30, 400])
def test_a_client_that_hangs_up_leaves_nothing(
    send: Any, audio: bytes, sent: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Before the file, in its head, and in the midst of it. `send` looks at the disk."""
    whole = form(("name=file", audio), WHISPER)
    body = b"".join(whole.pieces)[:sent]
    with caplog.at_level(logging.WARNING):
        answer = replay(send, Recorded(whole.content_type, [body]), hang_up=True)
    assert answer.status is None
    assert answer.jobs == []
    assert caplog.text == ""


def test_a_client_that_goes_before_its_stream_begins_leaves_no_file(
    send: Any, audio: bytes
) -> None:
    """`send` looks at the disk."""
    request = form(
        ('name="file"; filename="a.mp3"', audio),
        ('name="model"', "gpt-4o-transcribe"),
        ('name="stream"', "true"),
    )
    answer = replay(send, request, deaf=True)
    assert answer.job.deltas
    assert answer.status is None
