"""Recognises a CTranslate2 Whisper by its files, without loading it."""

import struct
from pathlib import Path
from typing import BinaryIO

# faster-whisper asks the network for a tokenizer that is not there, so that file is required too.
_REQUIRED = ("model.bin", "config.json", "tokenizer.json")
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
_SPECIFICATION = "WhisperSpec"
_KNOWN_LAYOUT = 6


def is_whole_whisper(folder: Path) -> bool:
    """Whether `folder` holds a Whisper that CTranslate2 can load, none of its weights cut off.

    The files beside the weights are only looked for; the weights are measured against their own
    table of contents, so a copy that is still under way is not taken for a model.
    """
    if not all((folder / name).is_file() for name in _REQUIRED):
        return False
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        return False
    try:
        with (folder / "model.bin").open("rb") as file:
            return _is_whole(file)
    except (OSError, struct.error, UnicodeDecodeError):
        return False


def _is_whole(file: BinaryIO) -> bool:
    """Walks the layout that `ctranslate2.specs.ModelSpec` writes: a version, the specification's
    name and revision, the variables each behind name, shape, type and length, then the aliases.
    Reading past a premature end fails, at the latest with the aliases.
    """
    version = _number(file, "I")
    if _text(file) != _SPECIFICATION:
        return False
    if version != _KNOWN_LAYOUT:
        return True  # a later CTranslate2 may lay out the rest differently
    _number(file, "I")
    for _ in range(_number(file, "I")):
        _text(file)
        rank = _number(file, "B")
        file.seek(rank * struct.calcsize("I") + struct.calcsize("B"), 1)
        file.seek(_number(file, "I"), 1)
    for _ in range(_number(file, "I")):
        _text(file)
        _text(file)
    return True


def _number(file: BinaryIO, kind: str) -> int:
    (value,) = struct.unpack(f"<{kind}", file.read(struct.calcsize(kind)))
    return int(value)


def _text(file: BinaryIO) -> str:
    length = _number(file, "H")
    (raw,) = struct.unpack(f"{length}s", file.read(length))  # fails where the file ends early
    return bytes(raw).removesuffix(b"\0").decode()
