"""Stage positions in OME metadata: one for each image, from its planes or its stage label."""

from __future__ import annotations

import statistics
import xml.etree.ElementTree as ET
from pathlib import Path

from napari_autofocus.errors import InputError
from napari_autofocus.io.care.tiff_opening import opened_tiff
from napari_autofocus.io.lazy import to_um
from napari_autofocus.io.ome import NAMESPACE
from napari_autofocus.io.positions import Position, Positions
from napari_autofocus.io.reading import reading


def read_xml(path: Path) -> Positions:
    """Positions in an OME-XML document. Raises InputError if there are none."""
    with reading(path, "OME-XML"):
        return _positions(path, path.read_bytes())


def read_tiff(path: Path) -> Positions:
    """Positions in the OME-XML of a TIFF. Raises InputError if there are none."""
    with reading(path, "an OME-TIFF"):
        with opened_tiff(path) as tif:
            xml = tif.ome_metadata
        if xml is None:
            raise ValueError("it carries no OME metadata")
        return _positions(path, xml)


def _positions(path: Path, xml: str | bytes) -> Positions:
    root = ET.fromstring(xml)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]  # the namespace changes with each version of the schema
    images = list(root.iter("Image"))
    found = [position for image in images if (position := _position(image)) is not None]
    if len(found) < len(images) or not images:
        raise InputError(
            f"{path}: {len(images) - len(found)} of {len(images)} images do not say where the stage stood, in a unit of"
            " length; take a list of positions instead."
        )
    return Positions(tuple(found))


def _position(image: ET.Element) -> Position | None:
    """Of the planes, the middle one in z; otherwise of the stage label."""
    name = image.get("Name", "")
    at = {axis: [_um(plane, f"Position{axis}") for plane in image.iter("Plane")] for axis in "XYZ"}
    label = image.find("StageLabel")
    middle: dict[str, float | None] = {}
    for axis, values in at.items():
        known = [value for value in values if value is not None]
        told = None if label is None else _um(label, axis)
        middle[axis] = statistics.median_low(known) if known else told
    if middle["X"] is None or middle["Y"] is None:
        return None
    return Position(middle["X"], middle["Y"], middle["Z"], name)


def _um(element: ET.Element, attribute: str) -> float | None:
    """Many writers leave the unit out and mean µm, although the schema then means no unit at all."""
    return to_um(element.get(attribute), element.get(f"{attribute}Unit", "µm"))


def written(positions: Positions) -> str:
    """A document of metadata only: an image of one pixel for each position."""
    root = ET.Element("OME", {"xmlns": NAMESPACE, "Creator": "napari-autofocus"})
    for number, position in enumerate(positions.positions):
        _add_image(root, number, position)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode")


def _add_image(root: ET.Element, number: int, position: Position) -> None:
    image = ET.SubElement(root, "Image", ID=f"Image:{number}", Name=position.name)
    sizes = {f"Size{axis}": "1" for axis in "XYZCT"}
    pixels = ET.SubElement(image, "Pixels", sizes, ID=f"Pixels:{number}", DimensionOrder="XYZCT", Type="uint8")
    ET.SubElement(pixels, "Channel", ID=f"Channel:{number}:0", SamplesPerPixel="1")
    ET.SubElement(pixels, "MetadataOnly")
    values = {"X": position.x_um, "Y": position.y_um, "Z": position.z_um}
    known = {f"Position{axis}": value for axis, value in values.items() if value is not None}
    told = {key: repr(float(value)) for key, value in known.items()} | {f"{key}Unit": "µm" for key in known}
    ET.SubElement(pixels, "Plane", told, TheZ="0", TheC="0", TheT="0")
    label = {axis: repr(float(value)) for axis, value in values.items() if value is not None}
    units = {f"{axis}Unit": "µm" for axis in label}
    ET.SubElement(image, "StageLabel", label | units, Name=position.name or f"Pos{number:03d}")
