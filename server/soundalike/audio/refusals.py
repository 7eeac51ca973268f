"""What is refused of an upload, in the words of the live service."""

from soundalike.errors import InvalidRequestError, UndecodableAudioError

LONGEST_SECONDS = 6 * 3600.0
"""What a recogniser is given at most: 25 MiB of speech at 9.7 kbit/s, and 1.4 GB as samples. A few
kilobytes can stand for days of silence."""


def undecodable() -> UndecodableAudioError:
    """The error for a file in which no sound is found, or none at a bearable cost."""
    return UndecodableAudioError(
        "The audio file could not be decoded or its format is not supported."
    )


def too_long(seconds: float, max_seconds: float) -> InvalidRequestError:
    """The error for audio of so many seconds, or at least so many."""
    return InvalidRequestError(
        f"audio duration {round(seconds, 6)} seconds is longer than {max_seconds:g} seconds "
        "which is the maximum for this model",
        code="invalid_value",
    )
