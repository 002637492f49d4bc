"""Learned autofocus for napari and Micro-Manager: find the content, say how far it is out of focus, move safely."""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_autofocus.models.predictor import load_model

try:
    __version__ = version("napari-autofocus")
except PackageNotFoundError:  # running from a checkout that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__", "load_model"]


def __getattr__(name: str) -> Any:
    """``load_model``, loaded when it is asked for: importing this package stays quick."""
    if name == "load_model":
        from napari_autofocus.models.predictor import load_model

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
