"""``napari-autofocus simulate``: z-stacks of a simulated slide with their truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_autofocus.cli.parts.options import SLIDE, Density, Stain, parse_shape
from napari_autofocus.cli.parts.output import print_json, reserved_stdout, say
from napari_autofocus.cli.parts.progress import progress_bar
from napari_autofocus.steps import run_to_end

if TYPE_CHECKING:
    from napari_autofocus.workflows.simulate import PlaneRendered, SimulatedStack
    from napari_autofocus.workflows.simulation_settings import SimulationSettings

STACK = "Z-stack"
MICROSCOPE = "Microscope"


def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write to; made if need be, and never mixed with other files.")],
    stain: Stain = "he",
    density: Density = "dense",
    topography: Annotated[
        str | None,
        typer.Option(
            help="flat, slight (1 µm per mm of tilt, the default), tilted (5 µm per mm), wavy, folded or thick.",
            rich_help_panel=SLIDE,
        ),
    ] = None,
    tilt: Annotated[
        tuple[float, float] | None,
        typer.Option(
            help="Slope along x and along y, in µm per mm, instead of the topography's own.", rich_help_panel=SLIDE
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Same seed, same files: slide, places, focus offsets and noise.", rich_help_panel=SLIDE)
    ] = 0,
    fields: Annotated[
        int, typer.Option(help="Number of z-stacks, at random places of one slide.", rich_help_panel=STACK)
    ] = 20,
    range_um: Annotated[
        float, typer.Option("--range-um", help="Planes reach from minus to plus this, in µm.", rich_help_panel=STACK)
    ] = 10.0,
    step_um: Annotated[
        float, typer.Option("--step-um", help="Distance of neighbouring planes, in µm.", rich_help_panel=STACK)
    ] = 0.5,
    start_offsets: Annotated[
        bool,
        typer.Option(
            "--start-offsets",
            help="Shift the planes of successive stacks by -1/3, 0 and +1/3 step, for more different defocus values.",
            rich_help_panel=STACK,
        ),
    ] = False,
    focus_direction: Annotated[
        int,
        typer.Option(
            help="+1: a growing z brings sample and objective together; -1: it moves them apart.",
            rich_help_panel=STACK,
        ),
    ] = 1,
    objective: Annotated[
        str,
        typer.Option(help="Magnification/NA and immersion, as 20x/0.75 or '100x/1.4 oil'.", rich_help_panel=MICROSCOPE),
    ] = "20x/0.75",
    pixel_um: Annotated[
        float | None,
        typer.Option(
            "--pixel-um",
            help="Size of a pixel in the sample, in µm; otherwise a camera with 6.5 µm pixels.",
            rich_help_panel=MICROSCOPE,
        ),
    ] = None,
    shape: Annotated[
        str, typer.Option(help="Height x width of a field, in pixels.", rich_help_panel=MICROSCOPE)
    ] = "1024x1224",
    bit_depth: Annotated[int, typer.Option(help="Bits a pixel and colour: 8 to 16.", rich_help_panel=MICROSCOPE)] = 8,
    mono: Annotated[bool, typer.Option("--mono", help="A camera without colour.", rich_help_panel=MICROSCOPE)] = False,
    even: Annotated[
        bool,
        typer.Option(
            "--even",
            help="Optics without aberration, chromatic shift or phase: both sides of focus look the same, so that"
            " nothing can tell the direction (a negative control).",
            rich_help_panel=MICROSCOPE,
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier simulation in that folder.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help='Print one JSON object: {"stacks": \\[path, ...]}.')] = False,
) -> None:
    """Write z-stacks of a simulated slide together with their true best focus.

    Each stack is an OME-TIFF whose planes carry their z in µm. The truth stands in labels.csv (path, best_z_um): the
    drive position where the optics, not a sharpness measure, are in focus; it lies off the middle of the stack by a
    random part of a step, differently for each stack. What was simulated is kept in simulation.json.

    Examples:

        napari-autofocus simulate --stain he --density dense --fields 20 --seed 7 --out stacks
        napari-autofocus simulate --stain unstained --objective 40x/0.95 --range-um 6 --step-um 0.3 --out cells
    """
    from napari_autofocus.optics import Objective
    from napari_autofocus.simulation.camera import Camera
    from napari_autofocus.workflows.simulation_settings import SimulationSettings, choose_topography

    with reserved_stdout(as_json):
        settings = SimulationSettings(
            stain=stain,
            density=density,
            objective=Objective.parse(objective, pixel_size_um=pixel_um),
            fields=fields,
            range_um=range_um,
            step_um=step_um,
            seed=seed,
            shape=parse_shape(shape),
            even=even,
            topography=choose_topography(topography, tilt, even=even),
            camera=Camera(colour="mono" if mono else "rgb", bit_depth=bit_depth),
            start_offsets=start_offsets,
            focus_direction=focus_direction,
        )
        stacks = _run(settings, out, overwrite)
        if as_json:
            print_json({"stacks": [str(stack.path) for stack in stacks]})
    say(f"{len(stacks)} z-stacks of {settings.planes} planes and their truth (labels.csv) are in {out}.")


def _run(settings: SimulationSettings, out: Path, overwrite: bool) -> tuple[SimulatedStack, ...]:
    from napari_autofocus.workflows.simulate import simulate_stacks

    def show(step: PlaneRendered) -> None:
        advance((step.field - 1) * step.planes + step.plane, step.fields * step.planes, f"field {step.field}")

    with progress_bar("simulating") as advance:
        return run_to_end(simulate_stacks(settings, out, overwrite=overwrite), show)
