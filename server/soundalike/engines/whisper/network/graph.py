"""Builds a network for onnxruntime, its matrices as int8.

A matrix keeps one scale a row, as CTranslate2 does it. What is multiplied with it is brought to
int8 when it is known, with one scale for all of it, or for each row of it where `by_row` is asked
for: a few of Whisper's activations are a hundred times the others, and take their precision away.
"""

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from soundalike.engines.whisper.network.weights import Array, Weights

OPERATIONS = 19
"""Of ONNX, by the version that https://onnx.ai/onnx/operators counts."""

FILE_FORMAT = 9

OWN = "com.microsoft"
"""Where onnxruntime keeps the operations that it has beside ONNX's."""

CHUNK = 4096
"""Rows of a matrix that are brought to int8 at once, so that no second copy of it is needed."""

LEAST_SCALE = np.float32(1e-6)

SPIN = 50
"""Microseconds in which a thread of onnxruntime keeps looking for work before it sleeps. A
decoder's operations follow each other in less; waking a thread takes longer than most of them."""


class Graph:
    """Operations on named values. A value is a float32 tensor where nothing else is said."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._matrices: dict[str, NDArray[np.uint8] | NDArray[np.int8]] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._count = 0

    def input(self, name: str, shape: list[str | int], kind: int = TensorProto.FLOAT) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, value: str) -> None:
        """Outputs are given in the order in which they are named here."""
        self._outputs.append(helper.make_tensor_value_info(value, TensorProto.FLOAT, None))

    def constant(self, array: NDArray[Any]) -> str:
        name = self._new()
        self._constants.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def shape(self, *sizes: int) -> str:
        return self.constant(np.array(sizes, np.int64))

    def add(self, operation: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """One operation; its result."""
        (name,) = self.add_several(operation, *inputs, results=1, domain=domain, **attributes)
        return name

    def add_several(
        self, operation: str, *inputs: str, results: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        """One operation that has several results."""
        names = [self._new() for _ in range(results)]
        self._nodes.append(
            helper.make_node(operation, list(inputs), names, names[0], domain=domain, **attributes)
        )
        return names

    def scaled(self, value: str) -> tuple[str, str]:
        """Each row brought to at most 1, and what it was divided by."""
        last = self.shape(-1)
        highest = self.add("ReduceMax", value, last, keepdims=1)
        lowest = self.add("Neg", self.add("ReduceMin", value, last, keepdims=1))
        scale = self.add("Max", highest, lowest, self.constant(np.array(LEAST_SCALE)))
        return self.add("Div", value, scale), scale

    def linear(self, value: str, name: str, *, factor: float = 1.0) -> str:
        """A layer of the weights on few rows at once.

        Args:
            factor: of what it gives.
        """
        matrix, bias = self._layer(name)
        return self._product(value, matrix * np.float32(factor), bias * np.float32(factor))

    def linear_by_row(
        self, value: tuple[str, str], name: str, *, rows: slice = slice(None), signed: bool = True
    ) -> str:
        """A layer of the weights on what `scaled` gave.

        Args:
            rows: those of the matrix to use.
            signed: int8 times uint8, which is faster; but processors with AVX2 and without VNNI
                add pairs of products in 16 bits, which values of one sign and size overflow.
        """
        matrix, bias = self._layer(name, rows)
        product = self._product(value[0], matrix, None, signed=signed)
        return self.add("Add", self.add("Mul", product, value[1]), self.constant(bias))

    def projection(self, value: str, name: str) -> str:
        """A matrix of the weights without a bias."""
        return self._product(value, self._weights.array(name), None)

    def norm(self, value: str, name: str) -> str:
        gamma = self.constant(self._weights.array(f"{name}/gamma"))
        beta = self.constant(self._weights.array(f"{name}/beta"))
        return self.add("LayerNormalization", value, gamma, beta, axis=-1, epsilon=1e-5)

    def gelu(self, value: str) -> str:
        return self.add("Gelu", value, domain=OWN)

    def session(self, threads: int) -> onnxruntime.InferenceSession:
        """The network, ready to run, by any number of callers at once. This graph is of no more
        use then."""
        graph = helper.make_graph(
            self._nodes, "whisper", self._inputs, self._outputs, self._constants
        )
        sets = [helper.make_opsetid("", OPERATIONS), helper.make_opsetid(OWN, 1)]
        network = helper.make_model(graph, opset_imports=sets, ir_version=FILE_FORMAT)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # An arena keeps the most that it was ever asked for
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN))
        options.add_session_config_entry("session.force_spinning_stop", "1")
        # onnxruntime copies them into its own order, and reads these until it has
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(m) for m in self._matrices.values()]
        options.add_external_initializers(list(self._matrices), values)
        return onnxruntime.InferenceSession(
            network.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def _layer(self, name: str, rows: slice = slice(None)) -> tuple[Array, Array]:
        matrix, bias = (self._weights.array(f"{name}/{part}") for part in ("weight", "bias"))
        return matrix[rows], bias[rows]

    def _product(
        self, value: str, matrix: Array, bias: Array | None, *, signed: bool = False
    ) -> str:
        quantised, scale = _quantised(matrix)
        zero = np.zeros(len(scale), np.int8)
        if not signed:
            quantised ^= -128
            quantised, zero = quantised.view(np.uint8), (zero ^ -128).view(np.uint8)
        inputs = [value, self._external(quantised), self.constant(scale), self.constant(zero)]
        if bias is not None:
            inputs.append(self.constant(bias))
        return self.add("DynamicQuantizeMatMul", *inputs, domain=OWN)

    def _external(self, matrix: NDArray[Any]) -> str:
        """A matrix that is not copied into the network's description."""
        name = self._new()
        self._matrices[name] = matrix
        tensor = TensorProto(
            name=name,
            data_type=helper.np_dtype_to_tensor_dtype(matrix.dtype),
            dims=matrix.shape,
            data_location=TensorProto.EXTERNAL,
        )
        tensor.external_data.add(key="location", value=name)
        self._constants.append(tensor)
        return name

    def _new(self) -> str:
        self._count += 1
        return f"v{self._count}"


def _quantised(matrix: Array) -> tuple[NDArray[np.int8], Array]:
    """A matrix (outputs, inputs) as onnxruntime wants it, (inputs, outputs), and each output's
    scale."""
    scale = np.empty(len(matrix), np.float32)
    quantised = np.empty(matrix.shape[::-1], np.int8)
    for start in range(0, len(matrix), CHUNK):
        rows = matrix[start : start + CHUNK]
        largest = np.maximum(np.abs(rows).max(axis=1), LEAST_SCALE)
        scale[start : start + CHUNK] = largest / 127
        quantised[:, start : start + CHUNK] = np.rint(rows.T * (127 / largest))
    return quantised, scale
