"""The decoder: from the tokens so far to what it makes of the next one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto
from onnxruntime import OrtValue

from soundalike.engines.whisper.network.encoder import Encoding
from soundalike.engines.whisper.network.graph import OWN, Graph
from soundalike.engines.whisper.network.weights import Array, Weights

MOST_THREADS = 2
"""For the tokens of all clips together. The work of one is too small to be shared by more (measured
with Whisper base)."""


@dataclass(slots=True)
class Beams:
    """Texts of one length that are decoded side by side, and what the decoder keeps of them.

    Attributes:
        encoding: of what they are the text of.
        length: tokens of each.
        memory: of each layer, keys and values of shape (beams, heads, tokens, size).
    """

    encoding: Encoding
    length: int
    memory: list[OrtValue]


class Decoder:
    """Whisper's decoder. Any number of threads may call it, each on its own beams."""

    def __init__(self, weights: Weights, threads: int) -> None:
        threads = min(threads, MOST_THREADS)
        self._embeddings = weights.rows("decoder/embeddings/weight")
        self._positions = weights.array("decoder/position_encodings/encodings")
        self._depth = weights.layers("decoder")
        self._heads = weights.number("decoder/num_heads")
        self._size = weights.width // self._heads
        self._vocabulary = _vocabulary(weights).session(threads)
        self._layers = _layers(weights).session(threads)
        self._found = [value.name for value in self._layers.get_outputs()]

    @property
    def tokens(self) -> int:
        """In the vocabulary."""
        return len(self._embeddings)

    def begin(self, encoding: Encoding) -> Beams:
        """One beam without a token."""
        nothing = np.zeros((1, self._heads, 0, self._size), np.float32)
        return Beams(encoding, 0, [OrtValue.ortvalue_from_numpy(nothing)] * (2 * self._depth))

    def advance(
        self, beams: Beams, tokens: Sequence[Sequence[int]], origins: Sequence[int] = (0,)
    ) -> Array:
        """Some of the beams, with more tokens, take the place of all.

        Args:
            tokens: as many for each new beam.
            origins: of each new beam, the old one that it goes on with.

        Returns:
            The decoder's state after each token, shape (beams, tokens, width).
        """
        names = self._found[: 1 + 2 * self._depth]
        states, *memory = self._run(beams, tokens, origins, names)
        beams.length += len(tokens[0])
        beams.memory = memory
        return states.numpy()  # type: ignore[no-any-return]  # onnxruntime is untyped

    def attended(
        self, encoding: Encoding, tokens: Sequence[int], heads: Sequence[tuple[int, int]]
    ) -> tuple[Array, Array]:
        """A whole text at once.

        Args:
            heads: those whose attention is asked for, each its layer and its place in it.

        Returns:
            The decoder's state after each token, shape (tokens, width), and what it looked at
            then: products of queries and keys, shape (heads, tokens, positions).
        """
        layers = sorted({layer for layer, _ in heads})
        names = [self._found[0], *(self._found[layer - self._depth] for layer in layers)]
        states, *found = self._run(self.begin(encoding), [tokens], (0,), names)
        looks = dict(zip(layers, (look.numpy() for look in found), strict=True))
        return states.numpy()[0], np.stack([looks[layer][head].T for layer, head in heads])

    def logits(self, states: Array) -> Array:
        """Of each token of the vocabulary to be the next, shape (states, vocabulary).

        Args:
            states: shape (states, width).
        """
        value = OrtValue.ortvalue_from_numpy(np.ascontiguousarray(states))
        (found,) = self._vocabulary.run_with_ort_values(None, {"states": value})
        return found.numpy()  # type: ignore[no-any-return]

    def _run(
        self,
        beams: Beams,
        tokens: Sequence[Sequence[int]],
        origins: Sequence[int],
        outputs: Sequence[str],
    ) -> list[OrtValue]:
        before, after = beams.length, beams.length + len(tokens[0])
        states = self._embeddings[np.array(tokens)] + self._positions[before:after]
        arrays = {"states": states, "origins": np.array(origins, np.int64)}
        values = {name: OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}
        for kind, held in (
            ("memory", beams.memory),
            ("keys", beams.encoding.keys),
            ("values", beams.encoding.values),
        ):
            values |= {f"{kind}{place}": value for place, value in enumerate(held)}
        return self._layers.run_with_ort_values(outputs, values)  # type: ignore[no-any-return]


def _vocabulary(weights: Weights) -> Graph:
    graph = Graph(weights)
    states = graph.input("states", ["states", weights.width])
    graph.output(graph.projection(states, "decoder/projection/weight"))
    return graph


def _layers(weights: Weights) -> Graph:
    """Outputs: the states, each layer's memory, what each layer looked at."""
    layers = _Layers(Graph(weights), weights)
    graph, states = layers.graph, layers.states
    for layer in range(weights.layers("decoder")):
        states = layers.add(layer, states)
    graph.output(graph.norm(states, "decoder/layer_norm"))
    for value in [*layers.memory, *layers.looks]:
        graph.output(value)
    return graph


class _Layers:
    """The layers of a decoder, one after the other."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        self.graph = graph
        self.memory: list[str] = []
        self.looks: list[str] = []
        heads, width = weights.number("decoder/num_heads"), weights.width
        self._heads, self._size = heads, width // heads
        self.states = graph.input("states", ["beams", "tokens", width])
        self._origins = graph.input("origins", ["beams"], TensorProto.INT64)
        self._shape = graph.add("Shape", self.states)

    def add(self, layer: int, states: str) -> str:
        graph, name = self.graph, f"decoder/layer_{layer}"
        own = self._own_attention(layer, states, f"{name}/self_attention")
        states = graph.add("Add", states, own)
        states = graph.add("Add", states, self._attention(layer, states, f"{name}/attention"))
        inner = graph.linear(graph.norm(states, f"{name}/ffn/layer_norm"), f"{name}/ffn/linear_0")
        inner = graph.gelu(inner)  # its largest, at a text's first token, are beyond all others
        outer = graph.linear_by_row(graph.scaled(inner), f"{name}/ffn/linear_1", signed=False)
        return graph.add("Add", states, outer)

    def _own_attention(self, layer: int, states: str, name: str) -> str:
        graph, size = self.graph, self._size
        linear = graph.linear(graph.norm(states, f"{name}/layer_norm"), f"{name}/linear_0")
        parts = graph.add_several("Split", linear, results=3, axis=2, num_outputs=3)
        memory = [
            graph.input(f"memory{number}", ["old beams", self._heads, "before", size])
            for number in (2 * layer, 2 * layer + 1)
        ]
        memory = [graph.add("Gather", held, self._origins, axis=0) for held in memory]
        seen, *memory = graph.add_several(
            "MultiHeadAttention",
            *(*parts, "", "", "", *memory),
            results=3,
            domain=OWN,
            num_heads=self._heads,
            unidirectional=1,
        )
        self.memory += memory
        return graph.linear(seen, f"{name}/linear_1")

    def _attention(self, layer: int, states: str, name: str) -> str:
        """To the encoding. All beams look at one, so that they are rows of one product for each
        head; they are its right side, which onnxruntime copies, and not the larger encoding."""
        graph, heads, size = self.graph, self._heads, self._size
        asked = graph.linear(
            graph.norm(states, f"{name}/layer_norm"), f"{name}/linear_0", factor=size**-0.5
        )
        asked = graph.add("Reshape", asked, graph.shape(-1, heads, size))
        asked = graph.add("Transpose", asked, perm=[1, 2, 0])
        keys = graph.input(f"keys{layer}", [heads, "positions", size])
        values = graph.input(f"values{layer}", [heads, size, "positions"])
        look = graph.add("MatMul", keys, asked)
        self.looks.append(look)
        seen = graph.add("MatMul", values, graph.add("Softmax", look, axis=1))
        seen = graph.add("Transpose", seen, perm=[2, 0, 1])
        return graph.linear(graph.add("Reshape", seen, self._shape), f"{name}/linear_2")
