"""Writing a model's package: whole or not at all, the same bytes every time, and opened once before it counts."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from napari_autofocus.files import replacing
from napari_autofocus.models.package.archive import write_archive
from napari_autofocus.models.package.card import ModelCard
from napari_autofocus.models.package.export import (
    OPSET,
    ExportedNetwork,
    export_defocus,
    export_importance,
    export_refocus,
)
from napari_autofocus.models.package.members import (
    DEFOCUS_GRAPH,
    DEFOCUS_WEIGHTS,
    IMPORTANCE_GRAPH,
    IMPORTANCE_TEST_INPUT,
    IMPORTANCE_TEST_OUTPUT,
    IMPORTANCE_WEIGHTS,
    RDF,
    README,
    REFOCUS_GRAPH,
    REFOCUS_WEIGHTS,
    TEST_INPUT,
    TEST_OUTPUT,
    TRAINING,
)
from napari_autofocus.models.package.plain_yaml import write_yaml
from napari_autofocus.models.package.rdf import rdf_of
from napari_autofocus.models.package.reading import (
    ModelPackage,
    VirtualPackage,
    open_any_package,
    open_package,
    open_virtual_package,
)
from napari_autofocus.models.package.readme import readme_of
from napari_autofocus.models.package.virtual_card import VirtualCard


def write_package(
    path: Path | str,
    card: ModelCard,
    *,
    defocus: nn.Module,
    importance: nn.Module,
    history: Mapping[str, Any] | None = None,
    half: bool = True,
) -> ModelPackage:
    """Write a model as one file and open it again, which proves that it works.

    Parameters
    ----------
    path : path-like
        File to write; it is replaced only by a package that opens.
    card : ModelCard
        What is said about the model.
    defocus : torch.nn.Module
        Patches (N, C, S, S) to predictions (N, 3), as in :mod:`napari_autofocus.models.defocus`. It is not changed.
    importance : torch.nn.Module
        Overview (1, C, h, w) to importance (1, 1, rows, columns).
    history : mapping, optional
        The training's own record, JSON values, kept in ``training.json``.
    half : bool
        Round weights to half precision; the file is smaller by a quarter.

    Raises
    ------
    InputError
        If the file cannot be written, or the written package does not answer as the networks do.
    """
    exported = export_defocus(defocus, card, half=half), export_importance(importance, card, half=half)
    _write(Path(path), card, {**_members(*exported), TRAINING: _training(card, history)})
    return open_package(path, kind=card.kind)


def write_virtual_package(
    path: Path | str,
    card: VirtualCard,
    *,
    network: nn.Module,
    history: Mapping[str, Any] | None = None,
    half: bool = True,
) -> VirtualPackage:
    """Write a virtual refocuser as one file and open it again, as :func:`write_package` does.

    Parameters
    ----------
    network : torch.nn.Module
        Pairs of shots (N, 2C, Y, X) to images and uncertainties (N, C + 1, Y, X), as in
        :mod:`napari_autofocus.models.tsva`. It is not changed.
    path, card, history, half
        As for :func:`write_package`.

    Raises
    ------
    InputError
        If the file cannot be written, or the written package does not answer as the network does.
    """
    exported = export_refocus(network, card, half=half)
    members = {
        REFOCUS_GRAPH: exported.graph,
        REFOCUS_WEIGHTS: exported.weights,
        TEST_INPUT: _npy(exported.test_input),
        TEST_OUTPUT: _npy(exported.test_output),
        TRAINING: _training(card, history),
    }
    _write(Path(path), card, members)
    return open_virtual_package(path)


def with_card(package: ModelPackage, path: Path | str, card: ModelCard) -> ModelPackage:
    """Write a package's graphs and weights under another card, as after a calibration; nothing is exported again.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    kept = {name: content for name, content in package.members.items() if name not in (RDF, README)}
    _write(Path(path), card, kept)
    return open_package(path, kind=card.kind)


def with_virtual_card(package: VirtualPackage, path: Path | str, card: VirtualCard) -> VirtualPackage:
    """The same of a virtual refocuser, as once it has been measured."""
    kept = {name: content for name, content in package.members.items() if name not in (RDF, README)}
    _write(Path(path), card, kept)
    return open_virtual_package(path)


def _write(path: Path, card: ModelCard | VirtualCard, members: Mapping[str, bytes]) -> None:
    """Write the file; it takes its name once it opens."""
    members = {README: readme_of(card).encode(), **members}
    with replacing(path) as temporary:
        write_archive(temporary, {RDF: write_yaml(rdf_of(card, members, opset=OPSET)), **members})
        open_any_package(temporary)


def _training(card: ModelCard | VirtualCard, history: Mapping[str, Any] | None) -> bytes:
    return _json({"record": card.training.model_dump(mode="json"), "history": dict(history or {})})


def _members(defocus: ExportedNetwork, importance: ExportedNetwork) -> dict[str, bytes]:
    return {
        DEFOCUS_GRAPH: defocus.graph,
        IMPORTANCE_GRAPH: importance.graph,
        DEFOCUS_WEIGHTS: defocus.weights,
        IMPORTANCE_WEIGHTS: importance.weights,
        TEST_INPUT: _npy(defocus.test_input),
        TEST_OUTPUT: _npy(defocus.test_output),
        IMPORTANCE_TEST_INPUT: _npy(importance.test_input),
        IMPORTANCE_TEST_OUTPUT: _npy(importance.test_output),
    }


def _npy(array: npt.NDArray[np.float32]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False).encode()
