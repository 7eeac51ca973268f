"""The rules of an uploaded file: its name, its content and its length, in each family's words."""

from pathlib import PurePath

from soundalike.contracts.chunking import Chunking
from soundalike.contracts.table import EXTENSIONS, MIN_SECONDS
from soundalike.contracts.terms import Refusal, TranscriptionContract
from soundalike.errors import AudioTooShortError, ContentTooLargeError, InvalidRequestError, shown

MAX_RECORDING = 10 * 2**20
"""Bytes of a consent, or of a custom voice's sample."""

RECORDING_TYPES = (
    *("audio/mpeg", "audio/wav", "audio/x-wav", "audio/ogg"),
    *("audio/aac", "audio/flac", "audio/webm", "audio/mp4"),
)
_UNTYPED = ("", "application/octet-stream")

_TOO_LONG = Refusal(
    "audio duration {seconds} seconds is longer than {limit:g} seconds "
    "which is the maximum for this model",
    code="invalid_value",
)
_CHUNKING_NEEDED = Refusal(
    "chunking_strategy is required for diarization models", "chunking_strategy", "invalid_value"
)


def check_file(contract: TranscriptionContract, filename: str | None, size: int) -> None:
    """Refuses an empty file, and an extension that the model does not take.

    A name without extension passes, and so does none at all (several SDKs send those for audio in
    memory): the decoder finds out.
    """
    if contract.lenient:
        return
    extension = _extension(filename)
    if extension and extension.lower() not in EXTENSIONS and not contract.any_container:
        raise contract.bad_extension.error(
            billed=contract.billed_errors, extension=shown(extension)
        )
    if not size:
        raise contract.empty_file.error(billed=contract.billed_errors)


def check_recording(field: str, kind: str | None, filename: str | None, size: int) -> None:
    """Refuses a consent or a sample that is empty, too large, or not of a type that is taken. One
    that the client did not type is judged by its name, if that has an extension.

    Args:
        kind: the content type that the client gave.

    The texts are chosen: none was recorded.
    """
    if size > MAX_RECORDING:
        raise too_large_recording()
    kind = (kind or "").partition(";")[0].strip().lower()
    extension = _extension(filename).lower()
    untyped = kind in _UNTYPED and extension in ("", "aac", *EXTENSIONS)
    if kind not in RECORDING_TYPES and not untyped:
        taken = ", ".join(f"'{one}'" for one in RECORDING_TYPES)
        message = (
            f"Unsupported file type '{shown(kind or extension)}'. Supported MIME types: {taken}."
        )
        raise InvalidRequestError(message, param=field, code="unsupported_value")
    if not size:
        message = "Audio file might be corrupted or unsupported"
        raise InvalidRequestError(message, param=field, code="invalid_value")


def too_large_recording() -> ContentTooLargeError:
    """The error for a consent or a sample of more than `MAX_RECORDING`."""
    return ContentTooLargeError(f"413: Maximum content size limit ({MAX_RECORDING}) exceeded")


def undecodable_audio(contract: TranscriptionContract) -> InvalidRequestError:
    """The error for a file that the decoder could not read."""
    return contract.undecodable.error(billed=contract.billed_errors)


def too_short_audio(contract: TranscriptionContract) -> InvalidRequestError:
    """The error for less than a tenth of a second of audio."""
    return AudioTooShortError(
        f"Audio file is too short. Minimum audio length is {MIN_SECONDS} seconds.",
        param="file",
        billed=contract.billed_errors,
    )


def check_duration(
    contract: TranscriptionContract, seconds: float, chunking: Chunking | None
) -> None:
    """Refuses audio that is too short, too long, or too long for want of a chunking strategy."""
    if seconds < MIN_SECONDS and not contract.lenient:
        raise too_short_audio(contract)
    if contract.max_seconds is not None and seconds > contract.max_seconds:
        raise _TOO_LONG.error(seconds=round(float(seconds), 6), limit=contract.max_seconds)
    limit = contract.chunking_above
    if limit is not None and seconds > limit and chunking is None:
        raise _CHUNKING_NEEDED.error()


def _extension(filename: str | None) -> str:
    return PurePath(filename or "").suffix.removeprefix(".")
