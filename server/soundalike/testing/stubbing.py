"""Prepares the answers of one endpoint of a scope."""

import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Unpack

from pydantic import ValidationError

from soundalike.errors import ContentTooLargeError
from soundalike.fixture.scopes import Scope
from soundalike.fixture.stubs import Answer, Stub, StubEndpoint, StubSpec
from soundalike.testing.answers import (
    AnswerLike,
    AudioLike,
    SegmentLike,
    TurnLike,
    WordLike,
    recordings,
    transcript,
    transcripts,
)
from soundalike.testing.conditions import Conditions, match_of, refused

__tracebackhide__ = True


class TranscriptStubs:
    """Answers to uploads."""

    def __init__(self, scope: Scope, endpoint: Literal["transcriptions", "translations"]) -> None:
        self._scope = scope
        self._endpoint: StubEndpoint = endpoint

    def stub(
        self,
        answer: AnswerLike | Sequence[AnswerLike] | None = None,
        /,
        *,
        segments: Sequence[SegmentLike] | None = None,
        words: Sequence[WordLike] | None = None,
        conversation: Sequence[TurnLike] | None = None,
        detected_language: str | None = None,
        times: int | None = None,
        **conditions: Unpack[Conditions],
    ) -> Stub:
        """Answer the requests that meet the conditions. Of several stubs the newest that matches
        answers.

        Args:
            answer: the text; or a list of answers, given one after the other and the last of them
                from then on, each a text or a mapping such as `{"segments": [...]}`.
            segments: the transcript in segments instead, each a text, `(text, start, end)` or a
                mapping of the fields of `StubSegment`. Times are seconds.
            words: the transcript in words, each `(word, start, end)`.
            conversation: the transcript in turns, each `(speaker, text)` or
                `(speaker, text, start, end)`.
            detected_language: ISO 639-1; by default the one that is asked for, or `en`.
            times: requests that it answers at most.
            conditions: see `Conditions`.

        Returns:
            The stub; its `uses` counts the requests that it has answered.

        Raises:
            TypeError, ValueError: an argument is not one.
        """
        forms: dict[str, Any] = {
            "segments": segments,
            "words": words,
            "conversation": conversation,
            "detected_language": detected_language,
        }
        if answer is None or isinstance(answer, str):
            answers: tuple[Answer, ...] = (transcript(answer, **forms),)
        elif also := [name for name, value in forms.items() if value is not None]:
            raise ValueError(f"say {' and '.join(also)} within the answers of a list or mapping")
        else:
            answers = transcripts(answer)
        return _added(self._scope, self._endpoint, answers, times, conditions)


class SpeechStubs:
    """Recordings that are given for speech."""

    def __init__(self, scope: Scope, is_audio: Callable[[Path], bool]) -> None:
        self._scope = scope
        self._is_audio = is_audio

    def stub(
        self,
        audio: AudioLike | Sequence[AudioLike],
        /,
        *,
        times: int | None = None,
        **conditions: Unpack[Conditions],
    ) -> Stub:
        """Answer the requests that meet the conditions with a recording, in the format that each
        asks for. Of several stubs the newest that matches answers.

        Args:
            audio: the path of an audio file in any format that FFmpeg reads, or its bytes; or a
                list of them, given one after the other and the last of them from then on.
            times: requests that it answers at most.
            conditions: see `Conditions`.

        Returns:
            The stub; its `uses` counts the requests that it has answered.

        Raises:
            FileNotFoundError: there is no such file.
            TypeError, ValueError: an argument is not one.
        """
        answers = recordings(audio, self._kept)
        for answer in answers:
            if answer.audio is not None and not self._is_audio(answer.audio):
                raise ValueError(f"audio: {answer.audio.name} is no audio that can be decoded")
        return _added(self._scope, "speech", answers, times, conditions)

    def _kept(self, audio: bytes) -> Answer:
        """An answer with these bytes, whose file lasts as long as it does."""
        bodies = self._scope.bodies
        try:
            path = bodies.hold(audio)
        except ContentTooLargeError as error:
            raise ValueError(error.message) from None
        answer = Answer(audio=path)
        weakref.finalize(answer, bodies.release, path).atexit = False
        return answer


def _added(
    scope: Scope,
    endpoint: StubEndpoint,
    answers: tuple[Answer, ...],
    times: int | None,
    conditions: Conditions,
) -> Stub:
    match = match_of(conditions, Conditions)
    try:
        spec = StubSpec(endpoint=endpoint, match=match, answers=answers, times=times)
    except ValidationError as error:
        raise refused(error, StubSpec) from None
    return scope.stubs.add(spec)
