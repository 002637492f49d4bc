"""``napari-autofocus mda``: run a useq acquisition and focus in it, on a simulated or a real microscope."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.parts.options import AroundUm
from napari_autofocus.cli.parts.output import DONE_IN_PART, print_json, reserved_stdout, say
from napari_autofocus.cli.parts.stand import (
    SimulatedSlide,
    Stand,
    ask_to_move,
    drive_words,
    lens_of,
    slide_microscope,
    usual_range_um,
)
from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from napari_autofocus.workflows.mda import FocusEvent, MdaFinder, MdaFocusRecord

METHOD = "Autofocus"
SWEEP = "sweep"


def mda(
    sequence: Annotated[Path, typer.Argument(help="A useq sequence, .yaml or .json.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for an OME-Zarr a place, metadata of every frame and the record.")],
    *,
    model: Annotated[
        str,
        typer.Option(help="Name of a model, of one shot or two, or its file; or sweep.", rich_help_panel=METHOD),
    ] = SWEEP,
    axes: Annotated[
        str,
        typer.Option(
            help="Focus whenever one of these axes changes, as p or t,p; only for a sequence that has no autofocus"
            " plan of its own.",
            rich_help_panel=METHOD,
        ),
    ] = "",
    every_n: Annotated[
        int, typer.Option("--every-n", help="Focus at every n-th time point only.", rich_help_panel=METHOD)
    ] = 1,
    first_only: Annotated[
        bool, typer.Option("--first-only", help="Focus each place once.", rich_help_panel=METHOD)
    ] = False,
    on_failure: Annotated[
        str,
        typer.Option(
            help="Where a field cannot be focused. keep: acquire at the last focus, moved by the drift of the other"
            " places; map: at the focus map; skip: leave its frames out; stop: end the acquisition.",
            rich_help_panel=METHOD,
        ),
    ] = "keep",
    focus_map: Annotated[
        Path | None, typer.Option("--map", help="Focus map of survey (.json).", rich_help_panel=METHOD)
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option(help="Focus in another light: GROUP:PRESET, or GROUP:PRESET:EXPOSURE_MS.", rich_help_panel=METHOD),
    ] = None,
    neighbours: Annotated[
        int, typer.Option(help="Fields to look at around an empty one: 0 or 4.", rich_help_panel=METHOD)
    ] = 0,
    find_range_um: Annotated[
        float | None,
        typer.Option(
            "--find-range-um",
            help="How far a sweep looks, in µm; 10, or 3.6 depths of field where that is more.",
            rich_help_panel=METHOD,
        ),
    ] = None,
    insist: Annotated[
        bool,
        typer.Option("--insist", help="Use the model although the optics are not its own.", rich_help_panel=METHOD),
    ] = False,
    stand: Stand,
    range_um: AroundUm = None,
    slide: SimulatedSlide,
    as_json: Annotated[
        bool, typer.Option("--json", help='Print one JSON object: {"outcome", "events": \\[...], "skipped": \\[...]}.')
    ] = False,
) -> None:
    """Run an acquisition that useq describes, and focus in it by a model or by a sweep.

    What is found is carried to the planes of the stack, to later time points and to the other places; what cannot be
    focused is recorded and treated as --on-failure says. Planes are relative to the focus of each position. Every frame
    is written with its z, the estimate behind it and the policy that applied.

    Exit code 3: places that could not be focused, or frames that were left out.

    Examples:

        napari-autofocus mda timelapse.yaml --model brightfield-20x --out run1
        napari-autofocus mda tiles.yaml --microscope MMConfig.cfg --objective 20x/0.75 --range-um 30 --axes p --out run2
    """
    from napari_autofocus.workflows.mda import MdaFocusConfig, acquire_with_autofocus, read_sequence
    from napari_autofocus.workflows.mda.maps import read_map_height

    with reserved_stdout(as_json):
        stand = replace(stand, around_um=range_um)
        plan = read_sequence(sequence)
        config = MdaFocusConfig(
            on_failure=on_failure,  # type: ignore[arg-type]  # checked there
            axes=tuple(axis.strip() for axis in axes.split(",") if axis.strip()),
            every_n=every_n,
            first_only=first_only,
            channel=_channel(channel),
        )
        height = None if focus_map is None else read_map_height(focus_map)
        finder, lens = _finder(model, stand, find_range_um, neighbours, insist)
        with slide_microscope(stand, slide, lens) as (seen, _):
            visits = max(1, len(plan.stage_positions))
            ask_to_move(stand, f"{drive_words(seen.focus)}; the acquisition visits {visits} positions.")
            record = acquire_with_autofocus(seen, plan, finder, config, height=height, out=out, on_focus=_say_focus)
        _tell(record, out, as_json)
    if record.outcome != "done" or record.missing or not all(event.found for event in record.events):
        raise typer.Exit(DONE_IN_PART)


def _channel(text: str | None) -> Any:
    from napari_autofocus.workflows.mda import FocusChannel

    if text is None:
        return None
    group, _, rest = text.partition(":")
    preset, _, exposure = rest.partition(":")
    try:
        return FocusChannel(group, preset, float(exposure) if exposure else None)
    except ValueError as error:
        raise InputError(f"--channel is GROUP:PRESET or GROUP:PRESET:EXPOSURE_MS; found {text!r}.") from error


def _finder(name: str, stand: Stand, range_um: float | None, neighbours: int, insist: bool) -> tuple[MdaFinder, Any]:
    """What focuses, and the lens of the microscope."""
    from napari_autofocus.routines.sweep_config import SweepConfig
    from napari_autofocus.workflows.mda import model_finder, sweep_finder

    if name == SWEEP:
        lens = lens_of(stand)
        if lens is None:
            raise InputError("A sweep takes its step from the depth of field; give --objective, as in 20x/0.75.")
        return sweep_finder(SweepConfig(dof_um=lens.dof_um, range_um=usual_range_um(lens, range_um))), lens
    from napari_autofocus.focus.estimate import ImageOptics
    from napari_autofocus.models.pair_predictor import load_focus_model
    from napari_autofocus.routines.refocus_config import RefocusConfig

    predictor = load_focus_model(name)
    lens = lens_of(stand, predictor.card.optics)
    config = RefocusConfig(
        optics=None if lens is None else ImageOptics(lens),
        insist=insist,
        focus_direction=stand.focus_direction or 0,
        neighbours=neighbours,
        sweep=SweepConfig(dof_um=predictor.card.dof_um, range_um=predictor.card.range_um),
    )
    return model_finder(predictor, config), lens


def _say_focus(event: FocusEvent) -> None:
    at = " ".join(f"{axis}={number}" for axis, number in event.index.items())
    found = f"focus at {event.found_um:.2f} µm" if event.found_um is not None else event.outcome.replace("_", " ")
    say(f"{at}: {found}{f' ({event.policy}): {event.reason}' if event.policy else ''}")


def _tell(record: MdaFocusRecord, out: Path, as_json: bool) -> None:
    say(record.summary())
    if as_json:
        print_json({"folder": str(out), "missing": record.missing, **asdict(record)})
    else:
        typer.echo(out)
