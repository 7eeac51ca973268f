"""Recognises a CTranslate2 Whisper by its files, without loading it."""

import struct
from pathlib import Path
from typing import BinaryIO

from soundalike.store.reading import file_size, reading

_WEIGHTS = "model.bin"
# faster-whisper asks the network for a tokenizer that is not there, so that file is required too.
_REQUIRED = (_WEIGHTS, "config.json", "tokenizer.json")
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
_SPECIFICATION = "WhisperSpec"
_KNOWN_LAYOUT = 6


def flaw(folder: Path) -> str | None:
    """What keeps `folder` from being a Whisper that CTranslate2 can load; None where nothing does.

    The files beside the weights need only be there to be read; the weights are measured against
    their own table of contents, so a copy that is still under way is not taken for a model.

    Raises:
        UnreadableError: one of them cannot be read, or the folder may not be entered.
    """
    lacking = [name for name in _REQUIRED if file_size(folder / name) is None]
    if all(file_size(folder / name) is None for name in _VOCABULARIES):
        lacking.append(" or ".join(_VOCABULARIES))
    if lacking:
        return f"no {', no '.join(lacking)}"
    for name in _REQUIRED:
        path = folder / name
        with reading(path), path.open("rb") as file:
            if name == _WEIGHTS and (found := _flaw_of_weights(file)):
                return f"{name} is {found}"
    return None


def _flaw_of_weights(file: BinaryIO) -> str | None:
    try:
        return None if _is_whisper(file) else "no Whisper of CTranslate2"
    except UnicodeDecodeError:
        return "no Whisper of CTranslate2"
    except struct.error:
        return "incomplete"


def _is_whisper(file: BinaryIO) -> bool:
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
