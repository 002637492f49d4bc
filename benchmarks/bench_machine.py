"""What this machine can do at best, measured in the same run: copying memory, multiplying matrices; and what a network
asks of it.

A network's limit takes each layer by itself: it can be no faster than its multiplications at the rate of a matrix
product, nor than reading what it takes and writing what it gives. Weights are not counted: they stay in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
import onnxruntime

from bench_rows import take_turns

_MATRIX = 1024
_MEMORY_BYTES = 64 * 2**20
_CACHE_BYTES = 2**20
_F32 = 4
_LAYERS = ("Conv", "ConvTranspose", "Gemm")


@dataclass(frozen=True)
class Machine:
    """Rates at best.

    Parameters
    ----------
    flops : float
        Of single precision a second, in a matrix product.
    memory_bytes : float
        Read and written again a second, of arrays far larger than the cache.
    cache_bytes : float
        The same of arrays that stay in it.
    """

    flops: float
    memory_bytes: float
    cache_bytes: float

    @classmethod
    def measured(cls) -> Machine:
        """Of this machine, now, with all its cores for products and one for copies."""
        rng = np.random.default_rng(0)
        one, other = (rng.random((_MATRIX, _MATRIX), np.float32) for _ in range(2))
        product = np.empty_like(one)
        large, small = np.ones(_MEMORY_BYTES, np.uint8), np.ones(_CACHE_BYTES, np.uint8)
        large_copy, small_copy = np.ones_like(large), np.ones_like(small)
        calls = {
            "product": lambda: np.matmul(one, other, out=product),
            "memory": lambda: np.copyto(large_copy, large),
            "cache": lambda: np.copyto(small_copy, small),
        }
        best = {name: min(times.wall_s) for name, times in take_turns(calls, seconds=2, most=60).items()}
        return cls(
            2 * _MATRIX**3 / best["product"], 2 * _MEMORY_BYTES / best["memory"], 2 * _CACHE_BYTES / best["cache"]
        )

    def seconds(self, work: Work) -> float:
        """Least time for a network."""
        return sum(max(flops / self.flops, moved / self.cache_bytes) for flops, moved in work.layers)


@dataclass(frozen=True)
class Work:
    """What a network does: for each layer its floating point operations and the bytes it takes and gives."""

    layers: tuple[tuple[float, float], ...]

    @property
    def gflop(self) -> float:
        """Altogether, in thousands of millions."""
        return sum(flops for flops, _ in self.layers) / 1e9

    @property
    def megabytes(self) -> float:
        """Taken and given by all layers."""
        return sum(moved for _, moved in self.layers) / 1e6


@lru_cache(maxsize=32)
def work_of(graph: bytes, shape: tuple[int, ...]) -> Work:
    """What a graph with one input does for an input of a shape; convolutions and matrix products count.

    The shapes between its layers are found by running it: they may depend on sizes that only a run knows.
    """
    model = onnx.load_from_string(graph)
    layers = [node for node in model.graph.node if node.op_type in _LAYERS]
    weights = {array.name: tuple(array.dims) for array in model.graph.initializer}
    own = model.graph.input[0].name
    between = sorted({name for node in layers for name in (*node.input[:2], node.output[0])} - {own, *weights})
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in between)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"], disabled_optimizers=["NchwcTransformer"]
    )
    values = session.run(between, {own: np.zeros(shape, np.float32)})
    shapes = {own: shape, **weights} | {name: value.shape for name, value in zip(between, values, strict=True)}
    return Work(tuple(_layer(node, shapes) for node in layers))


def _layer(node: Any, shapes: dict[str, tuple[int, ...]]) -> tuple[float, float]:
    """Operations, and bytes of input and output."""
    taken, weights, given = shapes[node.input[0]], shapes[node.input[1]], shapes[node.output[0]]
    # Each weight is used once for each place of the output (of the input, where a transposed convolution spreads it).
    places = taken if node.op_type == "ConvTranspose" else given
    uses = np.prod(places) / places[1] if len(places) > 2 else places[0]
    return 2.0 * float(np.prod(weights)) * float(uses), _F32 * float(np.prod(taken) + np.prod(given))
