"""Whisper's network on onnxruntime, built from weights in CTranslate2's format.

For int8 on a CPU, where CTranslate2 brings a decoder's weights into another order for each token
and gains little from a second core (docs/performance.md).
"""

from soundalike.engines.whisper.network.model import NetworkModel, OnnxWhisper
from soundalike.engines.whisper.network.weights import UnknownLayoutError

__all__ = ["NetworkModel", "OnnxWhisper", "UnknownLayoutError"]
