"""The two spellings of numbers, and the JSON around them."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundalike.formats.jsontext import Json, compact, ryu, single

finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0.4, "0.4000000059604645"),
        (1.7, "1.7000000476837158"),
        (0.32, "0.3199999928474426"),
        (42.06, "42.060001373291016"),
        (2.0, "2.0"),
        (0.0, "0.0"),
    ],
)
def test_whisper_prints_singles_widened_to_doubles(value: float, printed: str) -> None:
    assert compact(single(value), repr) == printed


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (-0.00002629921436891891, "-0.00002629921436891891"),
        (-1.2664456789934775e-6, "-1.2664456789934775e-6"),
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (2.0, "2.0"),
        (0.0001, "0.0001"),
        (1e-5, "0.00001"),
        (-1.25e-5, "-0.0000125"),
        (1e-6, "1e-6"),
        (9.9e-13, "9.9e-13"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e16"),
        (-2.5e21, "-2.5e21"),
    ],
)
def test_the_gpt_4o_family_prints_as_serde_json_does(value: float, printed: str) -> None:
    assert ryu(value) == printed


@given(finite)
@settings(deadline=None)
def test_every_spelling_reads_back_as_the_number_it_was(value: float) -> None:
    assert float(ryu(value)) == value
    assert json.loads(compact(value)) == value
    assert "e+" not in ryu(value)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@settings(deadline=None)
def test_a_single_stays_itself(value: float) -> None:
    assert single(value) == value


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_json_has_no_word_for_is_an_error(value: float) -> None:
    with pytest.raises(ValueError, match="JSON cannot hold"):
        compact({"duration": value})


def test_json_is_compact_raw_utf_8_in_the_given_order() -> None:
    value: Json = {"b": 'Grüße, 世界 🌍 "\n', "a": [1, 2.0, None, True], "c": {}, "d": ()}
    assert compact(value) == '{"b":"Grüße, 世界 🌍 \\"\\n","a":[1,2.0,null,true],"c":{},"d":[]}'
