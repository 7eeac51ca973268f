"""When each token is spoken, from where Whisper's decoder looked as it read the token.

Some heads of the cross-attention follow the speech. Their attention, cleaned, gives a matrix of
tokens and frames; the likeliest way through it that goes back neither in the text nor in time
tells the frames of each token. The rules are those of `whisper/timing.py` in
https://github.com/openai/whisper, which CTranslate2's `Whisper.align` follows too.
"""

import numpy as np
from numpy.typing import NDArray


def aligned(
    attention: NDArray[np.float32], width: int, first: int, last: int
) -> list[tuple[int, int]]:
    """Pairs (token, frame) of the likeliest path, from (0, 0) to the last of both. Each pair is
    one token, one frame or one of both after the pair before.

    Args:
        attention: shape (heads, tokens, frames), none of them 0; what the queries and keys of
            each alignment head multiply to, before their softmax, for all tokens that were read
            and the frames that hold sound.
        width: of the median filter, in frames; odd.
        first: the token of `attention` at which the path begins, and which the pairs call 0.
        last: the token of `attention` before which the path ends.
    """
    followed = np.zeros((last - first, attention.shape[2]), np.float32)
    for head in attention:
        followed += filtered(standardised(head)[first:last], width)
    return cheapest_path(followed / np.float32(-len(attention)))


def standardised(head: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far a token's attention to a frame lies above that of all tokens on average, in
    standard deviations; 0 in a frame that all tokens attend to alike."""
    weights: NDArray[np.float32] = np.exp(head - head.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    weights -= weights.mean(axis=0)
    deviation = np.sqrt(np.square(weights).mean(axis=0))
    np.divide(weights, deviation, out=weights, where=deviation > 0)
    return weights


def filtered(rows: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """The median of `width` frames around each, the ends of a row mirrored; rows too short to be
    mirrored stay as they are.

    Of two more frames than `width // 2`, neither the lowest nor the highest can be the median.
    Both are dropped, the next frame of the window is taken in, and so on until one is left. This
    does all windows at once; `numpy.median` sorts each by itself and takes many times as long.
    """
    margin, frames = width // 2, rows.shape[1]
    if frames <= margin:
        return rows
    mirrored = np.pad(rows, ((0, 0), (margin, margin)), mode="reflect")
    window = [mirrored[:, offset : offset + frames] for offset in range(width)]
    kept = window[: margin + 1]
    for frame in window[margin + 1 :]:
        kept = inner([*kept, frame])
    return kept[0]


def inner(values: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """The values without the lowest and the highest, element by element, in any order."""
    lowest, *others = values
    for index, value in enumerate(others):
        lowest, others[index] = np.minimum(lowest, value), np.maximum(lowest, value)
    highest, *others = others
    for index, value in enumerate(others):
        highest, others[index] = np.maximum(highest, value), np.minimum(highest, value)
    return others


def cheapest_path(prices: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Dynamic time warping from one corner of `prices`, shape (tokens, frames), to the other.

    Of the three pairs that may come before a pair, Whisper takes the one with the token and the
    frame before, or else the one with the token before, only where it is strictly cheaper than
    both others; else the one with the frame before, even if the others are cheaper and equal.
    """
    costs = summed(prices)
    token, frame = prices.shape[0] - 1, prices.shape[1] - 1
    path = [(token, frame)]
    while token or frame:
        sooner, later = costs[token + frame], costs[token + frame + 1]
        both, up, left = sooner[token], later[token], later[token + 1]
        diagonal = both < up and both < left
        above = up < both and up < left
        token, frame = token - bool(diagonal or above), frame - (not above)
        path.append((token, frame))
    return path[::-1]


def summed(prices: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the path to each pair costs: element [token + frame + 2, token + 1]; infinite where
    there is no pair. The pairs in a row depend on earlier rows only, so each row is one step."""
    tokens, frames = prices.shape
    costs = np.full((tokens + frames + 1, tokens + 1), np.inf, np.float32)
    costs[0, 0] = 0
    for token, row in enumerate(prices):
        costs[token + 2 : token + 2 + frames, token + 1] = row
    for sooner, later, here in zip(costs, costs[1:], costs[2:], strict=False):
        both, up, left = sooner[:-1], later[:-1], later[1:]
        straight = np.where((up < both) & (up < left), up, left)
        here[1:] += np.where((both < up) & (both < left), both, straight)
    return costs
