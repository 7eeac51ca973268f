"""`chunking_strategy` in every way that an SDK writes it."""

import pytest

from soundalike.contracts.chunking import Chunking, ServerVad, chunking_strategy
from soundalike.errors import InvalidRequestError


def asked(fields: dict[str, str]) -> Chunking | None:
    return chunking_strategy({name: [value] for name, value in fields.items()})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"chunking_strategy": ""}, None),
        ({"chunking_strategy": "auto"}, "auto"),
        ({"chunking_strategy[type]": "auto"}, "auto"),
        ({"chunking_strategy[type]": "server_vad"}, ServerVad()),
        (
            {
                "chunking_strategy[type]": "server_vad",
                "chunking_strategy[threshold]": "0.25",
                "chunking_strategy[prefix_padding_ms]": "100",
                "chunking_strategy[silence_duration_ms]": "900",
            },
            ServerVad(0.25, 100, 900),
        ),
        (
            {"chunking_strategy": '{"type":"server_vad","threshold":0.9,"other":1}'},
            ServerVad(threshold=0.9),
        ),
    ],
)
def test_chunking_strategies_of_every_sdk(
    fields: dict[str, str], expected: str | ServerVad | None
) -> None:
    assert asked(fields) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"chunking_strategy": "manual"},
        {"chunking_strategy": "[1]"},
        {"chunking_strategy": "[" * 100_000},
        {"chunking_strategy": '{"type":"other"}'},
        {"chunking_strategy": '{"type":"server_vad","threshold":2}'},
        {"chunking_strategy[threshold]": "0.5"},
        {"chunking_strategy[type]": "server_vad", "chunking_strategy[threshold]": "much"},
        {"chunking_strategy[type]": "server_vad", "chunking_strategy[prefix_padding_ms]": "-1"},
    ],
)
def test_chunking_strategies_of_none(fields: dict[str, str]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        asked(fields)
    error = caught.value
    assert (error.param, error.code) == ("chunking_strategy", "invalid_value")


def test_what_is_longer_than_any_strategy_is_refused_unread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long = '{"type":"server_vad","more":[' + "1," * 4096 + "1]}"
    monkeypatch.delattr("soundalike.contracts.chunking.json")
    with pytest.raises(InvalidRequestError, match="expected 'auto' or a 'server_vad' object"):
        asked({"chunking_strategy": long})
