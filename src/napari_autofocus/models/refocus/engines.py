"""What runs a virtual refocuser's network: onnxruntime by default, torch where an accelerator is to be used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from napari_autofocus.models.package.members import RECOVERED, REFOCUS_GRAPH, SHOTS
from napari_autofocus.models.package.onnx_graph import OnnxGraph
from napari_autofocus.models.package.reading import VirtualPackage
from napari_autofocus.models.seeing.engines import TorchDevice

Float32 = npt.NDArray[np.float32]


class RefocusEngine(Protocol):
    """A virtual refocusing network, ready to run from any thread."""

    def recover(self, shots: Float32) -> Float32:
        """Images and uncertainties (N, C + 1, Y, X) of pairs (N, 2C, Y, X), sides in whole strides."""


class OnnxRefocusEngine:
    """onnxruntime.

    Parameters
    ----------
    package : VirtualPackage
        The model.
    providers : sequence of str, optional
        Execution providers in order of preference; the CPU by default.
    threads : int, optional
        Threads within one operation; one for each core by default.

    Raises
    ------
    InputError
        If a provider is not installed.
    """

    def __init__(
        self, package: VirtualPackage, *, providers: Sequence[str] | None = None, threads: int | None = None
    ) -> None:
        self.providers = providers
        graph = package.members[REFOCUS_GRAPH]
        self._graph = OnnxGraph(graph, SHOTS, RECOVERED, providers=providers, threads=threads)

    def recover(self, shots: Float32) -> Float32:
        """Images and uncertainties."""
        return self._graph.run(shots)


class TorchRefocusEngine:
    """torch, for CUDA and MPS.

    Parameters
    ----------
    package : VirtualPackage
        The model.
    device : str
        As torch names it.

    Raises
    ------
    InputError
        If torch is not installed or has no such device, or the package's weights do not fit its card.
    """

    def __init__(self, package: VirtualPackage, device: str) -> None:
        self._device = TorchDevice(device)
        from napari_autofocus.models.networks import load_refocus_network

        self._network = self._device.placed(load_refocus_network(package))

    def recover(self, shots: Float32) -> Float32:
        """Images and uncertainties."""
        return self._device.run(self._network, shots)
