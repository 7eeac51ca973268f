"""The counting rules of usage objects."""

import pytest

from soundalike.formats.usage import (
    duration_usage,
    encoded_seconds,
    estimated_tokens,
    speech_usage,
    token_usage,
)
from soundalike.transcript import Segment, TokenLogprob, Transcript


def transcript(
    duration: float = 1.7,
    tokens: tuple[int, ...] = (),
    logprobs: tuple[TokenLogprob, ...] | None = None,
    text: str = " one two",
) -> Transcript:
    segment = Segment(0, 0, 0.0, 2.0, text, tokens, 0.0, -0.5, 0.8, 0.0, logprobs=logprobs)
    return Transcript("transcribe", "en", duration, (segment,))


def counts(usage: object) -> tuple[int, int, int, int, int]:
    assert isinstance(usage, dict)
    details = usage["input_token_details"]
    return (
        details["audio_tokens"],
        details["text_tokens"],
        usage["input_tokens"],
        usage["output_tokens"],
        usage["total_tokens"],
    )


@pytest.mark.parametrize(
    ("seconds", "billed"), [(0.0, 0), (0.1, 1), (1.7, 2), (2.0, 2), (3.7, 4), (36.71, 37)]
)
def test_a_begun_second_is_billed_whole(seconds: float, billed: int) -> None:
    assert duration_usage(seconds) == {"type": "duration", "seconds": billed}


@pytest.mark.parametrize(
    ("seconds", "tokens"), [(0.0, 0), (0.19, 1), (1.7, 17), (1.79, 17), (3.7, 37), (11.0, 110)]
)
def test_audio_is_ten_tokens_a_second_rounded_down(seconds: float, tokens: int) -> None:
    assert counts(token_usage(transcript(seconds)))[0] == tokens


def test_output_is_the_tokens_of_text_and_two_more() -> None:
    hello = (50364, 2425, 11, 1002, 0, 639, 307, 257, 1500, 13, 50464)
    assert counts(token_usage(transcript(tokens=hello))) == (17, 0, 17, 11, 28)


def test_the_tokens_of_log_probabilities_are_counted_first() -> None:
    token = TokenLogprob("a", -0.1, (97,))
    usage = token_usage(transcript(tokens=(1, 2, 3, 4, 5), logprobs=(token, token, token)))
    assert counts(usage)[3] == 5


def test_an_engine_without_tokens_is_estimated() -> None:
    assert counts(token_usage(transcript(text=" one two")))[3] == 2 + 2


def test_the_prompt_is_billed_as_text() -> None:
    usage = token_usage(transcript(), "twelve chars")
    assert counts(usage)[1:3] == (3, 20)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a", 1),
        ("four", 1),
        ("fiver", 2),
        ("é" * 4096, 1024),
        ("世界世", 2),
        ("世" * 3000, 2000),
        ("世" * 3001, 2001),
    ],
)
def test_tokens_are_estimated_by_character(text: str, tokens: int) -> None:
    assert estimated_tokens(text) == tokens


def test_speech_is_billed_by_its_text_and_by_50_ms_of_sound() -> None:
    assert speech_usage("x" * 40, None, 4.65) == {
        "input_tokens": 10,
        "output_tokens": 93,
        "total_tokens": 103,
    }
    assert speech_usage("x" * 40, "calmly, please", 4.66) == {
        "input_tokens": 14,
        "output_tokens": 94,
        "total_tokens": 108,
    }


@pytest.mark.parametrize(("audio_format", "size"), [("pcm", 48_000), ("mp3", 16_000)])
def test_a_second_of_each_format_has_its_size(audio_format: str, size: int) -> None:
    assert encoded_seconds(audio_format, size) == 1.0
    assert encoded_seconds(audio_format, 3 * size) == 3.0
