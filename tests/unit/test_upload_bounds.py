"""How long an upload may last, and what is said of one that lasts longer."""

import pytest

from soundalike.audio.refusals import LONGEST_SECONDS, Bounds, Refusal
from soundalike.errors import UndecodableAudioError

MINUTES_TEN = 600.0


@pytest.mark.parametrize(
    ("size", "max_seconds", "longest"),
    [
        (0, LONGEST_SECONDS, MINUTES_TEN),
        (9058, LONGEST_SECONDS, 826.45),
        (13_035, LONGEST_SECONDS, 925.875),
        (400_000, LONGEST_SECONDS, 10_600.0),
        (25 * 2**20, LONGEST_SECONDS, LONGEST_SECONDS),
        (9058, 60.0, 60.0),
        (25 * 2**20, 1400.0, 1400.0),
    ],
)
def test_the_longest_follows_from_the_size_and_the_model(
    size: int, max_seconds: float, longest: float
) -> None:
    assert Bounds(size, max_seconds).seconds == longest


@pytest.mark.parametrize("bytes_a_second", [49, 100, 1000])
def test_honest_silence_of_any_length_is_within(bytes_a_second: int) -> None:
    for seconds in (1.0, 660.0, 3600.0, LONGEST_SECONDS):
        assert Bounds(int(seconds * bytes_a_second)).seconds >= seconds


def test_each_refusal_says_which_limit_it_was() -> None:
    bounds = Bounds(9058, 1400.0)
    model, size = (bounds.error(Refusal("too_long", seconds)) for seconds in (1500.0, 900.5))
    assert model.message == (
        "audio duration 1500.0 seconds is longer than 1400 seconds "
        "which is the maximum for this model"
    )
    assert size.message == (
        "audio duration 900.5 seconds is longer than the 826.45 seconds "
        "that a file of 9058 bytes may last"
    )
    channels = bounds.error(Refusal("channels", 64))
    assert channels.message.startswith("audio with 64 channels has more than 8 channels")
    for error in (model, size, channels):
        assert (error.status, error.type) == (400, "invalid_request_error")
        assert error.code == "invalid_value"
        assert not isinstance(error, UndecodableAudioError)
    assert isinstance(bounds.error(Refusal("undecodable")), UndecodableAudioError)
