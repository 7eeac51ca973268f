"""Server-sent events, framed as the live service frames them.

Each event is one `data:` line of compact JSON and ends in CRLF CRLF; there is no `event:` line;
`[DONE]` closes the stream. The two classes turn a stream of results into frames, whoever drives
them: feed them what comes, send what they return, and send what `finish` returns last.
"""

from base64 import b64encode
from collections.abc import Sequence

from soundalike.errors import ApiError
from soundalike.formats.bodies import (
    RenderOptions,
    heard_languages,
    speaker_segment,
    spoken_tokens,
)
from soundalike.formats.jsontext import Json, compact
from soundalike.formats.logprobs import logprob_entries, without_leading_space
from soundalike.formats.usage import encoded_seconds, speech_usage, token_usage
from soundalike.transcript import (
    Delta,
    Detected,
    Segment,
    TokenLogprob,
    Transcript,
    TranscriptionEvent,
)

EVENT_STREAM_TYPE = "text/event-stream; charset=utf-8"
DONE = b"data: [DONE]\r\n\r\n"
AUDIO_BYTES_PER_EVENT = 4096


def frame(event: Json) -> bytes:
    return f"data: {compact(event)}\r\n\r\n".encode()


def error_frame(error: ApiError) -> bytes:
    """The last frame of a stream that fails: SDKs raise on any event with an `error`.

    No `[DONE]` follows it.
    """
    return frame(
        {
            "error": {
                "message": error.message,
                "type": error.type,
                "param": error.param,
                "code": error.code,
            }
        }
    )


class TranscriptEvents:
    """A transcription as `transcript.text.delta` events and one `transcript.text.done`.

    Where the engine does not give deltas ahead of a segment, the segment is its own delta. With
    `speakers`, segments are sent as `transcript.text.segment` events, and no deltas. The joined
    deltas are the text of `done`.

    `done` counts tokens for every model: its schema knows no other usage.
    """

    def __init__(self, options: RenderOptions, *, speakers: bool = False) -> None:
        self._options = options
        self._speakers = speakers
        self._detected = Detected(language=None, duration=0.0)
        self._segments: list[Segment] = []
        self._begun = False
        self._ahead = False
        self._space = ""
        self._held: tuple[TokenLogprob, ...] = ()

    @property
    def transcript(self) -> Transcript:
        """All that was heard so far."""
        language, duration = self._detected.language, self._detected.duration
        return Transcript("transcribe", language, duration, tuple(self._segments))

    def feed(self, event: TranscriptionEvent) -> bytes:
        """The frames that `event` gives; often none."""
        if isinstance(event, Detected):
            self._detected = event
            return b""
        if isinstance(event, Segment):
            return self._segment(event)
        if self._speakers:
            return b""
        self._ahead = True
        return self._delta(event)

    def finish(self) -> bytes:
        """The `done` event, with the whole text, and the end of the stream."""
        heard = self.transcript
        done: dict[str, Json] = {"type": "transcript.text.done", "text": heard.text}
        if self._options.languages:
            done["languages"] = heard_languages(heard)
        if self._options.logprobs and (tokens := spoken_tokens(heard)):
            done["logprobs"] = logprob_entries(tokens)
        done["usage"] = token_usage(heard, self._options.prompt)
        return frame(done) + DONE

    def _segment(self, segment: Segment) -> bytes:
        self._segments.append(segment)
        if self._speakers:
            return frame(speaker_segment(segment))
        ahead, self._ahead = self._ahead, False
        return b"" if ahead else self._delta(Delta(segment.text, segment.logprobs or ()))

    def _delta(self, delta: Delta) -> bytes:
        """Space is held back until something follows it, for `done` has none at either end."""
        text = self._space + delta.text
        logprobs: Sequence[TokenLogprob] = (*self._held, *delta.logprobs)
        if not self._begun:
            text, logprobs = text.lstrip(), without_leading_space(logprobs)
        visible = text.rstrip()
        self._space = text[len(visible) :]
        if not visible:
            self._held = tuple(logprobs)
            return b""
        self._begun, self._held = True, ()
        event: dict[str, Json] = {"type": "transcript.text.delta", "delta": visible}
        if self._options.logprobs and logprobs:
            event["logprobs"] = logprob_entries(logprobs)
        return frame(event)


class SpeechEvents:
    """Encoded speech as `speech.audio.delta` events of 4096 bytes, the last one shorter, and one
    `speech.audio.done`."""

    def __init__(self, text: str, instructions: str | None, audio_format: str) -> None:
        self._text = text
        self._instructions = instructions
        self._format = audio_format
        self._size = 0
        self._rest = b""

    def feed(self, audio: bytes) -> bytes:
        """The frames of every 4096 bytes that are full."""
        self._size += len(audio)
        audio = self._rest + audio
        full = len(audio) - len(audio) % AUDIO_BYTES_PER_EVENT
        self._rest = audio[full:]
        return b"".join(
            _audio_frame(audio[start : start + AUDIO_BYTES_PER_EVENT])
            for start in range(0, full, AUDIO_BYTES_PER_EVENT)
        )

    def finish(self) -> bytes:
        """The last bytes, the usage, and the end of the stream."""
        last = _audio_frame(self._rest) if self._rest else b""
        seconds = encoded_seconds(self._format, self._size)
        usage = speech_usage(self._text, self._instructions, seconds)
        return last + frame({"type": "speech.audio.done", "usage": usage}) + DONE


def _audio_frame(audio: bytes) -> bytes:
    return frame({"type": "speech.audio.delta", "audio": b64encode(audio).decode()})
