"""What lies in a package, under which names, and the checksums that tell whether it is still what was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RDF = "rdf.yaml"
README = "README.md"
TRAINING = "training.json"
DEFOCUS_GRAPH = "defocus.onnx"
IMPORTANCE_GRAPH = "importance.onnx"
DEFOCUS_WEIGHTS = "defocus.safetensors"
IMPORTANCE_WEIGHTS = "importance.safetensors"
TEST_INPUT = "test_input.npy"
TEST_OUTPUT = "test_output.npy"
IMPORTANCE_TEST_INPUT = "importance_test_input.npy"
IMPORTANCE_TEST_OUTPUT = "importance_test_output.npy"
REFOCUS_GRAPH = "refocus.onnx"
REFOCUS_WEIGHTS = "refocus.safetensors"


@dataclass(frozen=True)
class Layout:
    """The members of a kind of package.

    Parameters
    ----------
    graph : str
        The graph that other software runs.
    attached : tuple of str
        Members that the bioimage.io format has no entry of its own for.
    """

    graph: str
    attached: tuple[str, ...]

    @property
    def required(self) -> tuple[str, ...]:
        """Every member but the ``rdf.yaml``."""
        return (self.graph, *self.attached, TEST_INPUT, TEST_OUTPUT, README)


_FOCUS = Layout(
    DEFOCUS_GRAPH,
    (
        IMPORTANCE_GRAPH,
        DEFOCUS_WEIGHTS,
        IMPORTANCE_WEIGHTS,
        IMPORTANCE_TEST_INPUT,
        IMPORTANCE_TEST_OUTPUT,
        TRAINING,
    ),
)
LAYOUTS = {
    "one-shot": _FOCUS,
    "two-shot": _FOCUS,
    "virtual": Layout(REFOCUS_GRAPH, (REFOCUS_WEIGHTS, TRAINING)),
}
"""By the kind on the card."""

OUR_BLOCK = "napari_autofocus"
"""Key under ``config`` of ``rdf.yaml`` that holds the card, the members' hashes and the card's checksum."""
PATCHES, PREDICTION = "patches", "prediction"
OVERVIEW, IMPORTANCE = "overview", "importance"
SHOTS, RECOVERED = "shots", "recovered"
PREDICTION_CHANNELS = ("defocus_um", "uncertainty_um", "positive")


def sha256_of(content: bytes) -> str:
    """SHA-256 of a member, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def checksum_of(block: Mapping[str, Any]) -> str:
    """SHA-256 of our block but for its own checksum: it betrays a changed card, though not a forged one."""
    content = {key: value for key, value in block.items() if key != "checksum"}
    return sha256_of(json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())
