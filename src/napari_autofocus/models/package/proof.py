"""The proof that a package works here: its graphs answer its test tensors as they did where it was written."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_autofocus.errors import InputError
from napari_autofocus.models.package.card import ModelCard
from napari_autofocus.models.package.members import (
    DEFOCUS_GRAPH,
    IMPORTANCE,
    IMPORTANCE_GRAPH,
    IMPORTANCE_TEST_INPUT,
    IMPORTANCE_TEST_OUTPUT,
    OVERVIEW,
    PATCHES,
    PREDICTION,
    PREDICTION_CHANNELS,
    RECOVERED,
    REFOCUS_GRAPH,
    SHOTS,
    TEST_INPUT,
    TEST_OUTPUT,
)
from napari_autofocus.models.package.onnx_graph import OnnxGraph
from napari_autofocus.models.package.virtual_card import VirtualCard

TOLERANCE = 0.01
"""Largest difference of a test output: µm, probability or importance."""
LIGHT_TOLERANCE = 0.001
"""Largest difference of a recovered test image, of full light: a quarter of a grey level of 256. Channels in a wrong
order, as onnxscript 0.7.0 wrote them, cost a small network no more than 0.011."""


def prove(path: Path, card: ModelCard | VirtualCard, members: Mapping[str, bytes]) -> None:
    """Run the graphs on their test tensors.

    Raises
    ------
    InputError
        If a tensor is no float32 array of the right shape, a graph does not run, or an answer differs by more than
        :data:`TOLERANCE` or :data:`LIGHT_TOLERANCE`.
    """
    try:
        if isinstance(card, VirtualCard):
            _prove_refocus(card, members)
        else:
            _prove_defocus(card, members)
            _prove_importance(card, members)
    except InputError as error:
        raise InputError(f"{path} cannot be used. {error}") from error


def _prove_defocus(card: ModelCard, members: Mapping[str, bytes]) -> None:
    patches = read_npy(members[TEST_INPUT], TEST_INPUT)
    stated = read_npy(members[TEST_OUTPUT], TEST_OUTPUT)
    _check_shape(TEST_INPUT, patches, (None, card.optics.channels, card.patch_px, card.patch_px))
    _check_shape(TEST_OUTPUT, stated, (len(patches), len(PREDICTION_CHANNELS)))
    _compare(DEFOCUS_GRAPH, OnnxGraph(members[DEFOCUS_GRAPH], PATCHES, PREDICTION).run(patches), stated)


def _prove_importance(card: ModelCard, members: Mapping[str, bytes]) -> None:
    overview = read_npy(members[IMPORTANCE_TEST_INPUT], IMPORTANCE_TEST_INPUT)
    stated = read_npy(members[IMPORTANCE_TEST_OUTPUT], IMPORTANCE_TEST_OUTPUT)
    _check_shape(IMPORTANCE_TEST_INPUT, overview, (1, card.optics.channels, None, None))
    rows, columns = ((side * card.reduction - card.patch_px) // card.stride_px + 1 for side in overview.shape[2:])
    _check_shape(IMPORTANCE_TEST_OUTPUT, stated, (1, 1, rows, columns))
    _compare(IMPORTANCE_GRAPH, OnnxGraph(members[IMPORTANCE_GRAPH], OVERVIEW, IMPORTANCE).run(overview), stated)


def _prove_refocus(card: VirtualCard, members: Mapping[str, bytes]) -> None:
    shots = read_npy(members[TEST_INPUT], TEST_INPUT)
    stated = read_npy(members[TEST_OUTPUT], TEST_OUTPUT)
    channels = card.optics.channels
    _check_shape(TEST_INPUT, shots, (None, 2 * channels, None, None))
    _check_shape(TEST_OUTPUT, stated, (len(shots), channels + 1, *shots.shape[2:]))
    answer = OnnxGraph(members[REFOCUS_GRAPH], SHOTS, RECOVERED).run(shots)
    _compare(REFOCUS_GRAPH, answer, stated, LIGHT_TOLERANCE)


def read_npy(content: bytes, name: str) -> npt.NDArray[np.float32]:
    """A float32 array from the bytes of a ``.npy`` file; its header is checked before memory is taken for it.

    Raises
    ------
    InputError
        If it is anything else, or holds NaN or infinity.
    """
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"version {version}")
        shape, fortran, kind = np.lib.format.read_array_header_1_0(stream)
    except (ValueError, EOFError) as error:
        raise InputError(f"{name} is no array that can be read ({error}).") from error
    data = content[stream.tell() :]
    if kind != np.float32 or fortran or len(data) != 4 * int(np.prod(shape, dtype=object)):
        raise InputError(f"{name} is not the array of float32 that its header promises.")
    array = np.frombuffer(data, np.float32).reshape(shape)
    if not np.isfinite(array).all():
        raise InputError(f"{name} holds NaN or infinity.")
    return array


def _check_shape(name: str, array: npt.NDArray[Any], wanted: tuple[int | None, ...]) -> None:
    fits = array.ndim == len(wanted) and all(b in (None, a) for a, b in zip(array.shape, wanted, strict=True))
    if not fits or not array.size:
        spelled = " x ".join("any" if side is None else str(side) for side in wanted)
        raise InputError(f"{name} has shape {array.shape}, and the card asks for {spelled}.")


def _compare(name: str, answer: npt.NDArray[Any], stated: npt.NDArray[Any], allowed: float = TOLERANCE) -> None:
    if answer.shape != stated.shape:
        raise InputError(f"{name} answers its test with shape {answer.shape} instead of {stated.shape}.")
    difference = float(np.abs(answer - stated).max())
    if not difference <= allowed:  # also for NaN
        raise InputError(
            f"{name} answers its test differently from when it was written (by {difference:.3g}, allowed"
            f" {allowed:g}); update onnxruntime, or write the model again."
        )
