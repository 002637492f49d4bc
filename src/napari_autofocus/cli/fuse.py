"""``napari-autofocus fuse``: an all-in-focus image and a depth map of any z-stack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_autofocus.cli.parts.file_options import IN_FILES, StackChannel, StepUm, parse_channel
from napari_autofocus.cli.parts.output import print_json, reserved_stdout
from napari_autofocus.cli.parts.progress import progress_bar
from napari_autofocus.errors import InputError
from napari_autofocus.steps import run_to_end

if TYPE_CHECKING:
    from napari_autofocus.workflows.fusing import FusedStack

OUTPUT = "Output"


def fuse(
    stack: Annotated[
        Path,
        typer.Argument(help="Z-stack: OME-TIFF, TIFF, OME-Zarr, a Micro-Manager data set or a folder of planes."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Image to write (.ome.tif, .tif, .png, .jpg).", rich_help_panel=OUTPUT),
    ] = None,
    depth: Annotated[
        Path | None,
        typer.Option(
            help="Depth map to write (.ome.tif): z at which each pixel is sharpest, in µm; NaN where that cannot be"
            " told.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    least_sure: Annotated[
        float,
        typer.Option(
            help="Confidence from which a depth is told, 0 to 1; seven or more planes of noise stay below 0.4.",
            rich_help_panel=OUTPUT,
        ),
    ] = 0.4,
    register: Annotated[
        bool, typer.Option("--register/--no-register", help="Take out what the planes have moved sideways.")
    ] = True,
    step_um: StepUm = None,
    channel: StackChannel = None,
    pixel_um: Annotated[
        float | None, typer.Option("--pixel-um", help="Size of a pixel in the sample, in µm.", rich_help_panel=IN_FILES)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of words.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Make one image that is sharp everywhere of a z-stack, and a map of the z at which each part of it is sharp.

    Every part comes from the planes in which it is sharpest, blended scale by scale so that no seam shows. No camera
    took the result, and the files say so. Where two things lie over each other in the light's way, no image of the
    stack shows one without the blur of the other, and none can be made of it.

    Examples:

        napari-autofocus fuse fold.ome.tif -o fold_sharp.ome.tif --depth fold_depth.ome.tif
        napari-autofocus fuse planes/ --step-um 0.5 -o sharp.png --json
    """
    from napari_autofocus.io.fused import check_depth_path
    from napari_autofocus.io.stacks import check_opening, open_stack
    from napari_autofocus.io.virtual import check_image_path
    from napari_autofocus.workflows.fusing import FuseSettings, fuse_stack, write_fused

    if out is None:
        raise InputError("Say where the image goes, as in -o sharp.ome.tif.")
    with reserved_stdout(as_json):
        check_image_path(out)
        if depth is not None:
            check_depth_path(depth)
        check_opening(step_um, None)
        settings = FuseSettings(register=register, least_sure=least_sure)
        opened = open_stack(stack, step_um=step_um, channel=parse_channel(channel), pixel_size_um=pixel_um)
        with progress_bar("reading") as advance:
            found = run_to_end(fuse_stack(opened, settings), lambda step: advance(step.done, step.total, step.phase))
        write_fused(out, found, depth)
        if as_json:
            written = {"output": str(out), "depth": None if depth is None else str(depth)}
            print_json({**written, **found.to_json()})
    if not as_json:
        for line in _words(found, out, depth):
            typer.echo(line)


def _words(found: FusedStack, out: Path, depth: Path | None) -> list[str]:
    lines = [f"{out}: {len(found.z_um)} planes fused in {found.seconds:.1f} s (no camera took it)"]
    if found.reach_um is not None:
        low, high = found.reach_um
        lines.append(f"  sharp from z {low:.2f} to {high:.2f} µm, told of {found.told:.0%} of the pixels")
    if found.aligned is not None and found.aligned.largest_px > 0:
        lines.append(f"  planes had moved sideways by up to {found.aligned.largest_px:.1f} px; that was taken out")
    if depth is not None:
        lines.append(f"  depth map: {depth}")
    return lines + [f"  Warning: {text}" for text in found.warnings]
