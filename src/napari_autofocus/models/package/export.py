"""From a trained network to what a package holds: an ONNX graph, safetensors, and tensors to test the graph with.

Weights of two and more dimensions may be rounded to half precision before anything else, so that graph and safetensors
are the same network: they agree to a millionth. The graph runs in float32, which is fastest, and keeps rounded weights
in half precision.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx.helper
import onnx.numpy_helper
import safetensors.torch
import torch
from torch import nn
from torch.export import Dim

from napari_autofocus.models.package.card import ModelCard
from napari_autofocus.models.package.members import (
    IMPORTANCE,
    OVERVIEW,
    PATCHES,
    PREDICTION,
    RECOVERED,
    SHOTS,
)
from napari_autofocus.models.package.virtual_card import VirtualCard

OPSET = 18
_TEST_PATCHES = 2
_TEST_GRID = (3, 4)
_TEST_STRIDES = (4, 5)
_MOST_IN_HALF = 65504.0
_DYNAMIC = {
    PATCHES: {0: "batch"},
    OVERVIEW: {2: "height", 3: "width"},
    SHOTS: {0: "batch", 2: "height", 3: "width"},
}
_OUTPUT_NAMES = {
    PREDICTION: {0: "batch"},
    IMPORTANCE: {2: "rows", 3: "columns"},
    RECOVERED: {0: "batch", 2: "height", 3: "width"},
}


@dataclass(frozen=True)
class ExportedNetwork:
    """A network as a package holds it.

    Parameters
    ----------
    graph : bytes
        ONNX.
    weights : bytes
        The trainable weights, safetensors.
    test_input, test_output : np.ndarray, float32
        What goes into the graph and what torch makes of it.
    """

    graph: bytes
    weights: bytes
    test_input: npt.NDArray[np.float32]
    test_output: npt.NDArray[np.float32]


def export_defocus(network: nn.Module, card: ModelCard, *, half: bool) -> ExportedNetwork:
    """Export a defocus network; its graph takes any number of patches."""
    shape = (_TEST_PATCHES, card.optics.channels, card.patch_px, card.patch_px)
    return _export(network, shape, PATCHES, PREDICTION, half)


def export_importance(network: nn.Module, card: ModelCard, *, half: bool) -> ExportedNetwork:
    """Export an importance network; its graph takes the overview of a patch grid of any size."""
    patch, stride = card.patch_px // card.reduction, card.stride_px // card.reduction
    height, width = ((count - 1) * stride + patch for count in _TEST_GRID)
    return _export(network, (1, card.optics.channels, height, width), OVERVIEW, IMPORTANCE, half)


def export_refocus(network: nn.Module, card: VirtualCard, *, half: bool) -> ExportedNetwork:
    """Export a virtual refocusing network; its graph takes any number of pairs of any size in whole strides."""
    height, width = (count * card.stride_px for count in _TEST_STRIDES)
    return _export(network, (_TEST_PATCHES, 2 * card.optics.channels, height, width), SHOTS, RECOVERED, half)


def _export(
    network: nn.Module, shape: tuple[int, ...], input_name: str, output_name: str, half: bool
) -> ExportedNetwork:
    plain = _as_shipped(network, half)
    example = torch.from_numpy(_texture(shape))
    with torch.inference_mode():
        answer = plain(example).numpy()
    graph = _to_onnx(plain, example, input_name, output_name)
    if half:
        _store_in_half(graph)
    return ExportedNetwork(
        graph=graph.SerializeToString(deterministic=True),
        weights=_to_safetensors(plain, half),
        test_input=example.numpy(),
        test_output=answer,
    )


def _as_shipped(network: nn.Module, half: bool) -> nn.Module:
    """A copy on the CPU, ready to answer, with the very weights that the package will hold."""
    plain = copy.deepcopy(network).cpu().float().eval()
    if half:
        with torch.no_grad():
            for weight in plain.parameters():
                if _worth_rounding(weight):
                    weight.copy_(weight.half().float())
    return plain


def _worth_rounding(weight: torch.Tensor) -> bool:
    return weight.ndim >= 2 and bool(weight.abs().max() <= _MOST_IN_HALF)


def _texture(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Grey values that are the same on every machine, shape (N, C, Y, X), float32 in [0, 1]."""
    counts = np.random.default_rng(20).integers(0, 256, shape, dtype=np.uint8)
    return np.asarray(counts / np.float32(255), np.float32)


def _to_safetensors(network: nn.Module, half: bool) -> bytes:
    tensors = {
        name: (tensor.half() if half and tensor.is_floating_point() and _worth_rounding(tensor) else tensor)
        .detach()
        .clone()
        .contiguous()
        for name, tensor in network.state_dict().items()
    }
    return safetensors.torch.save(tensors)


def _to_onnx(network: nn.Module, example: torch.Tensor, input_name: str, output_name: str) -> onnx.ModelProto:
    dynamic = dict.fromkeys(_DYNAMIC[input_name], Dim.DYNAMIC)
    with _quiet():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            dynamic_shapes=(dynamic,),
            input_names=[input_name],
            output_names=[output_name],
            opset_version=OPSET,
            optimize=False,
            verbose=False,
        )
    assert program is not None  # the exporter answers None only when it writes the file itself
    graph: onnx.ModelProto = program.model_proto
    _tidy(graph, input_name, output_name)
    return graph


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of its own internals and of libraries that it does not find; neither concerns the user."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _tidy(model: onnx.ModelProto, input_name: str, output_name: str) -> None:
    """Drop what tells of the exporting machine (stack traces), and name the axes that may vary."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    del graph.value_info[:]
    model.producer_version = ""
    graph.name = output_name
    _name_axes(graph.input[0], _DYNAMIC[input_name])
    _name_axes(graph.output[0], _OUTPUT_NAMES[output_name])


def _store_in_half(model: onnx.ModelProto) -> None:
    """Keep weights that are numbers of half precision as such, half as large, and widen them when the graph is loaded.

    The graph computes in float32 all the same: onnxruntime widens constants once.
    """
    graph = model.graph
    widened = []
    for weight in graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        halved = values.astype(np.float16) if values.dtype == np.float32 and values.ndim >= 2 else None
        if halved is None or not np.array_equal(halved.astype(np.float32), values):
            continue
        stored = f"{weight.name}_half"
        widened.append(onnx.helper.make_node("Cast", [stored], [weight.name], to=onnx.TensorProto.FLOAT))
        weight.CopyFrom(onnx.numpy_helper.from_array(halved, stored))
    nodes = [*widened, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _name_axes(value: Any, names: dict[int, str]) -> None:
    for axis, name in names.items():
        value.type.tensor_type.shape.dim[axis].dim_param = name
