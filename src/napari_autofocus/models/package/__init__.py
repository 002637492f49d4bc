"""The model file: one zip in the bioimage.io model format 0.5 that says what a model is for and proves that it works.

Reading needs onnxruntime and no torch; writing (``writing.py``) needs torch and onnx. Nothing here is or reads a
pickle.
"""

from napari_autofocus.models.package.card import (
    CardOptics,
    ModelCard,
    NetworkCard,
    TrainingRecord,
)
from napari_autofocus.models.package.reading import ModelPackage, open_package

__all__ = ["CardOptics", "ModelCard", "ModelPackage", "NetworkCard", "TrainingRecord", "open_package"]
