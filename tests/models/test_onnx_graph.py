"""Graphs that keep their weights in half precision run as those that do not, and as fast."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from napari_autofocus.errors import InputError
from napari_autofocus.models.package import onnx_graph
from napari_autofocus.models.package.onnx_graph import OnnxGraph

FLOAT = TensorProto.FLOAT


def graph_in_half(seed: int) -> bytes:
    """A convolution whose weights are widened, and a normalisation that could be joined with it."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(8, 3, 3, 3)).astype(np.float16)
    vectors = {name: rng.uniform(0.5, 2, 8).astype(np.float32) for name in ("scale", "bias", "mean", "var")}
    nodes = [
        helper.make_node("Cast", ["weight_half"], ["weight"], to=FLOAT),
        helper.make_node("Conv", ["taken", "weight"], ["convolved"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["convolved", *vectors], ["given"]),
    ]
    ends = [helper.make_tensor_value_info(name, FLOAT, ["n", c, 16, 16]) for name, c in (("taken", 3), ("given", 8))]
    constants = [numpy_helper.from_array(weights, "weight_half")]
    constants += [numpy_helper.from_array(values, name) for name, values in vectors.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "half", ends[:1], ends[1:], constants),
        ir_version=9,
        opset_imports=[helper.make_opsetid("", 18)],
    )
    return bytes(model.SerializeToString())


def directly(content: bytes, values: np.ndarray) -> np.ndarray:
    """What onnxruntime makes of it without us."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["given"], {"taken": values})[0])


def values() -> np.ndarray:
    return np.random.default_rng(0).random((2, 3, 16, 16), np.float32)


def test_weights_in_half_precision_are_widened_so_that_layers_can_be_joined() -> None:
    content = graph_in_half(1)
    widened = onnx.load_from_string(onnx_graph._widened(content))

    assert {weight.data_type for weight in widened.graph.initializer} == {FLOAT}
    assert "Cast" not in {node.op_type for node in widened.graph.node}
    assert OnnxGraph(content, "taken", "given").run(values()) == pytest.approx(directly(content, values()), abs=1e-5)


def test_a_graph_in_single_precision_is_taken_as_it_is() -> None:
    content = graph_in_half(2).replace(b"weight_half", b"weight_kept")

    assert onnx_graph._widened(content) is content


def _full(*_: Any, **__: Any) -> None:
    raise OSError("No space left on device")


def _nowhere(*_: Any, **__: Any) -> nullcontext[str]:
    return nullcontext("/nowhere/at/all")


@pytest.mark.parametrize(("seed", "room"), [(3, _full), (4, _nowhere)])
def test_without_room_for_a_copy_the_graph_answers_all_the_same(
    seed: int, room: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = graph_in_half(seed)
    monkeypatch.setattr(tempfile, "TemporaryDirectory", room)

    assert OnnxGraph(content, "taken", "given").run(values()) == pytest.approx(directly(content, values()), abs=1e-5)


def test_what_is_no_graph_is_refused_with_half_in_it_too() -> None:
    with pytest.raises(InputError, match="cannot load the graph"):
        OnnxGraph(b"no graph, weight_half", "taken", "given")
