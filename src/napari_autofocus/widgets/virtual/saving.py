"""A recovered image into a file that says that no camera took it, and of which shots it was made. No Qt."""

from __future__ import annotations

import re
from pathlib import Path

from napari_autofocus.io.virtual import write_virtual_image
from napari_autofocus.widgets.virtual.work import Recovered

SUFFIXES = "OME-TIFF (*.ome.tif *.tif);;PNG (*.png)"
_NOT_IN_NAMES = re.compile(r"[^\w.+−-]+")


def suggested_name(recovered: Recovered) -> str:
    """A file name that says that the image is virtual."""
    plain = _NOT_IN_NAMES.sub("_", recovered.pair.name).strip("_")
    return f"{plain}_virtual_{recovered.image.model}.ome.tif"


def save_recovered(path: Path, recovered: Recovered) -> Path:
    """Write the image with its origin. Raises InputError if the file cannot hold it or be written."""
    from napari_autofocus.workflows.virtual_images import origin_of  # slow to import, as what it compares with is

    image, first = recovered.image, recovered.seen[0]
    origin = origin_of(image, recovered.fingerprint, *(shot.name for shot in recovered.pair.shots))
    return write_virtual_image(
        path, image.image, origin, pixel_size_um=first.pixel_size_um, objective=recovered.objective
    )
