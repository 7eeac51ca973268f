"""From what a test writes to the answers of stubs."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from soundalike.fixture.stubs import Answer, StubSegment, StubWord
from soundalike.testing.conditions import refused

__tracebackhide__ = True

WordLike: TypeAlias = StubWord | tuple[str, float, float] | Mapping[str, Any]
"""A word with its start and end in seconds."""

SegmentLike: TypeAlias = StubSegment | str | tuple[str, float, float] | Mapping[str, Any]
"""A text, perhaps with its start and end in seconds."""

TurnLike: TypeAlias = tuple[str, str] | tuple[str, str, float, float]
"""Who speaks and what is said, perhaps with its start and end in seconds."""

AnswerLike: TypeAlias = Answer | str | Mapping[str, Any]
"""A text, or the keyword arguments of `transcript`."""

AudioLike: TypeAlias = str | PathLike[str] | bytes
"""The path of an audio file, or its bytes."""


def transcript(
    text: str | None = None,
    *,
    segments: Sequence[SegmentLike] | None = None,
    words: Sequence[WordLike] | None = None,
    conversation: Sequence[TurnLike] | None = None,
    detected_language: str | None = None,
) -> Answer:
    """An answer to a transcription, given in one of four ways.

    Raises:
        TypeError, ValueError: it is none, or more than one.
    """
    given = {"text": text, "segments": segments, "words": words, "conversation": conversation}
    ways = [name for name, value in given.items() if value is not None]
    if len(ways) != 1:
        found = f"not {' and '.join(ways)}" if ways else "and none was given"
        raise ValueError(f"an answer is one of {', '.join(given)}, {found}")
    for name in ways:
        if name != "text" and isinstance(given[name], (str, bytes, Mapping)):
            raise TypeError(f"{name}: expected a list, got {given[name]!r}")
    turns = segments if conversation is None else [_turn(turn) for turn in conversation]
    try:
        return Answer(
            text=text,
            segments=None if turns is None else tuple(map(_segment, turns)),
            words=None if words is None else tuple(map(_word, words)),
            language=detected_language,
        )
    except ValidationError as error:
        raise refused(error, Answer, StubSegment, StubWord) from None


def transcripts(answer: AnswerLike | Sequence[AnswerLike]) -> tuple[Answer, ...]:
    """One answer or a sequence of them."""
    if isinstance(answer, (Answer, str, Mapping)):
        return (_transcript(answer),)
    return tuple(map(_transcript, _listed("answer", answer)))


def recordings(
    audio: AudioLike | Sequence[AudioLike], kept: Callable[[bytes], Answer]
) -> tuple[Answer, ...]:
    """One recording or a sequence of them; of bytes, `kept` makes an answer.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if isinstance(audio, (str, PathLike, bytes)):
        return (_recording(audio, kept),)
    return tuple(_recording(one, kept) for one in _listed("audio", audio))


def _transcript(answer: AnswerLike) -> Answer:
    if isinstance(answer, Answer):
        return answer
    if isinstance(answer, str):
        return transcript(answer)
    if isinstance(answer, Mapping):
        return transcript(**answer)
    raise TypeError(f"an answer is a text or a mapping of what it holds, got {answer!r}")


def _recording(audio: AudioLike, kept: Callable[[bytes], Answer]) -> Answer:
    if isinstance(audio, bytes):
        if not audio:
            raise ValueError("audio: a recording has at least one byte")
        return kept(audio)
    if not isinstance(audio, (str, PathLike)):
        raise TypeError(f"audio is the path of a file or its bytes, got {audio!r}")
    path = Path(audio).resolve()
    if not path.is_file():
        raise FileNotFoundError(f"audio: there is no file {str(path)!r}")
    return Answer(audio=path)


def _listed(name: str, values: Any) -> Sequence[Any]:
    if not isinstance(values, Sequence) or not values:
        raise TypeError(f"{name}: expected one, or a list of them, got {values!r}")
    return values


def _segment(segment: SegmentLike) -> StubSegment:
    if isinstance(segment, StubSegment):
        return segment
    if isinstance(segment, str):
        return StubSegment(text=segment)
    if isinstance(segment, Mapping):
        words = segment.get("words")
        given = {**segment, "words": None if words is None else tuple(map(_word, words))}
        return StubSegment(**given)
    text, start, end = _parts("a segment", segment, 3, "a text, its start and its end")
    return StubSegment(text=text, start=start, end=end)


def _turn(turn: Any) -> StubSegment:
    if isinstance(turn, (tuple, list)) and len(turn) == 2:
        speaker, text = turn
        return StubSegment(text=text, speaker=speaker)
    expected = "a speaker and a text, perhaps with its start and its end"
    speaker, text, start, end = _parts("a turn of a conversation", turn, 4, expected)
    return StubSegment(text=text, speaker=speaker, start=start, end=end)


def _word(word: WordLike) -> StubWord:
    if isinstance(word, StubWord):
        return word
    if isinstance(word, Mapping):
        return StubWord(**word)
    text, start, end = _parts("a word", word, 3, "a text, its start and its end")
    return StubWord(word=text, start=start, end=end)


def _parts(what: str, value: Any, count: int, expected: str) -> Sequence[Any]:
    if isinstance(value, (tuple, list)) and len(value) == count:
        return value
    raise TypeError(f"{what} is {expected}, got {value!r}")
