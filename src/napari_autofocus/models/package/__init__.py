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
from napari_autofocus.models.package.reading import (
    AnyPackage,
    ModelPackage,
    VirtualPackage,
    kind_of_package,
    open_any_package,
    open_package,
    open_virtual_package,
)
from napari_autofocus.models.package.virtual_card import VirtualCard

__all__ = [
    "AnyPackage",
    "CardOptics",
    "ModelCard",
    "ModelPackage",
    "NetworkCard",
    "TrainingRecord",
    "VirtualCard",
    "VirtualPackage",
    "kind_of_package",
    "open_any_package",
    "open_package",
    "open_virtual_package",
]
