"""OME-XML, as far as a z-stack needs it: z of each plane, pixel size, objective, channels, focus direction."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from napari_autofocus.errors import InputError
from napari_autofocus.io.lazy import FloatArray, even_steps, to_um
from napari_autofocus.optics import Objective

NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
ANNOTATION = "napari-autofocus"
_IMMERSIONS = {"Air": "air", "Water": "water", "WaterDipping": "water", "Oil": "oil", "Glycerol": "glycerol"}
_TYPES = {"float32": "float", "float64": "double"}
WRITABLE = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")


@dataclass(frozen=True)
class OmeImage:
    """One Image of an OME-XML document."""

    name: str
    pixel_size_um: float | None
    step_um: float | None
    position_um: dict[tuple[int, int], float] = field(default_factory=dict)  # by channel and z number
    channels: tuple[str, ...] = ()
    objective: Objective | None = None
    focus_direction: int = 1

    def z_um(self, channel: int, count: int) -> FloatArray | None:
        """Position of each plane of a channel, µm: as stated for each, else from the z step, else None."""
        stated = [self.position_um.get((channel, z)) for z in range(count)]
        positions = [z for z in stated if z is not None]
        # Some writers repeat the stage's z on every plane: then the positions say nothing about the planes.
        if len(positions) == count and (len(set(positions)) > 1 or count == 1):
            return np.array(positions, np.float64)
        return None if self.step_um is None else even_steps(count, self.step_um)


def parse_ome(xml: str) -> list[OmeImage]:
    """Every Image of the document, in its order. Raises ET.ParseError (a SyntaxError) if it is not XML."""
    root = ET.fromstring(xml)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]  # the namespace changes with each version of the schema
    objectives = {element.get("ID"): element for element in root.iter("Objective")}
    own = _own_annotation(root)
    return [_image(element, objectives, own) for element in root.iter("Image")]


def _own_annotation(root: ET.Element) -> dict[str, str]:
    for annotation in root.iter("MapAnnotation"):
        if annotation.get("Namespace") == ANNOTATION:
            return {entry.get("K", ""): entry.text or "" for entry in annotation.iter("M")}
    return {}


def _image(image: ET.Element, objectives: dict[str | None, ET.Element], own: dict[str, str]) -> OmeImage:
    pixels = image.find("Pixels")
    if pixels is None:
        return OmeImage(image.get("Name", ""), None, None)
    settings = image.find("ObjectiveSettings")
    lens = objectives.get(settings.get("ID")) if settings is not None else None
    pixel_size_um = _square_pixel_um(pixels)
    return OmeImage(
        name=image.get("Name", ""),
        pixel_size_um=pixel_size_um,
        step_um=_positive(_length_um(pixels, "PhysicalSizeZ")),
        position_um=_positions_um(pixels),
        channels=tuple(channel.get("Name") or "" for channel in pixels.findall("Channel")),
        objective=_objective(lens, pixel_size_um, own),
        focus_direction=-1 if own.get("focus_direction") == "-1" else 1,
    )


def _length_um(element: ET.Element, attribute: str) -> float | None:
    return to_um(element.get(attribute), element.get(f"{attribute}Unit", "µm"))


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None


def _square_pixel_um(pixels: ET.Element) -> float | None:
    """Size of a pixel, µm; None where it is not stated, or differs between x and y."""
    x, y = _positive(_length_um(pixels, "PhysicalSizeX")), _positive(_length_um(pixels, "PhysicalSizeY"))
    return x if x is not None and (y is None or math.isclose(x, y, rel_tol=0.01)) else None


def _positions_um(pixels: ET.Element) -> dict[tuple[int, int], float]:
    positions = {}
    for plane in pixels.findall("Plane"):
        z_um = _length_um(plane, "PositionZ")
        if z_um is not None and plane.get("TheT", "0") == "0":
            positions[int(plane.get("TheC", "0")), int(plane.get("TheZ", "0"))] = z_um
    return positions


def _objective(lens: ET.Element | None, pixel_size_um: float | None, own: dict[str, str]) -> Objective | None:
    """The objective where magnification and NA are stated and possible, else None."""
    if lens is None:
        return None
    immersion = own.get("immersion") or _IMMERSIONS.get(lens.get("Immersion", ""), "air")
    try:
        magnification, na = float(lens.get("NominalMagnification", "")), float(lens.get("LensNA", ""))
        if "camera_pixel_um" in own:
            stated = float(own["stated_dof_um"]) if "stated_dof_um" in own else None
            return Objective(magnification, na, immersion, float(own["camera_pixel_um"]), stated)
        return Objective.parse(f"{magnification:g}x/{na:g} {immersion}", pixel_size_um=pixel_size_um)
    except (ValueError, InputError):
        return None


@dataclass(frozen=True)
class OmeDescription:
    """All that the OME-XML of a stack to be written says.

    Parameters
    ----------
    shape : tuple of int
        (Z, Y, X) or (Z, Y, X, C).
    z_um : np.ndarray, shape (Z,)
        Position of each plane, µm; empty where nobody knows it.
    text : str
        What the image is, for people.
    entries : mapping of str
        What else programs of ours want to know, by name.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    z_um: FloatArray
    pixel_size_um: float | None
    objective: Objective | None
    focus_direction: int
    text: str = ""
    entries: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def entries_in(xml: str) -> dict[str, str]:
        """The entries of a document that this program wrote; empty of any other."""
        root = ET.fromstring(xml)
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return _own_annotation(root)

    def to_xml(self) -> bytes:
        """The document, in ASCII (µ escaped), as TIFF's description wants it."""
        root = ET.Element("OME", {"xmlns": NAMESPACE, "Creator": "napari-autofocus"})
        if self.objective is not None:
            self._add_instrument(root, self.objective)
        image = ET.SubElement(root, "Image", ID="Image:0", Name=self.name)
        if self.text:
            ET.SubElement(image, "Description").text = self.text
        if self.objective is not None:
            ET.SubElement(image, "InstrumentRef", ID="Instrument:0")
            ET.SubElement(image, "ObjectiveSettings", ID="Objective:0:0")
        self._add_pixels(image)
        ET.SubElement(image, "AnnotationRef", ID="Annotation:0")
        self._add_annotation(root)
        document: bytes = ET.tostring(root, xml_declaration=True, encoding="us-ascii")
        return document

    def _add_instrument(self, root: ET.Element, objective: Objective) -> None:
        immersion = {name: ome for ome, name in _IMMERSIONS.items() if ome != "WaterDipping"}
        ET.SubElement(
            ET.SubElement(root, "Instrument", ID="Instrument:0"),
            "Objective",
            ID="Objective:0:0",
            NominalMagnification=repr(float(objective.magnification)),
            LensNA=repr(float(objective.na)),
            Immersion=immersion.get(objective.immersion, "Other"),
        )

    def _add_pixels(self, image: ET.Element) -> None:
        planes, height, width = self.shape[:3]
        samples = str(self.shape[3] if len(self.shape) == 4 else 1)
        pixels = ET.SubElement(image, "Pixels", self._sizes(), ID="Pixels:0", DimensionOrder="XYCZT", SizeC=samples)
        pixels.attrib |= {"SizeX": str(width), "SizeY": str(height), "SizeZ": str(planes), "SizeT": "1"}
        pixels.set("Type", _TYPES.get(self.dtype.name, self.dtype.name))
        ET.SubElement(pixels, "Channel", ID="Channel:0:0", SamplesPerPixel=samples)
        ET.SubElement(pixels, "TiffData", IFD="0", PlaneCount=str(planes))
        for number, z_um in enumerate(self.z_um):
            position = {"PositionZ": repr(float(z_um)), "PositionZUnit": "µm"}
            ET.SubElement(pixels, "Plane", position, TheZ=str(number), TheC="0", TheT="0")

    def _sizes(self) -> dict[str, str]:
        sizes = {"X": self.pixel_size_um, "Y": self.pixel_size_um, "Z": regular_step_um(self.z_um)}
        known = {f"PhysicalSize{axis}": repr(float(size)) for axis, size in sizes.items() if size is not None}
        return known | {f"{name}Unit": "µm" for name in known}

    def _add_annotation(self, root: ET.Element) -> None:
        annotations = ET.SubElement(root, "StructuredAnnotations")
        annotation = ET.SubElement(annotations, "MapAnnotation", ID="Annotation:0", Namespace=ANNOTATION)
        values = ET.SubElement(annotation, "Value")
        entries: dict[str, object] = {"focus_direction": self.focus_direction}
        if self.objective is not None:
            entries |= {
                "immersion": self.objective.immersion,
                "camera_pixel_um": repr(float(self.objective.camera_pixel_um)),
            }
            if self.objective.stated_dof_um is not None:
                entries["stated_dof_um"] = repr(float(self.objective.stated_dof_um))
        for key, value in (entries | dict(self.entries)).items():
            ET.SubElement(values, "M", K=key).text = str(value)


def regular_step_um(z_um: FloatArray) -> float | None:
    """The distance between planes, µm, if it is the same (within 0.1 %) everywhere, else None."""
    steps = np.diff(z_um)
    if not steps.size or not np.allclose(steps, steps.mean(), rtol=1e-3, atol=0):
        return None
    return float(steps.mean())
