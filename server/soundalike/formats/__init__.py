"""One transcript in; any response format out. Pure functions.

`render` gives the body of a whole answer; `soundalike.formats.events` gives those that stream.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from soundalike.formats.bodies import (
    Granularity,
    RenderOptions,
    diarized_body,
    json_body,
    verbose_body,
)
from soundalike.formats.subtitles import srt_body, text_body, vtt_body
from soundalike.transcript import Transcript

__all__ = ["Granularity", "RenderOptions", "Rendered", "ResponseFormat", "render"]

ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]

JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Rendered:
    """The body of an answer and its content type."""

    body: bytes
    media_type: str


_JSON: dict[ResponseFormat, Callable[[Transcript, RenderOptions], str]] = {
    "json": json_body,
    "verbose_json": verbose_body,
    "diarized_json": diarized_body,
}
_TEXT: dict[ResponseFormat, Callable[[Transcript], str]] = {
    "text": text_body,
    "srt": srt_body,
    "vtt": vtt_body,
}

_DEFAULTS = RenderOptions()


def render(
    transcript: Transcript, response_format: ResponseFormat, options: RenderOptions = _DEFAULTS
) -> Rendered:
    """The whole answer. JSON is compact and raw UTF-8, without a line break at its end.

    The text formats must not be typed as JSON: openai-python decodes by the content type.
    """
    if response_format in _TEXT:
        return Rendered(_TEXT[response_format](transcript).encode(), TEXT_TYPE)
    return Rendered(_JSON[response_format](transcript, options).encode(), JSON_TYPE)
