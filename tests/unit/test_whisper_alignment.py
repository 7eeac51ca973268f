"""Which frames Whisper's tokens are aligned with: against the plain definition of each step, and
on attention whose path is known."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from soundalike.engines.whisper.network.alignment import aligned, cheapest_path, filtered

SHAPES = [(1, 1), (1, 9), (9, 1), (2, 2), (5, 40), (40, 5), (23, 23), (30, 150)]


def plain_path(prices: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Whisper's dynamic time warping, pair by pair."""
    infinite = np.float32(np.inf)
    costs = {(-1, -1): np.float32(0)}
    before: dict[tuple[int, int], tuple[int, int]] = {}
    for token, frame in np.ndindex(prices.shape):
        diagonal, above, left = (token - 1, frame - 1), (token - 1, frame), (token, frame - 1)
        cost = {pair: costs.get(pair, infinite) for pair in (diagonal, above, left)}
        chosen = left
        for pair in (diagonal, above):
            if all(cost[pair] < cost[other] for other in cost if other != pair):
                chosen = pair
        before[token, frame] = chosen
        costs[token, frame] = np.float32(cost[chosen] + prices[token, frame])
    pair = (prices.shape[0] - 1, prices.shape[1] - 1)
    path = []
    while pair != (-1, -1):
        path.append(pair)
        pair = before[pair]
    return path[::-1]


def plain_alignment(
    attention: NDArray[np.float32], width: int, first: int, last: int
) -> list[tuple[int, int]]:
    odds = np.exp(attention.astype(np.float64))
    weights = odds / odds.sum(axis=2, keepdims=True)
    scores = (weights - weights.mean(axis=1, keepdims=True)) / weights.std(axis=1, keepdims=True)
    around = [(0, 0), (0, 0), (width // 2, width // 2)]
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(scores, around, mode="reflect"), width, axis=2
    )
    matrix = np.median(windows, axis=3).mean(axis=0)[first:last]
    return plain_path(-matrix.astype(np.float32))


def noise(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def looking_at(frames: list[int], length: int) -> NDArray[np.float32]:
    """A head that attends to ten frames for each token, from the one named."""
    head = np.zeros((len(frames), length), np.float32)
    for token, frame in enumerate(frames):
        head[token, frame : frame + 10] = 5
    return head


@pytest.mark.parametrize("shape", SHAPES)
def test_the_path_is_the_cheapest(shape: tuple[int, int]) -> None:
    prices = noise(*shape)
    assert cheapest_path(prices) == plain_path(prices)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("choices", [1, 2, 3])
def test_ties_go_the_way_they_go_in_whisper(shape: tuple[int, int], choices: int) -> None:
    prices = np.random.default_rng(choices).integers(0, choices, shape).astype(np.float32)
    assert cheapest_path(prices) == plain_path(prices)


def test_of_two_equally_cheap_ways_whisper_takes_neither() -> None:
    # to the last pair, both (0, 0) and (0, 1) cost nothing, and (1, 0) costs 1
    prices = np.array([[0, 0], [1, 0]], np.float32)
    assert cheapest_path(prices) == [(0, 0), (1, 0), (1, 1)]


@pytest.mark.parametrize("width", [1, 3, 5, 7, 9])
@pytest.mark.parametrize("frames", [10, 57])
def test_the_filter_gives_the_median_with_mirrored_ends(width: int, frames: int) -> None:
    rows = noise(4, frames)
    expected = [
        [
            np.median(
                [
                    row[frames - 1 - abs(frames - 1 - abs(at))]
                    for at in range(frame - width // 2, frame + width // 2 + 1)
                ]
            )
            for frame in range(frames)
        ]
        for row in rows
    ]
    assert filtered(rows, width).tolist() == expected


def test_rows_too_short_to_be_mirrored_are_not_filtered() -> None:
    assert filtered(noise(2, 3), 7).tolist() == noise(2, 3).tolist()
    assert filtered(noise(2, 4), 7).tolist() != noise(2, 4).tolist()


@pytest.mark.parametrize(("first", "last"), [(0, 20), (3, 19), (7, 8)])
@pytest.mark.parametrize("width", [1, 7])
def test_attention_is_cleaned_before_the_path_is_sought(width: int, first: int, last: int) -> None:
    attention = noise(4, 20, 90) * 3
    assert aligned(attention, width, first, last) == plain_alignment(attention, width, first, last)


def test_each_token_gets_the_frames_that_it_attends_to() -> None:
    starts = [0, 10, 20, 30, 40]
    path = aligned(np.stack([looking_at(starts, 50)] * 2), 7, 0, 5)
    assert path == [(frame // 10, frame) for frame in range(50)]


def test_tokens_are_counted_from_the_first_one_asked_for() -> None:
    starts = [0, 0, 0, 0, 10, 20, 20]
    path = aligned(looking_at(starts, 30)[None], 7, 3, 6)
    assert path == [(frame // 10, frame) for frame in range(30)]


def test_a_head_that_attends_to_everything_alike_changes_nothing() -> None:
    heads = np.stack([looking_at([0, 10, 20], 30), np.zeros((3, 30), np.float32)])
    assert aligned(heads, 7, 0, 3) == aligned(heads[:1], 7, 0, 3)


@pytest.mark.parametrize("shape", [*SHAPES, (224, 600)])
def test_the_path_goes_from_corner_to_corner_one_step_at_a_time(shape: tuple[int, int]) -> None:
    path = aligned(noise(2, *shape) * 9, 7, 0, shape[0])
    assert path[0] == (0, 0)
    assert path[-1] == (shape[0] - 1, shape[1] - 1)
    steps = {(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(path)}
    assert steps <= {(0, 1), (1, 0), (1, 1)}
