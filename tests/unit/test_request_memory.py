"""The memory that the texts of requests may take."""

import pytest

from soundalike.api.memory import OWN, CommonMemory, RequestMemory
from soundalike.errors import OverloadedError


def test_every_request_has_its_own_and_more_as_long_as_there_is_some() -> None:
    common = CommonMemory(100)
    with (
        RequestMemory(common) as first,
        RequestMemory(common) as second,
        RequestMemory(common) as third,
    ):
        first.take(OWN)
        assert common.left == 100
        first.take(60)
        second.take(OWN + 40)
        with pytest.raises(OverloadedError) as refused:
            third.take(OWN + 1)
        assert refused.value.retry_after == 1
        third.take(OWN)  # what was refused is not counted
    assert common.left == 100


def test_what_was_taken_comes_back_also_where_more_was_refused() -> None:
    common = CommonMemory(100)
    for _ in range(3):
        with RequestMemory(common) as memory:
            memory.take(OWN + 100)
            with pytest.raises(OverloadedError):
                memory.take(1)
        assert common.left == 100
