"""Server-sent events, byte for byte as the live service frames them."""

import json
from base64 import b64decode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundalike.errors import RateLimitError, ServerError
from soundalike.formats import RenderOptions
from soundalike.formats.events import SpeechEvents, TranscriptEvents, error_frame
from soundalike.transcript import Delta, Detected, Segment, TokenLogprob

WORDS = ("Hello", " world", ",", " this", " is", " a", " test", ".")


def segment(
    text: str, logprobs: tuple[TokenLogprob, ...] | None = None, speaker: str | None = None
) -> Segment:
    tokens = tuple(range(100, 108))
    return Segment(
        0, 0, 0.0, 1.7, text, tokens, 0.0, -0.5, 0.8, 0.0, logprobs=logprobs, speaker=speaker
    )


def token(text: str, logprob: float = -0.5) -> TokenLogprob:
    return TokenLogprob(text, logprob, tuple(text.encode()))


def payloads(stream: bytes) -> list[str]:
    """What the frames hold; each is one line of data and ends in CRLF CRLF."""
    frames = stream.split(b"\r\n\r\n")
    assert frames.pop() == b""
    assert all(frame.startswith(b"data: ") and b"\n" not in frame for frame in frames)
    return [frame.removeprefix(b"data: ").decode() for frame in frames]


def test_a_transcription_streams_as_recorded() -> None:
    events = TranscriptEvents(RenderOptions(usage="tokens"))
    stream = events.feed(Detected("en", 1.7))
    for word in (" Hello", *WORDS[1:]):
        stream += events.feed(Delta(word))
    stream += events.feed(segment(" Hello world, this is a test."))
    stream += events.finish()
    assert stream.startswith(b'data: {"type":"transcript.text.delta","delta":"Hello"}\r\n\r\n')
    assert stream.endswith(
        b'data: {"type":"transcript.text.done","text":"Hello world, this is a test.",'
        b'"usage":{"type":"tokens","total_tokens":27,"input_tokens":17,"input_token_details":'
        b'{"text_tokens":0,"audio_tokens":17},"output_tokens":10}}\r\n\r\ndata: [DONE]\r\n\r\n'
    )
    deltas = [json.loads(one)["delta"] for one in payloads(stream)[:-2]]
    assert deltas == list(WORDS)


def test_each_delta_has_its_logprob_and_done_has_all() -> None:
    tokens = (
        token(" Hello", -0.00002629921436891891),
        token(" you", -1.2664456789934775e-6),
        token(".", 0.0),
    )
    events = TranscriptEvents(RenderOptions(logprobs=True))
    stream = b"".join(events.feed(Delta(one.token, (one,))) for one in tokens)
    stream += events.feed(segment(" Hello you.", tokens)) + events.finish()
    entries = [
        '{"token":"Hello","logprob":-0.00002629921436891891,"bytes":[72,101,108,108,111]}',
        '{"token":" you","logprob":-1.2664456789934775e-6,"bytes":[32,121,111,117]}',
        '{"token":".","logprob":0.0,"bytes":[46]}',
    ]
    first, second, third, done, end = payloads(stream)
    assert first == f'{{"type":"transcript.text.delta","delta":"Hello","logprobs":[{entries[0]}]}}'
    assert second == f'{{"type":"transcript.text.delta","delta":" you","logprobs":[{entries[1]}]}}'
    assert third == f'{{"type":"transcript.text.delta","delta":".","logprobs":[{entries[2]}]}}'
    assert f'"text":"Hello you.","logprobs":[{",".join(entries)}],"usage"' in done
    assert end == "[DONE]"


def test_a_character_split_over_tokens_comes_whole_with_all_its_tokens() -> None:
    first, second = "世".encode()[:1], "世".encode()[1:]
    halves = (
        TokenLogprob("\ufffd", -0.1, tuple(first)),
        TokenLogprob("\ufffd\ufffd", -0.2, tuple(second)),
    )
    events = TranscriptEvents(RenderOptions(logprobs=True))
    delta = json.loads(payloads(events.feed(Delta("世", halves)))[0])
    assert delta["delta"] == "世"
    spelled = [byte for entry in delta["logprobs"] for byte in entry["bytes"]]
    assert bytes(spelled).decode() == "世"


def test_an_engine_without_deltas_streams_its_segments() -> None:
    events = TranscriptEvents(RenderOptions())
    stream = events.feed(Detected("en", 4.0))
    stream += events.feed(segment(" One.")) + events.feed(segment(" Two.")) + events.finish()
    found = [json.loads(one) for one in payloads(stream)[:-1]]
    assert [one.get("delta") for one in found] == ["One.", " Two.", None]
    assert found[-1]["text"] == "One. Two."


def test_done_of_gpt_transcribe_lists_the_languages() -> None:
    events = TranscriptEvents(RenderOptions(languages=True))
    events.feed(Detected("de", 4.0))
    events.feed(segment(" Hallo."))
    assert b'"text":"Hallo.","languages":[{"code":"de"}],"usage":{' in events.finish()


def test_silence_streams_a_done_event_alone() -> None:
    events = TranscriptEvents(RenderOptions(logprobs=True, languages=True))
    stream = events.feed(Detected(None, 3.0)) + events.finish()
    assert stream == (
        b'data: {"type":"transcript.text.done","text":"","languages":[],"usage":{"type":"tokens",'
        b'"total_tokens":32,"input_tokens":30,"input_token_details":{"text_tokens":0,'
        b'"audio_tokens":30},"output_tokens":2}}\r\n\r\ndata: [DONE]\r\n\r\n'
    )


def test_speakers_stream_as_segments_without_deltas() -> None:
    events = TranscriptEvents(RenderOptions(usage="tokens"), speakers=True)
    stream = events.feed(Detected("en", 1.7)) + events.feed(Delta(" Hi."))
    stream += events.feed(segment(" Hi.", speaker="B")) + events.finish()
    turn, done, end = payloads(stream)
    assert turn == (
        '{"type":"transcript.text.segment","text":" Hi.","speaker":"B","start":0.0,"end":1.7,'
        '"id":"seg_0"}'
    )
    assert json.loads(done)["text"] == "Hi."
    assert end == "[DONE]"


@given(st.lists(st.text(alphabet=" ab\n世", max_size=5), max_size=12))
@settings(deadline=None)
def test_the_joined_deltas_are_the_text_of_done(texts: list[str]) -> None:
    events = TranscriptEvents(RenderOptions())
    stream = b"".join(events.feed(Delta(text)) for text in texts)
    stream += events.feed(segment("".join(texts))) + events.finish()
    found = [json.loads(one) for one in payloads(stream)[:-1]]
    assert "".join(one["delta"] for one in found[:-1]) == found[-1]["text"]
    assert all(one["delta"] for one in found[:-1])


def test_what_was_heard_is_there_for_a_caller() -> None:
    events = TranscriptEvents(RenderOptions())
    events.feed(Detected("fr", 2.5))
    events.feed(segment(" Salut."))
    heard = events.transcript
    assert (heard.language, heard.duration, heard.text) == ("fr", 2.5, "Salut.")


def test_speech_streams_as_recorded() -> None:
    audio = (bytes(range(256)) * 900)[:223_200]
    events = SpeechEvents("x" * 40, None, "pcm")
    stream = events.feed(audio) + events.finish()
    *deltas, done, end = payloads(stream)
    assert deltas[0].startswith('{"type":"speech.audio.delta","audio":"AAECAwQF')
    sizes = [len(b64decode(json.loads(one)["audio"])) for one in deltas]
    assert set(sizes[:-1]) == {4096}
    assert sizes[-1] == 223_200 % 4096
    assert done == (
        '{"type":"speech.audio.done","usage":'
        '{"input_tokens":10,"output_tokens":93,"total_tokens":103}}'
    )
    assert end == "[DONE]"


@given(st.lists(st.integers(0, 9000), max_size=8))
@settings(deadline=None)
def test_speech_is_cut_into_4096_bytes_however_it_comes(sizes: list[int]) -> None:
    chunks = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    events = SpeechEvents("text", None, "mp3")
    stream = b"".join(events.feed(chunk) for chunk in chunks) + events.finish()
    pieces = [b64decode(json.loads(one)["audio"]) for one in payloads(stream)[:-2]]
    assert b"".join(pieces) == b"".join(chunks)
    assert all(len(piece) == 4096 for piece in pieces[:-1])
    assert all(pieces)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            ServerError("The engine stopped."),
            (
                '{"error":{"message":"The engine stopped.","type":"server_error","param":null,'
                '"code":null}}'
            ),
        ),
        (
            RateLimitError("Too fast."),
            (
                '{"error":{"message":"Too fast.","type":"requests","param":null,'
                '"code":"rate_limit_exceeded"}}'
            ),
        ),
    ],
)
def test_a_failing_stream_says_why(error: ServerError | RateLimitError, expected: str) -> None:
    assert error_frame(error) == f"data: {expected}\r\n\r\n".encode()
