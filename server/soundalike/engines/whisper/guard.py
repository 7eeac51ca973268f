"""The signs of a text that a short window made worse.

Where one is seen, the clip is decoded again from the full window. The numbers are Whisper's own
(Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022, section 4.5)
but where docs/performance.md says how they were measured.
"""

from soundalike.engines.whisper.segments import FRAMES_PER_SECOND

LEAST_LOG_PROBABILITY = -0.6
"""Average over a text's tokens, below which it is not trusted to a short window."""

FEW_TOKENS = 16
"""Texts of fewer tokens, times included, are improbable by nature: Whisper's own limit of -1 says
as much of them, and the full window reads them no better."""

LEAST_OF_FEW = -1.0

MOST_COMPRESSION = 2.4
"""Above this, text repeats itself."""

MOST_PACE = 25
"""Tokens a second, for scripts of three tokens a letter."""

TIMESTAMPS = 32
"""Tokens beside the text's."""


def trusted(tokens: int, log_probability: float, compression: float) -> bool:
    """Whether a text may stand as a short window gave it, if it has fewer than `most_tokens`.

    Args:
        tokens: those of the text and of its times.
        log_probability: their average.
        compression: of the text, how much shorter gzip makes it.
    """
    return log_probability >= least_log_probability(tokens) and compression <= MOST_COMPRESSION


def most_tokens(content: int) -> int:
    """Tokens that may be said in so many frames. One more is a sign of repetition."""
    return TIMESTAMPS + MOST_PACE * content // FRAMES_PER_SECOND


def least_log_probability(tokens: int) -> float:
    """The average below which a text of so many tokens is decoded again."""
    return LEAST_OF_FEW if tokens < FEW_TOKENS else LEAST_LOG_PROBABILITY
