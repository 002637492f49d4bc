"""Learned autofocus for napari and Micro-Manager: find the content, say how far it is out of focus, move safely."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from napari_autofocus.models.pair_predictor import load_pair_model
    from napari_autofocus.models.predictor import load_model
    from napari_autofocus.models.refocuser import VirtualImage, VirtualRefocuser, load_refocuser

__all__ = ["VirtualImage", "VirtualRefocuser", "__version__", "load_model", "load_pair_model", "load_refocuser"]

_PLACES = {
    "load_model": "predictor",
    "load_pair_model": "pair_predictor",
    "load_refocuser": "refocuser",
    "VirtualImage": "refocuser",
    "VirtualRefocuser": "refocuser",
}


def __getattr__(name: str) -> Any:
    """The version and what opens models, found when they are asked for: importing this package stays quick."""
    if name == "__version__":
        return _version()
    if name in _PLACES:
        return getattr(importlib.import_module(f"napari_autofocus.models.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("napari-autofocus")
    except PackageNotFoundError:  # running from a checkout that was never installed
        return "0+unknown"
