"""Which libraries beyond the plain installation are there. Imports none of them."""

from __future__ import annotations

from importlib.util import find_spec

from napari_autofocus.errors import InputError

_TRAINING = ("torch", "onnx", "onnxscript")


def require_training() -> None:
    """Raise InputError, which says what to install, where a library that training takes is missing.

    Asked before hours of work: some are first needed when the finished model is written.
    """
    missing = [name for name in _TRAINING if find_spec(name) is None]
    if missing:
        raise InputError(
            f"Training takes {', '.join(missing)}, which is not installed here; pip install 'napari-autofocus[train]'."
        )


def require_tuning() -> None:
    """Raise InputError, which says what to install, where what tuning takes is missing."""
    missing = [name for name in ("torch", "ray", "pandas", "psutil") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"Tuning takes {', '.join(missing)}, which is not installed here; pip install 'napari-autofocus[tune]'."
        )
