"""Files of a model out of installed wheels. Their code is never imported: a wheel is data here."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from soundalike.store.catalog import ModelFile, WheelSource
from soundalike.store.errors import SourceError

_CHUNK = 1 << 20


def read_wheels(source: WheelSource, file: ModelFile, offset: int) -> Iterator[bytes]:
    """The bytes of `file` from `offset` on: its pieces, joined.

    Raises:
        SourceError: a wheel is not installed, does not carry the piece, or cannot be read.
    """
    for piece in _pieces(source, file):
        try:
            size = piece.stat().st_size
            if offset >= size:
                offset -= size
                continue
            with piece.open("rb") as opened:
                opened.seek(offset)
                offset = 0
                while chunk := opened.read(_CHUNK):
                    yield chunk
        except OSError as error:
            raise SourceError(f"{piece} cannot be read: {error.strerror}") from error


def are_installed(source: WheelSource) -> bool:
    """Whether every distribution of the source is installed."""
    try:
        _listed(source)
    except SourceError:
        return False
    return True


def _pieces(source: WheelSource, file: ModelFile) -> list[Path]:
    listed = _listed(source)
    names = source.pieces.get(file.path, ())
    missing = [name for name in names if name not in listed]
    if missing or not names:
        raise SourceError(f"they do not carry {', '.join(missing) or file.path}")
    return [listed[name] for name in names]


def _listed(source: WheelSource) -> dict[str, Path]:
    """Every file of the source's distributions by its path in their RECORDs."""
    listed: dict[str, Path] = {}
    for name in source.distributions:
        try:
            files = distribution(name).files or ()
        except PackageNotFoundError:
            raise SourceError(f"{name} is not installed") from None
        listed |= {str(path): Path(str(path.locate())) for path in files}
    return listed
