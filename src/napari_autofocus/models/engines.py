"""What runs a package's two networks: onnxruntime by default, torch where an accelerator is to be used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

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
        try:
            import torch
        except ModuleNotFoundError as error:
            raise InputError(
                f"A model runs on {device} through torch, which is not installed; pip install"
                " 'napari-autofocus[train]', or leave the device out."
            ) from error
        from napari_autofocus.models.networks import load_networks

        self._torch = torch
        defocus, importance = load_networks(package)
        try:
            self._device = torch.device(device)
            self._defocus, self._importance = defocus.to(self._device), importance.to(self._device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"torch cannot use the device {device!r} here ({reason}).") from error

    def importance(self, overview: Float32) -> Float32:
        """Importance of each patch, shape (rows, columns)."""
        return np.asarray(self._run(self._importance, overview)[0, 0])

    def predict(self, patches: Float32) -> Float32:
        """Predictions, shape (N, 3)."""
        return self._run(self._defocus, patches)

    def _run(self, network: object, values: Float32) -> Float32:
        with self._torch.inference_mode():
            answer = network(self._torch.from_numpy(values).to(self._device))  # type: ignore[operator]
        return np.asarray(answer.float().cpu().numpy())


def engine_for(
    package: ModelPackage, *, providers: Sequence[str] | None = None, device: str | None = None
) -> OnnxEngine | TorchEngine:
    """What runs a package: onnxruntime, or torch where a device is named.

    Raises
    ------
    InputError
        If both are named, or what is named is not there.
    """
    if device is not None and providers is not None:
        raise InputError("A model runs either with onnxruntime's providers or on a torch device; name one of the two.")
    return OnnxEngine(package, providers=providers) if device is None else TorchEngine(package, device)
