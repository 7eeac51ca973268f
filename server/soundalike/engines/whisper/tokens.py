"""From Whisper's tokens to text, a token at a time, and to log probabilities.

Whisper's vocabulary is GPT-2's byte-level BPE: a token is a run of bytes, which need not begin or
end where a character does. The vocabulary spells each byte as one printable character (Radford
et al., "Language Models are Unsupervised Multitask Learners", 2019, and its `encoder.py`).
"""

from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from soundalike.transcript import Delta, TokenLogprob


def _bytes_by_character() -> dict[str, int]:
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(0x100 + place): byte for place, byte in enumerate(others)
    }


_BYTES = _bytes_by_character()


class ScoredToken(int):
    """A token that carries the natural log of its probability on its way through faster-whisper,
    which hands the decoder's tokens on to its segments but knows nothing of their scores."""

    logprob: float

    def __new__(cls, token: int, logprob: float) -> "ScoredToken":
        scored = super().__new__(cls, token)
        scored.logprob = logprob
        return scored


@dataclass(frozen=True, slots=True)
class ScoredResult:
    """What faster-whisper reads of a `WhisperGenerationResult`, its tokens scored."""

    sequences_ids: list[list[ScoredToken]]
    scores: list[float]
    no_speech_prob: float


def spelled(raw: bytes) -> str:
    """A token as text. One that is not whole characters is written as the chat completions of
    the live service write it: `bytes:` and its bytes, escaped, as in `bytes:\\xe4\\xbd`."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "bytes:" + raw.decode(errors="backslashreplace")


class Vocabulary:
    """The text tokens of one model; special tokens and timestamps are left out of everything."""

    def __init__(self, id_to_token: Callable[[int], str | None], end_of_text: int) -> None:
        """Args:
        id_to_token: the spelling of a token in the vocabulary.
        end_of_text: the first token that is not text.
        """
        self._id_to_token = id_to_token
        self._end_of_text = end_of_text

    def raw(self, token: int) -> bytes:
        return bytes(_BYTES[character] for character in self._id_to_token(token) or "")

    def text_tokens(self, tokens: Sequence[int]) -> list[int]:
        return [token for token in tokens if token < self._end_of_text]

    def logprobs(self, tokens: Sequence[int]) -> tuple[TokenLogprob, ...]:
        """One for each text token that was scored."""
        return tuple(
            TokenLogprob(spelled(raw), token.logprob, tuple(raw))
            for token in self.text_tokens(tokens)
            if isinstance(token, ScoredToken)
            for raw in (self.raw(token),)
        )

    def deltas(self, tokens: Sequence[int]) -> Iterator[Delta]:
        """A segment's text, token by token. A token that ends within a character waits for those
        that complete it, so that the texts put together are the segment's text."""
        decoder = getincrementaldecoder("utf-8")("replace")
        held: list[int] = []
        for token in self.text_tokens(tokens):
            held.append(token)
            if text := decoder.decode(self.raw(token)):
                yield Delta(text, self.logprobs(held))
                held.clear()
        if text := decoder.decode(b"", final=True):
            yield Delta(text, self.logprobs(held))
