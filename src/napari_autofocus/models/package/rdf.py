"""The ``rdf.yaml`` of a package, as the bioimage.io model format 0.5 asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_autofocus.models.package.card import ModelCard
from napari_autofocus.models.package.members import (
    LAYOUTS,
    OUR_BLOCK,
    PATCHES,
    PREDICTION,
    PREDICTION_CHANNELS,
    README,
    RECOVERED,
    SHOTS,
    TEST_INPUT,
    TEST_OUTPUT,
    checksum_of,
    sha256_of,
)
from napari_autofocus.models.package.virtual_card import VirtualCard

FORMAT_VERSION = "0.5.4"
AUTHOR = "napari-autofocus developers"
_SPARSE_FOCUS = {
    "text": "Zhai et al., SparseFocus, Light: Advanced Manufacturing (2026)",
    "doi": "10.37188/lam.2026.009",
}
_TWO_SHOTS = {
    "text": "Rai Dastidar, Automated focus distance estimation for digital microscopy using deep convolutional neural"
    " networks, CVPR workshops (2019)",
    "url": "https://openaccess.thecvf.com/CVPR2019_workshops",
}
_TSVA = {
    "text": "Li et al., Deep learning based two-shot virtual autofocus, arXiv:2003.06630 (2020)",
    "url": "https://arxiv.org/abs/2003.06630",
}
CITATIONS = {"one-shot": [_SPARSE_FOCUS], "two-shot": [_TWO_SHOTS, _SPARSE_FOCUS], "virtual": [_TSVA]}
"""By the kind on the card."""


def rdf_of(card: ModelCard | VirtualCard, members: Mapping[str, bytes], *, opset: int) -> dict[str, Any]:
    """Everything that ``rdf.yaml`` says about a model whose other members are given."""
    hashes = {name: sha256_of(content) for name, content in members.items()}
    layout = LAYOUTS[card.kind]

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
        "cite": CITATIONS[card.kind],
        "tags": ["autofocus", "defocus", "microscopy", "2d", *card.stains],
        "timestamp": f"{card.training.finished.isoformat()}T00:00:00+00:00",
        "inputs": [_input(card, file(TEST_INPUT))],
        "outputs": [_output(card, file(TEST_OUTPUT))],
        "weights": {"onnx": {**file(layout.graph), "opset_version": opset}},
        "attachments": [file(name) for name in layout.attached],
        "config": {OUR_BLOCK: our_block(card, hashes)},
    }


def our_block(card: ModelCard | VirtualCard, hashes: Mapping[str, str]) -> dict[str, Any]:
    """The card, the hashes of all other members, and a checksum over both."""
    block = {**card.to_dict(), "files": dict(sorted(hashes.items()))}
    return {**block, "checksum": checksum_of(block)}


def _input(card: ModelCard | VirtualCard, test_tensor: dict[str, str]) -> dict[str, Any]:
    """What the graph takes."""
    if isinstance(card, VirtualCard):
        names = [f"{shot} {name}" for shot in ("one shot", "other shot") for name in _colours(card)]
        return {
            "id": SHOTS,
            "description": "Two shots of one field in any order, sides in whole strides.",
            "axes": [{"type": "batch"}, {"type": "channel", "channel_names": names}, *_sides(card)],
            "data": {"type": "float32", "range": [0.0, 1.0]},
            "test_tensor": test_tensor,
        }
    two = card.kind == "two-shot"
    what = "of the filtered difference of two shots" if two else "of a camera frame"
    side = {"type": "space", "size": card.patch_px, "unit": "micrometer", "scale": card.optics.pixel_size_um}
    return {
        "id": PATCHES,
        "description": f"Square parts {what}, at most {card.selection.most_patches} at a time.",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "channel_names": _colours(card)},
            {**side, "id": "y"},
            {**side, "id": "x"},
        ],
        "data": {"type": "float32", "range": [-1.0 if two else 0.0, 1.0]},
        "test_tensor": test_tensor,
    }


def _output(card: ModelCard | VirtualCard, test_tensor: dict[str, str]) -> dict[str, Any]:
    """What the graph gives."""
    if isinstance(card, VirtualCard):
        return {
            "id": RECOVERED,
            "description": "The image in focus, and the standard deviation that is expected of a pixel.",
            "axes": [
                {"type": "batch"},
                {"type": "channel", "channel_names": [*_colours(card), "uncertainty"]},
                *({**side, "size": {"tensor_id": SHOTS, "axis_id": side["id"]}} for side in _sides(card)),
            ],
            "data": {"type": "float32"},
            "test_tensor": test_tensor,
        }
    return {
        "id": PREDICTION,
        "description": "For each patch: defocus, its standard uncertainty, probability that it is positive.",
        "axes": [{"type": "batch"}, {"type": "channel", "channel_names": list(PREDICTION_CHANNELS)}],
        "data": {"type": "float32"},
        "test_tensor": test_tensor,
    }


def _colours(card: ModelCard | VirtualCard) -> list[str]:
    return ["red", "green", "blue"] if card.optics.colour == "rgb" else ["grey"]


def _sides(card: VirtualCard) -> list[dict[str, Any]]:
    size = {"min": 2 * card.stride_px, "step": card.stride_px}
    side = {"type": "space", "size": size, "unit": "micrometer", "scale": card.optics.pixel_size_um}
    return [{**side, "id": "y"}, {**side, "id": "x"}]
