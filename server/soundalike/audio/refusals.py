"""What is refused of an upload, and how long one may last.

Two limits hold: what the model takes, and what a file of its size can honestly hold. The second
one is there because a few kilobytes can stand for hours of silence, which would cost everybody
gigabytes. Silence at 16 kHz takes about 49 bytes a second as FLAC, 100 as Opus that sends nothing
but comfort noise, 1000 as MP3.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from soundalike.errors import InvalidRequestError, UndecodableAudioError

LONGEST_SECONDS = 6 * 3600.0
"""What a recogniser is given at most: 25 MiB of speech at 9.7 kbit/s, and 1.4 GB as samples."""

MOST_CHANNELS = 8
"""A 7.1 recording. Each channel is decoded, and costs as much as a recording of its own."""

ANY_SECONDS = 600.0
"""What a file may last whatever its size."""

LEAST_BYTES = 40
"""Of a second beyond `ANY_SECONDS`."""

Reason: TypeAlias = Literal["undecodable", "too_long", "channels"]


class Refusal(Exception):  # noqa: N818 - what it becomes is an error
    """Why an upload is not decoded, as it crosses from the process that found out.

    Attributes:
        number: seconds for `too_long` (at least so many), how many for `channels`.
    """

    def __init__(self, reason: Reason, number: float = 0.0) -> None:
        super().__init__(reason, number)
        self.reason = reason
        self.number = number

    @staticmethod
    def told(reason: object, number: object) -> "Refusal":
        """The refusal again, of words that nobody should believe.

        Raises:
            ValueError: there is no such reason, or that is no finite number.
            OverflowError: the number is far too large.
        """
        if reason not in get_args(Reason) or not isinstance(number, int | float):
            raise ValueError
        if not math.isfinite(number):
            raise ValueError
        return Refusal(reason, float(number))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long one upload may last.

    Args:
        size: of the file, in bytes.
        max_seconds: that its model takes.
    """

    size: int
    max_seconds: float = LONGEST_SECONDS

    @property
    def seconds(self) -> float:
        return min(self.max_seconds, ANY_SECONDS + self.size / LEAST_BYTES)

    def error(self, refusal: Refusal) -> InvalidRequestError:
        """What the client is told, too much length in the words of the live service."""
        if refusal.reason == "too_long":
            return self._too_long(refusal.number)
        if refusal.reason == "channels":
            return InvalidRequestError(
                f"audio with {refusal.number:.0f} channels has more than {MOST_CHANNELS} channels "
                "which is the maximum for this model",
                code="invalid_value",
            )
        return undecodable()

    def _too_long(self, seconds: float) -> InvalidRequestError:
        if seconds > self.max_seconds:
            return InvalidRequestError(
                f"audio duration {round(seconds, 6)} seconds is longer than {self.max_seconds:g} "
                "seconds which is the maximum for this model",
                code="invalid_value",
            )
        return InvalidRequestError(
            f"audio duration {round(seconds, 6)} seconds is longer than the {self.seconds:g} "
            f"seconds that a file of {self.size} bytes may last",
            code="invalid_value",
        )


def undecodable() -> UndecodableAudioError:
    """The error for a file in which no sound is found, or none at a bearable cost."""
    return UndecodableAudioError(
        "The audio file could not be decoded or its format is not supported."
    )
