"""How long something that fails is left alone."""

import pytest

from soundalike.errors import OverloadedError
from soundalike.runtime.backoff import LONGEST, Backoff


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def delays(failures: int, **how: bool) -> list[float]:
    backoff = Backoff(Clock())
    found = []
    for _ in range(failures):
        backoff.failed(**how)
        found.append(backoff.remaining)
    return found


def test_each_failure_in_a_row_doubles_the_wait_up_to_a_limit() -> None:
    assert delays(9) == [1, 2, 4, 8, 16, 32, LONGEST, LONGEST, LONGEST]
    assert delays(2000)[-1] == LONGEST


def test_an_accident_is_no_reason_to_wait_but_another_one_is() -> None:
    assert delays(4, by_accident=True) == [0, 1, 2, 4]


def test_time_passes_and_success_forgets() -> None:
    clock = Clock()
    backoff = Backoff(clock)
    assert not backoff.failing
    backoff.check()
    backoff.failed()
    clock.now += 0.25
    with pytest.raises(OverloadedError) as too_soon:
        backoff.check()
    assert too_soon.value.retry_after == pytest.approx(0.75)
    assert backoff.remaining == pytest.approx(0.75)
    clock.now += 5
    assert backoff.remaining == 0
    backoff.check()
    assert backoff.failing
    backoff.failed()
    backoff.succeeded()
    assert (backoff.failing, backoff.remaining) == (False, 0)
    backoff.failed()
    assert backoff.remaining == 1
