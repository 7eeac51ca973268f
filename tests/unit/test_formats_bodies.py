"""Whole answers, byte for byte as the live service gave them."""

from dataclasses import replace

import pytest

from soundalike.formats import RenderOptions, ResponseFormat, render
from soundalike.transcript import Segment, TokenLogprob, Transcript, Word

HELLO = Segment(
    id=0,
    seek=0,
    start=0.0,
    end=2.0,
    text=" Hello, world! This is a test.",
    tokens=(50364, 2425, 11, 1002, 0, 639, 307, 257, 1500, 13, 50464),
    temperature=0.0,
    avg_logprob=-0.5018765926361084,
    compression_ratio=29 / 35,
    no_speech_prob=0.0020525048,
    words=(
        Word(" Hello,", 0.0, 0.32, 0.9),
        Word(" world!", 0.4, 0.8, 0.9),
        Word(" This", 0.8, 1.1, 0.9),
    ),
)
SPOKEN = Transcript("transcribe", "en", 1.7, (HELLO,))
SILENT = Transcript("transcribe", None, 3.0, ())
TOKENS = RenderOptions(usage="tokens")


def body(
    response_format: ResponseFormat,
    transcript: Transcript = SPOKEN,
    options: RenderOptions | None = None,
) -> str:
    rendered = render(transcript, response_format, options or RenderOptions())
    return rendered.body.decode()


def with_segments(*segments: Segment) -> Transcript:
    return replace(SPOKEN, segments=segments)


def test_json_of_whisper_1() -> None:
    assert (
        body("json")
        == '{"text":"Hello, world! This is a test.","usage":{"type":"duration","seconds":2}}'
    )


def test_json_of_gpt_4o() -> None:
    assert body("json", options=TOKENS) == (
        '{"text":"Hello, world! This is a test.","usage":{"type":"tokens","total_tokens":28,'
        '"input_tokens":17,"input_token_details":{"text_tokens":0,"audio_tokens":17},'
        '"output_tokens":11}}'
    )


def test_json_of_gpt_transcribe_lists_the_languages_ahead_of_usage() -> None:
    options = RenderOptions(languages=True)
    assert body("json", options=options) == (
        '{"text":"Hello, world! This is a test.","languages":[{"code":"en"}],'
        '"usage":{"type":"duration","seconds":2}}'
    )
    assert body("json", SILENT, replace(options, logprobs=True)) == (
        '{"text":"","languages":[],"usage":{"type":"duration","seconds":3}}'
    )


def test_verbose_json_is_the_recorded_431_bytes() -> None:
    recorded = (
        '{"task":"transcribe","language":"english","duration":1.7000000476837158,'
        '"text":"Hello, world! This is a test.","segments":[{"id":0,"seek":0,"start":0.0,'
        '"end":2.0,"text":" Hello, world! This is a test.","tokens":[50364,2425,11,1002,0,639,'
        '307,257,1500,13,50464],"temperature":0.0,"avg_logprob":-0.5018765926361084,'
        '"compression_ratio":0.8285714387893677,"no_speech_prob":0.002052504802122712}],'
        '"usage":{"type":"duration","seconds":2}}'
    )
    assert len(recorded) == 431
    assert body("verbose_json") == recorded


def test_verbose_json_of_words_has_no_segments() -> None:
    assert body("verbose_json", options=RenderOptions(granularities=frozenset({"word"}))) == (
        '{"task":"transcribe","language":"english","duration":1.7000000476837158,'
        '"text":"Hello, world! This is a test.","words":['
        '{"word":"Hello","start":0.0,"end":0.3199999928474426},'
        '{"word":"world","start":0.4000000059604645,"end":0.800000011920929},'
        '{"word":"This","start":0.800000011920929,"end":1.100000023841858}],'
        '"usage":{"type":"duration","seconds":2}}'
    )


def test_verbose_json_of_both_granularities_has_segments_then_words() -> None:
    both = body("verbose_json", options=RenderOptions(granularities=frozenset({"word", "segment"})))
    assert both.index('"segments":[{') < both.index('"words":[{') < both.index('"usage"')


@pytest.mark.parametrize(
    ("spelled", "bare"),
    [
        (" Hello,", "Hello"),
        (" ¿Qué?", "Qué"),
        (" don't", "don't"),
        (" “quoted”", "quoted"),
        (" well-known.", "well-known"),
        ("世界。", "世界"),
        (" 50%.", "50%"),
        (" #1", "#1"),
        (" $5,000", "$5,000"),
        (" ...", None),
    ],
)
def test_words_come_without_the_punctuation_around_them(spelled: str, bare: str | None) -> None:
    segment = replace(HELLO, words=(Word(spelled, 0.0, 1.0, 0.9),))
    options = RenderOptions(granularities=frozenset({"word"}))
    words = [] if bare is None else [bare]
    expected = "".join(f'{{"word":"{word}","start":0.0,"end":1.0}}' for word in words)
    assert f'"words":[{expected}]' in body("verbose_json", with_segments(segment), options)


def test_text_srt_and_vtt_as_recorded() -> None:
    assert body("text") == "Hello, world! This is a test.\n"
    assert body("srt") == ("1\n00:00:00,000 --> 00:00:02,000\nHello, world! This is a test.\n\n\n")
    assert body("vtt") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nHello, world! This is a test.\n\n"
    )


def test_cues_are_numbered_and_apart() -> None:
    second = replace(HELLO, id=1, start=2.0, end=3.5, text=" And more.")
    assert body("srt", with_segments(HELLO, second)) == (
        "1\n00:00:00,000 --> 00:00:02,000\nHello, world! This is a test.\n\n"
        "2\n00:00:02,000 --> 00:00:03,500\nAnd more.\n\n\n"
    )


@pytest.mark.parametrize(
    ("seconds", "clock"),
    [
        (64.02, "00:01:04,020"),
        (0.0004, "00:00:00,000"),
        (0.9996, "00:00:01,000"),
        (59.9996, "00:01:00,000"),
        (3599.9999, "01:00:00,000"),
        (360_000.5, "100:00:00,500"),
    ],
)
def test_cue_times_are_rounded_not_cut(seconds: float, clock: str) -> None:
    segment = replace(HELLO, start=seconds, end=seconds)
    assert f"{clock} --> {clock}\n" in body("srt", with_segments(segment))
    assert f"{clock.replace(',', '.')} -->" in body("vtt", with_segments(segment))


def test_no_text_can_end_its_cue_early() -> None:
    segment = replace(HELLO, text=" first line\r\n\r\n \nsecond --> line")
    assert body("vtt", with_segments(segment)).endswith("first line\nsecond -> line\n\n")


def test_translations_have_no_usage_and_are_english() -> None:
    translated = replace(SPOKEN, task="translate", language="fr", duration=42.06)
    assert body("json", translated) == '{"text":"Hello, world! This is a test."}'
    verbose = body("verbose_json", translated)
    assert verbose.startswith(
        '{"task":"translate","language":"english","duration":42.060001373291016,"text":"Hello'
    )
    assert "usage" not in verbose
    assert body("srt", translated) == body("srt")


def test_diarized_json_as_recorded_but_for_the_count_of_its_output() -> None:
    turn = replace(HELLO, text=" Ruby is fun.", end=3.1499999999999995, speaker="A", tokens=(1, 2))
    transcript = Transcript("transcribe", "en", 3.7, (turn,))
    assert body("diarized_json", transcript, TOKENS) == (
        '{"text":"Ruby is fun.","task":"transcribe","duration":3.7,"segments":['
        '{"type":"transcript.text.segment","text":" Ruby is fun.","speaker":"A","start":0.0,'
        '"end":3.1499999999999995,"id":"seg_0"}],"usage":{"type":"tokens","total_tokens":41,'
        '"input_tokens":37,"input_token_details":{"text_tokens":0,"audio_tokens":37},'
        '"output_tokens":4}}'
    )


def test_who_was_not_told_apart_is_speaker_a_and_known_names_are_verbatim() -> None:
    known = replace(HELLO, id=1, speaker="Ágnes")
    diarized = body("diarized_json", with_segments(HELLO, known))
    assert '"speaker":"A"' in diarized
    assert '"speaker":"Ágnes","start":0.0,"end":2.0,"id":"seg_1"' in diarized


def test_logprobs_stand_between_text_and_usage() -> None:
    tokens = (
        TokenLogprob(" Hello", -0.00002629921436891891, tuple(b" Hello")),
        TokenLogprob(" 世", -1.2664456789934775e-6, tuple(" 世".encode())),
        TokenLogprob(".", 0.0, (46,)),
    )
    transcript = with_segments(replace(HELLO, text=" Hello 世.", logprobs=tokens))
    options = RenderOptions(usage="tokens", logprobs=True)
    assert body("json", transcript, options).startswith(
        '{"text":"Hello 世.","logprobs":['
        '{"token":"Hello","logprob":-0.00002629921436891891,"bytes":[72,101,108,108,111]},'
        '{"token":" 世","logprob":-1.2664456789934775e-6,"bytes":[32,228,184,150]},'
        '{"token":".","logprob":0.0,"bytes":[46]}],"usage":{"type":"tokens"'
    )
    assert "logprobs" not in body("json", transcript, TOKENS)


def test_an_impossible_token_still_gives_valid_json() -> None:
    token = TokenLogprob("x", float("-inf"), (120,))
    transcript = with_segments(replace(HELLO, logprobs=(token,)))
    assert '"logprob":-9999.0' in body("json", transcript, RenderOptions(logprobs=True))


@pytest.mark.parametrize(
    ("response_format", "expected"),
    [
        ("json", '{"text":"","usage":{"type":"duration","seconds":3}}'),
        (
            "verbose_json",
            (
                '{"task":"transcribe","language":"english","duration":3.0,"text":"","segments":[],'
                '"usage":{"type":"duration","seconds":3}}'
            ),
        ),
        (
            "diarized_json",
            (
                '{"text":"","task":"transcribe","duration":3.0,"segments":[],'
                '"usage":{"type":"duration","seconds":3}}'
            ),
        ),
        ("text", "\n"),
        ("srt", "\n"),
        ("vtt", "WEBVTT\n\n"),
    ],
)
def test_silence_is_an_answer_in_every_format(
    response_format: ResponseFormat, expected: str
) -> None:
    assert body(response_format, SILENT) == expected


def test_the_content_type_tells_json_from_text() -> None:
    types = {
        name: render(SPOKEN, name).media_type
        for name in ("json", "verbose_json", "diarized_json", "text", "srt", "vtt")
    }
    assert types == {
        "json": "application/json",
        "verbose_json": "application/json",
        "diarized_json": "application/json",
        "text": "text/plain; charset=utf-8",
        "srt": "text/plain; charset=utf-8",
        "vtt": "text/plain; charset=utf-8",
    }


def test_text_is_sent_as_raw_utf_8() -> None:
    transcript = with_segments(replace(HELLO, text=" Grüße aus Köln, 世界"))
    assert '"text":"Grüße aus Köln, 世界"'.encode() in render(transcript, "json").body
