"""The encoder: from a spectrogram to what the decoder looks at."""

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnxruntime import OrtValue

from soundalike.engines.whisper.network.graph import OWN, Graph
from soundalike.engines.whisper.network.weights import Weights

STRIDE = 2
"""Frames of a spectrogram for each position of an encoding."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """What the decoder's layers look at, its keys and its values, as onnxruntime holds them.

    Attributes:
        keys: of each layer, shape (heads, positions, size).
        values: of each layer, shape (heads, size, positions).
    """

    keys: tuple[OrtValue, ...]
    values: tuple[OrtValue, ...]


class Encoder:
    """Whisper's encoder, and the decoder's view of what it says (Radford et al., "Robust Speech
    Recognition via Large-Scale Weak Supervision", 2022). Any number of threads may call it; they
    are served in turn, each by all of its own threads, which takes the memory of one."""

    def __init__(self, weights: Weights, threads: int) -> None:
        graph = Graph(weights)
        _views(graph, weights, _layers(graph, weights))
        self._session = graph.session(threads)
        self._turn = threading.Lock()

    def __call__(self, spectrogram: NDArray[np.float32]) -> Encoding:
        """Args:
        spectrogram: shape (mels, frames), frames an even number up to 3000.
        """
        window = OrtValue.ortvalue_from_numpy(np.ascontiguousarray(spectrogram[np.newaxis]))
        with self._turn:
            views = self._session.run_with_ort_values(None, {"spectrogram": window})
        half = len(views) // 2
        return Encoding(tuple(views[:half]), tuple(views[half:]))


def _layers(graph: Graph, weights: Weights) -> str:
    _, mels, kernel = weights.shape("encoder/conv1/weight")
    heads = weights.number("encoder/num_heads")
    value = graph.input("spectrogram", [1, mels, "frames"])
    for name, stride in (("encoder/conv1", 1), ("encoder/conv2", STRIDE)):
        parts = (graph.constant(weights.array(f"{name}/{part}")) for part in ("weight", "bias"))
        padding = [kernel // 2, kernel // 2]
        value = graph.gelu(graph.add("Conv", value, *parts, pads=padding, strides=[stride]))
    value = graph.add("Transpose", value, perm=[0, 2, 1])
    positions = graph.constant(weights.array("encoder/position_encodings/encodings"))
    length = graph.add("Shape", value, start=1, end=2)
    begin = graph.shape(0)
    value = graph.add("Add", value, graph.add("Slice", positions, begin, length, begin))
    for layer in range(weights.layers("encoder")):
        value = _layer(graph, value, f"encoder/layer_{layer}", heads, weights.width)
    return graph.norm(value, "encoder/layer_norm")


def _layer(graph: Graph, value: str, name: str, heads: int, width: int) -> str:
    """Each matrix by row; signed where what is multiplied has both signs."""
    attention, ffn = f"{name}/self_attention", f"{name}/ffn"
    scaled = graph.scaled(graph.norm(value, f"{attention}/layer_norm"))
    parts = (slice(part * width, (part + 1) * width) for part in range(3))
    seen = graph.add(
        "MultiHeadAttention",
        *(graph.linear_by_row(scaled, f"{attention}/linear_0", rows=rows) for rows in parts),
        domain=OWN,
        num_heads=heads,
    )
    seen = graph.linear_by_row(graph.scaled(seen), f"{attention}/linear_1", signed=False)
    value = graph.add("Add", value, seen)
    scaled = graph.scaled(graph.norm(value, f"{ffn}/layer_norm"))
    inner = graph.gelu(graph.linear_by_row(scaled, f"{ffn}/linear_0"))
    return graph.add("Add", value, graph.linear_by_row(graph.scaled(inner), f"{ffn}/linear_1"))


def _views(graph: Graph, weights: Weights, encoded: str) -> None:
    """The keys and the values of the decoder's layers, as outputs."""
    heads, width = weights.number("decoder/num_heads"), weights.width
    scaled = graph.scaled(graph.add("Squeeze", encoded, graph.shape(0)))
    shape = graph.shape(-1, heads, width // heads)
    for order, rows in (([1, 0, 2], slice(width)), ([1, 2, 0], slice(width, None))):
        for layer in range(weights.layers("decoder")):
            name = f"decoder/layer_{layer}/attention/linear_1"
            seen = graph.add("Reshape", graph.linear_by_row(scaled, name, rows=rows), shape)
            graph.output(graph.add("Transpose", seen, perm=order))
