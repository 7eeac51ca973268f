"""The tree of errors that the API answers with.

An error is a value: status, message, type, param and code of OpenAI's envelope, and who on the
live service would have produced it, which decides its layout. This module knows nothing of HTTP
frameworks; `soundalike.api.errors` is the one place that renders these values.
"""

from enum import StrEnum
from typing import ClassVar, TypedDict

SORRY = "The server had an error while processing your request. Sorry about that!"
"""What is said of failures whose cause is nobody's business but the log's."""

LONGEST_SHOWN = 256
"""Characters up to which an error repeats a text of the client's as it was sent."""


def shown(text: str) -> str:
    """A text of the client's as an error repeats it: whole, or a long one by its two ends. The
    live service repeats texts of ordinary length whole; how it repeats long ones was not seen."""
    if len(text) <= LONGEST_SHOWN:
        return text
    half = LONGEST_SHOWN // 2
    return f"{text[:half]}…{text[-half:]}"


class Producer(StrEnum):
    """Which part of the live service answers so; each lays its JSON out differently."""

    GATEWAY = "gateway"
    VALIDATOR = "validator"
    BACKEND = "backend"


class ErrorFields(TypedDict):
    """An `ApiError` as plain data, to cross a process boundary. `kind` is its class's name."""

    kind: str
    message: str
    param: str | None
    code: str | None
    billed: bool
    retry_after: float | None


class ApiError(Exception):
    """Anything that a client is told in the `{"error": ...}` envelope.

    `billed` marks the errors of the whisper-1 backend that carry a top-level `usage` of zero
    seconds beside the envelope. `retry_after` is in seconds.
    """

    status: int = 500
    type: str = "server_error"
    producer: Producer = Producer.BACKEND
    default_code: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        billed: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code if code is not None else self.default_code
        self.billed = billed
        self.retry_after = retry_after

    def fields(self) -> ErrorFields:
        return ErrorFields(
            kind=self.__class__.__name__,
            message=self.message,
            param=self.param,
            code=self.code,
            billed=self.billed,
            retry_after=self.retry_after,
        )

    @staticmethod
    def from_fields(fields: ErrorFields) -> "ApiError":
        """The error again, on the other side of a process boundary, and of the same class."""
        kind = _KINDS.get(fields["kind"], ServerError)
        return kind(
            fields["message"],
            param=fields["param"],
            code=fields["code"],
            billed=fields["billed"],
            retry_after=fields["retry_after"],
        )


class InvalidRequestError(ApiError):
    """400: the request is understood and refused."""

    status = 400
    type = "invalid_request_error"


class UndecodableAudioError(InvalidRequestError):
    """400: the upload is not audio that can be decoded. The text differs by model: a contract
    gives it; this one is whisper-1's."""


class AudioTooShortError(InvalidRequestError):
    """400: less than a tenth of a second of audio."""

    default_code = "audio_too_short"


class ValidationError(InvalidRequestError):
    """400 from the validator: the message is the repr of a list of pydantic errors."""

    producer = Producer.VALIDATOR


class AuthenticationError(InvalidRequestError):
    """401: no key, or one that is not known."""

    status = 401
    producer = Producer.GATEWAY


class PermissionDeniedError(InvalidRequestError):
    """403: the key is good, the action is not allowed to it."""

    status = 403
    producer = Producer.GATEWAY


class NotFoundError(InvalidRequestError):
    """404: no such URL, or a model on an endpoint that does not serve it."""

    status = 404
    producer = Producer.GATEWAY


class ModelNotFoundError(NotFoundError):
    """404: no model of that name is served here."""

    default_code = "model_not_found"


class MethodNotAllowedError(InvalidRequestError):
    """405: the URL exists, not with this method."""

    status = 405
    producer = Producer.GATEWAY


class RequestTimeoutError(InvalidRequestError):
    """408: the client sent too slowly; worth a retry."""

    status = 408


class ContentTooLargeError(ApiError):
    """413: the body exceeds the limit; typed `server_error` as the live service does."""

    status = 413


class RateLimitError(ApiError):
    """429: more requests than the key may send."""

    status = 429
    type = "requests"
    default_code = "rate_limit_exceeded"


class ServerError(ApiError):
    """500: an engine or the server itself failed."""


class OverloadedError(ServerError):
    """503: the queue is full, or the engine is not up; worth a retry."""

    status = 503


def _tree(root: type[ApiError]) -> dict[str, type[ApiError]]:
    kinds = {root.__name__: root}
    for child in root.__subclasses__():
        kinds |= _tree(child)
    return kinds


_KINDS = _tree(ApiError)
