"""What runs a package's two networks: onnxruntime by default, torch where an accelerator is to be used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.models.package.members import (
    DEFOCUS_GRAPH,
    IMPORTANCE,
    IMPORTANCE_GRAPH,
    OVERVIEW,
    PATCHES,
    PREDICTION,
)
from napari_autofocus.models.package.onnx_graph import OnnxGraph
from napari_autofocus.models.package.reading import ModelPackage

Float32 = npt.NDArray[np.float32]


class Engine(Protocol):
    """Two networks, ready to run from any thread."""

    def importance(self, overview: Float32) -> Float32:
        """Importance of each patch, shape (rows, columns), of an overview (1, C, y, x)."""

    def predict(self, patches: Float32) -> Float32:
        """Defocus µm, its standard uncertainty µm and the probability of the positive side, shape (N, 3)."""


class OnnxEngine:
    """onnxruntime.

    Parameters
    ----------
    package : ModelPackage
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
        self, package: ModelPackage, *, providers: Sequence[str] | None = None, threads: int | None = None
    ) -> None:
        files = package.members
        self.providers = providers
        self._importance = OnnxGraph(
            files[IMPORTANCE_GRAPH], OVERVIEW, IMPORTANCE, providers=providers, threads=threads
        )
        self._defocus = OnnxGraph(files[DEFOCUS_GRAPH], PATCHES, PREDICTION, providers=providers, threads=threads)

    def importance(self, overview: Float32) -> Float32:
        """Importance of each patch, shape (rows, columns)."""
        return np.asarray(self._importance.run(overview)[0, 0])

    def predict(self, patches: Float32) -> Float32:
        """Predictions, shape (N, 3)."""
        return self._defocus.run(patches)


class TorchEngine:
    """torch, for CUDA and MPS; on the CPU it is slower than onnxruntime and gives the same answers.

    Parameters
    ----------
    package : ModelPackage
        The model.
    device : str
        As torch names it.

    Raises
    ------
    InputError
        If torch is not installed or has no such device, or the package's weights do not fit its card.
    """

    def __init__(self, package: ModelPackage, device: str) -> None:
        self._device = TorchDevice(device)
        from napari_autofocus.models.networks import load_networks

        self._defocus, self._importance = (self._device.placed(network) for network in load_networks(package))

    def importance(self, overview: Float32) -> Float32:
        """Importance of each patch, shape (rows, columns)."""
        return np.asarray(self._device.run(self._importance, overview)[0, 0])

    def predict(self, patches: Float32) -> Float32:
        """Predictions, shape (N, 3)."""
        return self._device.run(self._defocus, patches)


class TorchDevice:
    """A device that torch runs networks on.

    Parameters
    ----------
    name : str
        As torch names it.

    Raises
    ------
    InputError
        If torch is not installed.
    """

    def __init__(self, name: str) -> None:
        try:
            import torch
        except ModuleNotFoundError as error:
            raise InputError(
                f"A model runs on {name} through torch, which is not installed; pip install"
                " 'napari-autofocus[train]', or leave the device out."
            ) from error
        self._torch, self.name = torch, name

    def placed(self, network: Any) -> Any:
        """A network on the device, ready to answer. Raises InputError if torch has no such device."""
        try:
            return network.to(self._torch.device(self.name)).eval()
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"torch cannot use the device {self.name!r} here ({reason}).") from error

    def run(self, network: Any, values: Float32) -> Float32:
        """What a network on the device makes of an array, as float32."""
        with self._torch.inference_mode():
            answer = network(self._torch.from_numpy(np.ascontiguousarray(values)).to(self.name))
        return np.asarray(answer.float().cpu().numpy())


def check_choice(providers: Sequence[str] | None, device: str | None) -> None:
    """Raise InputError where both onnxruntime's providers and a torch device are named."""
    if device is not None and providers is not None:
        raise InputError("A model runs either with onnxruntime's providers or on a torch device; name one of the two.")


def engine_for(
    package: ModelPackage, *, providers: Sequence[str] | None = None, device: str | None = None
) -> OnnxEngine | TorchEngine:
    """What runs a package: onnxruntime, or torch where a device is named.

    Raises
    ------
    InputError
        If both are named, or what is named is not there.
    """
    check_choice(providers, device)
    return OnnxEngine(package, providers=providers) if device is None else TorchEngine(package, device)
