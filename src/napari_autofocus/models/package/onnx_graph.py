"""Running a package's graphs with onnxruntime."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from napari_autofocus.errors import InputError

Array = npt.NDArray[np.float32]

_EXTERNAL_DATA = b"\x0a\x08location"
"""How a graph's protobuf spells that a weight lies in another file."""
_ONLY_FATAL = 4  # what fails is raised as well
_IN_HALF = b"_half"
"""How a package's graph names weights that it keeps in half precision (``export.py``)."""
# onnxruntime's errors have no base of their own.
_FAILURES = tuple(
    getattr(onnxruntime.capi.onnxruntime_pybind11_state, name)
    for name in (
        "EPFail",
        "EngineError",
        "Fail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "NoModel",
        "NoSuchFile",
        "NotImplemented",
        "RuntimeException",
    )
)


class OnnxGraph:
    """One graph, ready to run; it may be run from several threads at once.

    Parameters
    ----------
    content : bytes
        The ONNX file.
    input_name, output_name : str
        What the graph must take and give.
    providers : sequence of str, optional
        onnxruntime's execution providers in order of preference; the CPU by default.
    threads : int, optional
        Threads within one operation; onnxruntime's own choice by default.

    Raises
    ------
    InputError
        If this is no graph of that kind, or a provider is not installed.
    """

    def __init__(
        self,
        content: bytes,
        input_name: str,
        output_name: str,
        *,
        providers: Sequence[str] | None = None,
        threads: int | None = None,
    ) -> None:
        if _EXTERNAL_DATA in content:
            raise InputError("The graph reads weights from other files, which no model of ours does; do not use it.")
        options = _options()
        options.intra_op_num_threads = threads or 0
        # Idle threads of one graph would otherwise spin on the cores that the other graph, or the camera, needs.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            self._session = onnxruntime.InferenceSession(_widened(content), options, providers=_available(providers))
        except _FAILURES as error:
            raise InputError(f"onnxruntime cannot load the graph ({_first_line(error)}).") from error
        self._check_names(input_name, output_name)
        self._input, self._output = input_name, output_name

    def _check_names(self, input_name: str, output_name: str) -> None:
        found = [value.name for value in (*self._session.get_inputs(), *self._session.get_outputs())]
        if found != [input_name, output_name]:
            raise InputError(f"The graph has {', '.join(found)}; it needs {input_name} and {output_name} alone.")

    def run(self, values: npt.NDArray[Any]) -> Array:
        """The output for one input, float32.

        Raises
        ------
        InputError
            If the input does not fit the graph.
        """
        try:
            (answer,) = self._session.run([self._output], {self._input: values})
        except _FAILURES as error:
            raise InputError(
                f"The graph cannot take {self._input} of {values.shape} ({_first_line(error)})."
            ) from error
        return np.asarray(answer)


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ONLY_FATAL
    return options


@lru_cache(maxsize=4)
def _widened(content: bytes) -> bytes:
    """The graph with its weights in single precision, where it keeps them in half.

    onnxruntime widens them when it loads a graph, but only after it has looked for convolutions to join with what
    follows them, and then runs them one by one, three times as slowly. So it is loaded twice: widened, then joined.
    """
    if _IN_HALF not in content:
        return content
    options = _options()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "widened.onnx"
            options.optimized_model_filepath = str(path)
            onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            return path.read_bytes()
    except (OSError, *_FAILURES):  # no room to write, say: it is as right as it is, only slower; or refused in a moment
        return content


def _available(providers: Sequence[str] | None) -> list[str]:
    wanted = list(providers or ["CPUExecutionProvider"])
    installed = onnxruntime.get_available_providers()
    missing = [name for name in wanted if name not in installed]
    if missing:
        raise InputError(f"onnxruntime has no {missing[0]} here; it has {', '.join(installed)}.")
    return wanted


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
