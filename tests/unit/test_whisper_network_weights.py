"""Whisper's weights in CTranslate2's layout: what is written is read back, and a file that is
damaged is told from one that is whole, at little cost."""

import struct
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from soundalike.engines.whisper.network.weights import UnknownLayoutError, Weights

NUMBER_TYPES = ["float32", "int8", "int16", "int32", "float16"]
"""In the order of CTranslate2's `DataType`."""

MATRIX = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
CONVOLUTION = np.random.default_rng(1).normal(size=(5, 5, 3)).astype(np.float32)


def name(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def head(text: str, array: NDArray[Any], number_type: int | None = None) -> bytes:
    """What stands before the data of an array."""
    kind = NUMBER_TYPES.index(str(array.dtype)) if number_type is None else number_type
    sizes = struct.pack(f"<{array.ndim}I", *array.shape)
    return (
        name(text) + struct.pack("<B", array.ndim) + sizes + struct.pack("<BI", kind, array.nbytes)
    )


def parts(
    arrays: dict[str, NDArray[Any]], aliases: dict[str, str], layout: int, model: str
) -> Iterator[tuple[bool, bytes]]:
    """Whether it is of the table, and the bytes, one after the other."""
    beginning = struct.pack("<I", layout) + name(model) + struct.pack("<II", 3, len(arrays))
    yield True, beginning
    for key, array in arrays.items():
        yield True, head(key, array)
        yield False, array.tobytes()
    yield True, struct.pack("<I", len(aliases))
    for alias, key in aliases.items():
        yield True, name(alias) + name(key)


def written(
    arrays: dict[str, NDArray[Any]],
    aliases: dict[str, str] | None = None,
    *,
    layout: int = 6,
    model: str = "WhisperSpec",
) -> bytes:
    return b"".join(raw for _, raw in parts(arrays, aliases or {}, layout, model))


def quantised(key: str, values: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """As int8, each row with a scale of its own."""
    rows = values.reshape(len(values), -1)
    scale = np.float32(127) / np.abs(rows).max(axis=1)
    stored = np.rint(rows * scale[:, None]).astype(np.int8)
    return {key: stored.reshape(values.shape), f"{key}_scale": scale}


Opened = Callable[[bytes], Weights]

BEGINNING = struct.pack("<I", 6) + name("WhisperSpec")
ARRAYS: dict[str, NDArray[Any]] = {
    "decoder/layer_norm/beta": np.arange(4, dtype=np.float32),
    "decoder/num_heads": np.array(8, np.int8),
    "decoder/alignment_layer": np.array(-1, np.int16),
    "encoder/layer_0/ffn/linear_0/weight": MATRIX.astype(np.float16),
    **quantised("decoder/embeddings/weight", MATRIX),
}
ALIASES = {
    "decoder/projection/weight": "decoder/embeddings/weight",
    "decoder/projection/weight_scale": "decoder/embeddings/weight_scale",
}
FILE = written(ARRAYS, ALIASES)
TABLE = [
    position
    for position, table in enumerate(
        table for table, raw in parts(ARRAYS, ALIASES, 6, "WhisperSpec") for _ in raw
    )
    if table
]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    def open_(raw: bytes) -> Weights:
        path = tmp_path / "model.bin"
        path.write_bytes(raw)
        return Weights(path)

    return open_


def read_all(weights: Weights) -> None:
    """Everything that was written, where it can still be found."""
    for key in [*ARRAYS, *ALIASES]:
        try:
            weights.array(key)
            if len(weights.shape(key)) == 2:
                weights.rows(key)[range(len(weights.rows(key)))]
        except UnknownLayoutError:
            continue


def opened_or_refused(opened: Opened, raw: bytes) -> None:
    """Any other error than those is the test's failure."""
    try:
        read_all(opened(raw))
    except (UnknownLayoutError, OSError):
        return


@pytest.mark.parametrize("kind", ["float32", "float16", "int32"])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (2, 3, 4)])
def test_an_array_is_read_as_float32(kind: str, shape: tuple[int, ...], opened: Opened) -> None:
    array = np.asarray(np.random.default_rng(2).normal(size=shape) * 50).astype(kind)
    weights = opened(written({"other": MATRIX, "it": array, "third": MATRIX}))
    found = weights.array("it")
    assert found.dtype == np.float32
    assert found.shape == weights.shape("it") == shape
    assert found.tolist() == array.astype(np.float32).tolist()
    assert weights.array("third").tolist() == MATRIX.tolist()


@pytest.mark.parametrize("values", [MATRIX, CONVOLUTION], ids=["matrix", "convolution"])
def test_an_int8_array_is_divided_by_the_scale_of_each_row(
    values: NDArray[np.float32], opened: Opened
) -> None:
    found = opened(written(quantised("it", values))).array("it")
    assert found.dtype == np.float32
    step = np.abs(values.reshape(len(values), -1)).max(axis=1) / 127
    off = np.abs(found - values).reshape(len(values), -1).max(axis=1)
    assert (off <= step * 0.501).all()


@pytest.mark.parametrize("kind", ["float32", "float16", "int8"])
@pytest.mark.parametrize(
    "indices",
    [
        range(6),
        [3],
        [5, 0, 5],
        np.array([[1, 2, 0], [4, 4, 5]]),
    ],
    ids=["all", "one", "list", "of two dimensions"],
)
def test_rows_are_those_of_the_array(
    kind: str, indices: Sequence[int] | NDArray[np.int64], opened: Opened
) -> None:
    arrays = quantised("it", MATRIX) if kind == "int8" else {"it": MATRIX.astype(kind)}
    weights = opened(written({"before": np.zeros(3, np.int8), **arrays}))
    rows = weights.rows("it")
    assert len(rows) == 6
    assert rows[indices].dtype == np.float32
    assert rows[indices].tolist() == weights.array("it")[indices].tolist()


def test_rows_of_a_file_that_is_cut_off_fail_and_those_of_one_that_is_replaced_stay(
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(written({"it": MATRIX}))
    rows = Weights(path).rows("it")
    other = tmp_path / "other.bin"
    other.write_bytes(written({"it": MATRIX + 1}))
    if sys.platform != "win32":  # where a file in use cannot be replaced
        other.replace(path)
        assert rows[[1, 5]].tolist() == MATRIX[[1, 5]].tolist()
    rows = Weights(path).rows("it")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(OSError, match="cut off"):
        rows[[5]]


def test_an_alias_stands_for_an_array_and_its_scale(opened: Opened) -> None:
    weights = opened(FILE)
    own = weights.array("decoder/embeddings/weight")
    assert weights.array("decoder/projection/weight").tolist() == own.tolist()
    assert weights.rows("decoder/projection/weight")[[2]].tolist() == own[[2]].tolist()


def test_numbers_and_sizes(opened: Opened) -> None:
    layers = {f"encoder/layer_{n}/ffn/linear_0/weight": MATRIX for n in (0, 1, 2, 4)}
    layers |= {f"decoder/layer_{n}/ffn/linear_0/weight": MATRIX for n in range(11)}
    weights = opened(written({**ARRAYS, **layers}))
    assert weights.number("decoder/num_heads") == 8
    assert weights.number("decoder/alignment_layer") == -1
    assert weights.width == 4
    assert weights.layers("encoder") == 3
    assert weights.layers("decoder") == 11


@pytest.mark.parametrize(
    "ask",
    [
        lambda weights: weights.array("absent"),
        lambda weights: weights.rows("absent"),
        lambda weights: weights.number("absent"),
        lambda weights: weights.shape("absent"),
        lambda weights: weights.width,
        lambda weights: weights.array("no scale"),
        lambda weights: weights.rows("no scale"),
    ],
)
def test_what_is_not_there_is_an_unknown_layout(
    ask: Callable[[Weights], object], opened: Opened
) -> None:
    weights = opened(written({"no scale": np.zeros((2, 2), np.int8)}))
    with pytest.raises(UnknownLayoutError, match="lack"):
        ask(weights)


def test_matrices_of_int16_are_left_to_ctranslate2(opened: Opened) -> None:
    """They have one scale for all of the matrix."""
    scale = np.array(2**10 / np.abs(MATRIX).max(), np.float32)
    matrix = np.rint(MATRIX * scale).astype(np.int16)
    weights = opened(written({"it": matrix, "it_scale": scale}))
    with pytest.raises(UnknownLayoutError):
        weights.array("it")
    with pytest.raises(UnknownLayoutError):
        weights.rows("it")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        written(ARRAYS, layout=5),
        written(ARRAYS, layout=7),
        written(ARRAYS, model="TransformerSpec"),
        written(ARRAYS, {"alias": "absent"}),
        written(ARRAYS).replace(b"encoder", b"enc\xffder"),
        # bfloat16, and a type that there is not
        *(
            BEGINNING
            + struct.pack("<II", 3, 1)
            + head("it", np.zeros(2, np.int16), kind)
            + bytes(8)
            for kind in (5, 6)
        ),
    ],
)
def test_other_layouts_are_refused(raw: bytes, opened: Opened) -> None:
    with pytest.raises(UnknownLayoutError):
        opened(raw)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent"):
        Weights(tmp_path / "absent")


@pytest.mark.parametrize("raw", [FILE, written(ARRAYS)], ids=["aliases", "no aliases"])
def test_a_file_that_breaks_off_is_refused_wherever_it_does(raw: bytes, opened: Opened) -> None:
    opened(raw)
    for length in range(len(raw)):
        with pytest.raises(UnknownLayoutError):
            opened(raw[:length])


def test_a_bit_of_the_table_that_is_wrong_is_found_or_harmless(opened: Opened) -> None:
    for position in TABLE:
        raw = bytearray(FILE)
        raw[position] ^= 1 << position % 8
        opened_or_refused(opened, bytes(raw))


@given(
    changes=st.lists(
        st.tuples(st.sampled_from(TABLE), st.sampled_from([0, 1, 2, 4, 127, 128, 255])),
        min_size=1,
        max_size=6,
    )
)
@settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_table_that_is_wrong_is_found_or_harmless(
    changes: list[tuple[int, int]], opened: Opened
) -> None:
    raw = bytearray(FILE)
    for position, byte in changes:
        raw[position] = byte
    opened_or_refused(opened, bytes(raw))


@pytest.mark.parametrize(
    "table",
    [
        struct.pack("<II", 3, 2**32 - 1) + head("it", MATRIX) + MATRIX.tobytes(),
        struct.pack("<II", 3, 1) + struct.pack("<H", 2**16 - 1) + b"it",
        struct.pack("<II", 3, 1) + name("it") + bytes([255]) + b"\xff" * 2000,
        struct.pack("<II", 3, 1) + name("it") + struct.pack("<BIBI", 1, 2**30 - 1, 0, 2**32 - 4),
        # sizes whose product is 2**64, of which 64 bits leave nothing
        struct.pack("<II", 3, 1) + name("it") + struct.pack("<B4IBI", 4, *[2**16] * 4, 0, 0),
        struct.pack("<III", 3, 0, 2**32 - 1),
    ],
    ids=["arrays", "name", "rank", "size", "product", "aliases"],
)
def test_numbers_beyond_the_file_cost_no_memory(table: bytes, opened: Opened) -> None:
    raw = BEGINNING + table + bytes(4)
    tracemalloc.start()
    try:
        with pytest.raises(UnknownLayoutError):
            opened(raw)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
