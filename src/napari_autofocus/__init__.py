"""Learned autofocus for napari and Micro-Manager: find the content, say how far it is out of focus, move safely."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("napari-autofocus")
except PackageNotFoundError:  # running from a checkout that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
