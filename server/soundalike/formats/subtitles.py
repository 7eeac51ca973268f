"""The plain-text formats: text, SubRip (srt) and WebVTT (vtt).

A transcription without segments gives what their layouts leave when there is no cue: one line
break for text and srt, the bare header for vtt.
"""

import re

from soundalike.transcript import Segment, Transcript

_BLANK_LINES = re.compile(r"\s*[\r\n]\s*")


def text_body(transcript: Transcript) -> str:
    return f"{transcript.text}\n"


def srt_body(transcript: Transcript) -> str:
    """Numbered cues, and the one extra line break at the end that the live service sends."""
    cues = (
        f"{number}\n{_span(segment, ',')}\n{_cue_text(segment)}\n\n"
        for number, segment in enumerate(transcript.segments, start=1)
    )
    return "".join(cues) + "\n"


def vtt_body(transcript: Transcript) -> str:
    """Times always have hours, as the live service prints them."""
    cues = (f"{_span(segment, '.')}\n{_cue_text(segment)}\n\n" for segment in transcript.segments)
    return "WEBVTT\n\n" + "".join(cues)


def _span(segment: Segment, point: str) -> str:
    return f"{_clock(segment.start, point)} --> {_clock(segment.end, point)}"


def _clock(seconds: float, point: str) -> str:
    """HH:MM:SS and milliseconds, rounded: 64.02 s is 64.0199... as a double, yet `,020`."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}{point}{milliseconds:03}"


def _cue_text(segment: Segment) -> str:
    """A blank line would end the cue, and WebVTT forbids an arrow inside of one."""
    return _BLANK_LINES.sub("\n", segment.text.lstrip()).replace("-->", "->")
