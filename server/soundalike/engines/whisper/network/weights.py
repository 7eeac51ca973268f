"""Reads `model.bin`, the weights of a Whisper as CTranslate2's converters write them.

Little-endian: the version of the layout (uint32), the model's name, its revision (uint32), the
number of arrays (uint32), the arrays, the number of aliases (uint32), and of each its name and what
it stands for. A name is its length (uint16) and so many bytes, the last of them zero. An array is
its name, its rank (uint8), its sizes (uint32 each), its number type (uint8), its bytes (uint32)
and its data (CTranslate2, `src/models/model.cc`).
"""

import math
import os
import struct
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

LAYOUT = 6
NAME = "WhisperSpec"

NUMBER_TYPES: dict[int, type[np.generic]] = {
    0: np.float32,
    1: np.int8,
    2: np.int16,
    3: np.int32,
    4: np.float16,
}

Array = NDArray[np.float32]


class UnknownLayoutError(Exception):
    """The file is no Whisper in this layout, or it breaks off."""


@dataclass(frozen=True, slots=True)
class _Stored:
    shape: tuple[int, ...]
    number_type: type[np.generic]
    offset: int
    size: int


class Weights:
    """The arrays of a file by their names. They are read when they are asked for."""

    def __init__(self, path: Path) -> None:
        """Raises:
        OSError: it cannot be read.
        UnknownLayoutError: it holds something else than a Whisper.
        """
        self._path = path
        with path.open("rb") as file:
            self._stored = _table(file)

    def number(self, name: str) -> int:
        return int(self._read(self._find(name)).item())

    def shape(self, name: str) -> tuple[int, ...]:
        return self._find(name).shape

    def layers(self, part: str) -> int:
        """How many layers `encoder` or `decoder` has."""
        count = 0
        while f"{part}/layer_{count}/ffn/linear_0/weight" in self._stored:
            count += 1
        return count

    @property
    def width(self) -> int:
        """Numbers for each position or token."""
        return self.shape("decoder/layer_norm/beta")[0]

    def array(self, name: str) -> Array:
        """As float32, whatever the number type that it is stored in."""
        stored, scale = self._read(self._find(name)).astype(np.float32), self._scale(name)
        return stored if scale is None else stored / scale

    def rows(self, name: str) -> "Rows":
        """Of a matrix too large to be held beside the network."""
        return Rows(self._path, self._find(name), self._scale(name))

    def _scale(self, name: str) -> Array | None:
        """What int8 rows were multiplied by, shape (rows, 1, ...), as many sizes as theirs."""
        stored = self._find(name)
        if stored.number_type is np.int16:
            raise UnknownLayoutError(f"{name} is of int16.")
        if stored.number_type is not np.int8:
            return None
        scale = self._read(self._find(f"{name}_scale")).astype(np.float32)
        return scale.reshape(-1, *[1] * (len(stored.shape) - 1))

    def _find(self, name: str) -> _Stored:
        try:
            return self._stored[name]
        except KeyError:
            raise UnknownLayoutError(f"The weights lack {name}.") from None

    def _read(self, stored: _Stored) -> NDArray[np.generic]:
        with self._path.open("rb") as file:
            file.seek(stored.offset)
            data = file.read(stored.size)
        return np.frombuffer(data, stored.number_type).reshape(stored.shape)


class Rows:
    """Rows of a matrix, read when they are asked for, by any number of threads.

    From the file that lay there at first: one that takes its name changes nothing. Not mapped: a
    file that is overwritten or cut off must fail a job, and not the process.
    """

    def __init__(self, path: Path, stored: _Stored, scale: Array | None) -> None:
        self._stored = stored
        self._scale = scale
        self._turn = threading.Lock()
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return self._stored.shape[0]

    def __getitem__(self, indices: Sequence[int] | NDArray[np.int64]) -> Array:
        """Raises:
        OSError: the file was cut off meanwhile.
        """
        places = np.asarray(indices)
        data = b"".join(map(self._row, places.ravel().tolist()))
        rows = np.frombuffer(data, self._stored.number_type).astype(np.float32)
        rows = rows.reshape(*places.shape, *self._stored.shape[1:])
        return rows if self._scale is None else rows / self._scale[places]

    def _row(self, place: int) -> bytes:
        size = self._stored.size // len(self)
        with self._turn:
            os.lseek(self._file, self._stored.offset + place * size, os.SEEK_SET)
            data = os.read(self._file, size)
        if len(data) < size:
            raise OSError("The weights were cut off while they were in use.")
        return data


def _table(file: BinaryIO) -> dict[str, _Stored]:
    try:
        if _number(file, "I") != LAYOUT or _name(file) != NAME:
            raise UnknownLayoutError("The weights are in another layout, or not of a Whisper.")
        _number(file, "I")
        stored = dict(_array(file) for _ in range(_number(file, "I")))
        for _ in range(_number(file, "I")):
            alias, name = _name(file), _name(file)
            stored[alias] = stored[name]
            if f"{name}_scale" in stored:  # which has no alias of its own
                stored[f"{alias}_scale"] = stored[f"{name}_scale"]
        return stored
    except (struct.error, UnicodeDecodeError, KeyError) as error:
        raise UnknownLayoutError("The weights' table is damaged.") from error


def _array(file: BinaryIO) -> tuple[str, _Stored]:
    name = _name(file)
    shape = tuple(_number(file, "I") for _ in range(_number(file, "B")))
    number_type = NUMBER_TYPES[_number(file, "B")]
    size = _number(file, "I")
    if size != np.dtype(number_type).itemsize * math.prod(shape):
        raise UnknownLayoutError(f"The size of {name} is not that of its shape.")
    offset = file.tell()
    file.seek(size, 1)
    return name, _Stored(shape, number_type, offset, size)


def _number(file: BinaryIO, kind: str) -> int:
    size = struct.calcsize(kind)
    (number,) = struct.unpack(f"<{kind}", file.read(size))
    return int(number)


def _name(file: BinaryIO) -> str:
    size = _number(file, "H")
    (name,) = struct.unpack(f"{size}s", file.read(size))
    return bytes(name).rstrip(b"\0").decode()
