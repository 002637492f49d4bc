"""The ``rdf.yaml`` of a package, as the bioimage.io model format 0.5 asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_autofocus.models.package.card import ModelCard
from napari_autofocus.models.package.members import (
    ATTACHED,
    DEFOCUS_GRAPH,
    OUR_BLOCK,
    PATCHES,
    PREDICTION,
    PREDICTION_CHANNELS,
    README,
    TEST_INPUT,
    TEST_OUTPUT,
    checksum_of,
    sha256_of,
)

FORMAT_VERSION = "0.5.4"
AUTHOR = "napari-autofocus developers"
CITATIONS = [
    {"text": "Zhai et al., SparseFocus, Light: Advanced Manufacturing (2026)", "doi": "10.37188/lam.2026.009"},
]


def rdf_of(card: ModelCard, members: Mapping[str, bytes], *, opset: int) -> dict[str, Any]:
    """Everything that ``rdf.yaml`` says about a model whose other members are given."""
    hashes = {name: sha256_of(content) for name, content in members.items()}

    def file(name: str) -> dict[str, str]:
        return {"source": name, "sha256": hashes[name]}

    return {
        "format_version": FORMAT_VERSION,
        "type": "model",
        "name": card.name,
        "description": card.description,
        "authors": [{"name": AUTHOR}],
        "license": "BSD-3-Clause",
        "documentation": file(README),
        "cite": CITATIONS,
        "tags": ["autofocus", "defocus", "microscopy", "2d", *card.stains],
        "timestamp": f"{card.training.finished.isoformat()}T00:00:00+00:00",
        "inputs": [_patches(card, file(TEST_INPUT))],
        "outputs": [_prediction(file(TEST_OUTPUT))],
        "weights": {"onnx": {**file(DEFOCUS_GRAPH), "opset_version": opset}},
        "attachments": [file(name) for name in ATTACHED],
        "config": {OUR_BLOCK: our_block(card, hashes)},
    }


def our_block(card: ModelCard, hashes: Mapping[str, str]) -> dict[str, Any]:
    """The card, the hashes of all other members, and a checksum over both."""
    block = {**card.to_dict(), "files": dict(sorted(hashes.items()))}
    return {**block, "checksum": checksum_of(block)}


def _patches(card: ModelCard, test_tensor: dict[str, str]) -> dict[str, Any]:
    names = ["red", "green", "blue"] if card.optics.colour == "rgb" else ["grey"]
    side = {"type": "space", "size": card.patch_px, "unit": "micrometer", "scale": card.optics.pixel_size_um}
    return {
        "id": PATCHES,
        "description": f"Square parts of a camera frame, at most {card.selection.most_patches} at a time.",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": names},
            {**side, "id": "y"},
            {**side, "id": "x"},
        ],
        "data": {"type": "float32", "range": [0.0, 1.0]},
        "test_tensor": test_tensor,
    }


def _prediction(test_tensor: dict[str, str]) -> dict[str, Any]:
    return {
        "id": PREDICTION,
        "description": "For each patch: defocus, its standard uncertainty, probability that it is positive.",
        "axes": [{"type": "batch"}, {"type": "channel", "channel_names": list(PREDICTION_CHANNELS)}],
        "data": {"type": "float32"},
        "test_tensor": test_tensor,
    }
