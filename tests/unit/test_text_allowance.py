"""The memory that the texts of requests may take."""

import pytest

from soundalike.api.allowance import OWN, Allowance, Store
from soundalike.errors import OverloadedError


def test_every_request_has_its_own_and_more_as_long_as_there_is_some() -> None:
    store = Store(100)
    with Allowance(store) as first, Allowance(store) as second, Allowance(store) as third:
        first.take(OWN)
        assert store.left == 100
        first.take(60)
        second.take(OWN + 40)
        with pytest.raises(OverloadedError) as refused:
            third.take(OWN + 1)
        assert refused.value.retry_after == 1
        third.take(OWN)  # what was refused is not counted
    assert store.left == 100


def test_what_was_taken_comes_back_also_where_more_was_refused() -> None:
    store = Store(100)
    for _ in range(3):
        with Allowance(store) as allowance:
            allowance.take(OWN + 100)
            with pytest.raises(OverloadedError):
                allowance.take(1)
        assert store.left == 100
