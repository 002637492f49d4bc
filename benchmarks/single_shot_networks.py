"""The model of a benchmark, and its defocus network without the importance stage, to compare with."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np

from napari_autofocus.models.library import find_model
from napari_autofocus.models.package import ModelPackage, open_package
from napari_autofocus.models.predictor import ModelPredictor, every_patch
from napari_autofocus.models.seeing.engines import OnnxEngine

BASELINES = ("mean of all patches", "median of all patches", "whole image resized")


def package_of(model: str) -> ModelPackage:
    """A model's package, by its name or file."""
    return open_package(find_model(model))


def fingerprint(path: Path) -> str:
    """The first half of the file's SHA-256: answers of other weights are never mixed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


def predictor_of(package: ModelPackage, threads: int) -> ModelPredictor:
    """The model on so many threads of onnxruntime."""
    return ModelPredictor(package, OnnxEngine(package, threads=threads))


def baselines(predictor: ModelPredictor, image: np.ndarray) -> dict[str, float]:
    """Defocus of a frame by the defocus network alone, µm, by each of :data:`BASELINES`."""
    read = predictor.variant(choose=every_patch).estimate(image, insist=True).chosen_patches
    patches = np.array([patch.defocus_um for patch in read])
    size = predictor.card.patch_px
    resized = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    planes = np.moveaxis(np.atleast_3d(resized), 2, 0)[None]
    whole = predictor.engine.predict(np.ascontiguousarray(planes, np.float32) / np.iinfo(image.dtype).max)
    values = float(patches.mean()), float(np.median(patches)), float(whole[0, 0])
    return dict(zip(BASELINES, values, strict=True))
