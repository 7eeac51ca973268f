"""Whisper through faster-whisper, on onnxruntime or CTranslate2.

Importing this package is cheap; the native libraries come in when `WhisperEngine` is first named.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from soundalike.engines.whisper.engine import WhisperEngine

__all__ = ["WhisperEngine"]


def __getattr__(name: str) -> object:
    if name != "WhisperEngine":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from soundalike.engines.whisper.engine import WhisperEngine

    return WhisperEngine
