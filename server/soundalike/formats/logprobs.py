"""The tokens of a transcription with their log probabilities, as the API lists them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from soundalike.formats.jsontext import Json, single
from soundalike.transcript import TokenLogprob

_LEAST = -9999.0
"""Stands for the logarithm of zero, which JSON cannot hold."""

_SPACE = b" \t\r\n"


def logprob_entries(tokens: Iterable[TokenLogprob]) -> Sequence[Json]:
    """`[{"token","logprob","bytes"}]`, each log probability a widened single."""
    return [
        {
            "token": token.token,
            "logprob": single(max(token.logprob, _LEAST)),
            "bytes": list(token.bytes),
        }
        for token in tokens
    ]


def without_leading_space(tokens: Sequence[TokenLogprob]) -> tuple[TokenLogprob, ...]:
    """The tokens of a text that is stripped: Whisper's first token brings a space along."""
    for index, token in enumerate(tokens):
        rest = bytes(token.bytes).lstrip(_SPACE)
        if rest or not token.bytes:
            first = replace(token, token=token.token.lstrip(), bytes=tuple(rest))
            return (first, *tokens[index + 1 :])
    return ()
