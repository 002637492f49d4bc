"""What we write, opened by others: OME-Zarr by zarr, dask, ome-zarr-py and bioio, OME-TIFF by tifffile and bioio.

    pip install ome-zarr==0.18.0 ome-zarr-models==1.7
    python examples/ome_zarr_elsewhere.py                          a stack, a scanned slide and a TIFF, made for this
    python examples/ome_zarr_elsewhere.py slide.zarr/recovered     images of your own

Tells what each reader says of shape, pixel size and z (µm), and whether the OME-Zarr metadata are valid.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import bioio_ome_tiff
import bioio_ome_zarr
import dask.array as da
import tifffile
import zarr
from bioio import BioImage
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models import open_ome_zarr

MADE_BY = (
    "acquire --positions random:1 --range-um 2 --step-um 1 --shape 256x320 --focus here --out stacks",
    "virtual-scan --area 2x1 --model tsva-20x --out slide.zarr",
    "simulate --stain he --fields 1 --range-um 2 --step-um 1 --out tiffs",
)
MADE = ("stacks/field_0000.zarr", "slide.zarr/recovered", "tiffs/he_dense_0000.ome.tif")


def told(reader: str, data: Any, **facts: float | None) -> None:
    """A line for each reader, with the mean grey value as proof that the pixels were read."""
    more = ", ".join(f"{name} {float(value):.4g}" for name, value in facts.items() if value is not None)
    print(f"  {reader}: shape {'x'.join(map(str, data.shape))}, mean {float(data.mean()):.3f}, {more}", flush=True)


def read_zarr(path: Path) -> None:
    """An OME-Zarr image by four readers and a validator."""
    group = zarr.open_group(path, mode="r")
    image = group.attrs["ome"]["multiscales"][0]
    axes = [axis["name"] for axis in image["axes"]]
    # How large a pixel is, and where the first one lies; acquisitions (MDA) state no place.
    steps = {step["type"]: step[step["type"]] for step in image["datasets"][0]["coordinateTransformations"]}
    size, place = (dict(zip(axes, steps.get(kind, ()), strict=False)) for kind in ("scale", "translation"))
    told("zarr", group["0"][:], y=size["y"], x=size["x"], z=size.get("z"), first_z=place.get("z"))
    told("dask", da.from_zarr(path / "0"), chunks=group["0"].nchunks)
    node = next(iter(Reader(parse_url(path))()))
    size = dict(zip(axes, node.metadata["coordinateTransformations"][0][0]["scale"], strict=True))
    told("ome-zarr", node.data[0], y=size["y"], x=size["x"], z=size.get("z"), levels=len(node.data))
    # Named, since bioio guesses by the ending, and the images inside of slide.zarr have none.
    read_by_bioio(BioImage(path, reader=bioio_ome_zarr.Reader))
    print(f"  ome-zarr-models: a valid {type(open_ome_zarr(group)).__name__}, version {group.attrs['ome']['version']}")


def read_by_bioio(image: BioImage) -> None:
    """Any image by bioio, as T, C, Z, Y, X (and S, the colours of a TIFF)."""
    told("bioio", image.dask_data, **dict(zip("zyx", image.physical_pixel_sizes, strict=True)))


def read_tiff(path: Path) -> None:
    """An OME-TIFF by two readers."""
    with tifffile.TiffFile(path) as file:
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
        told("tifffile", file.asarray(), **{axis.lower(): pixels[f"PhysicalSize{axis}"] for axis in "ZYX"})
    read_by_bioio(BioImage(path, reader=bioio_ome_tiff.Reader))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(name) for name in sys.argv[1:]] or [Path(folder) / name for name in MADE]
        for command in () if sys.argv[1:] else MADE_BY:
            subprocess.run([sys.executable, "-m", "napari_autofocus", *command.split()], cwd=folder, check=True)
        for each in paths:
            print(each.name, flush=True)
            (read_tiff if each.suffix == ".tif" else read_zarr)(each)
