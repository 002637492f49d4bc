"""``napari-autofocus estimate``: how far single frames, or the second of two, are out of focus, and which way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.parts.file_options import OPTICS, SEVERAL, ImageFiles, Optics
from napari_autofocus.cli.parts.output import (
    BAD_INPUT,
    DONE_IN_PART,
    print_json,
    refuse_file,
    reserved_stdout,
    say,
    sentence_of,
)
from napari_autofocus.cli.parts.progress import Advance, progress_bar
from napari_autofocus.errors import InputError
from napari_autofocus.steps import run_to_end

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.text import Text

    from napari_autofocus.focus.estimate import FocusEstimate
    from napari_autofocus.models.evaluation import AnyPredictor
    from napari_autofocus.workflows.estimates import EstimateResult, EstimateSettings, FrameEstimated, FrameFailed

    Work = Generator[FrameEstimated | FrameFailed, None, EstimateResult]

OUTPUT = "Output"
SHOTS = "Two shots of one field, for models that take two"


def estimate(
    images: Annotated[
        list[Path],
        typer.Argument(help="Images: OME-TIFF, TIFF, PNG, JPEG, OME-Zarr.", metavar="IMAGE…", show_default=False),
    ],
    *,
    model: Annotated[
        str | None,
        typer.Option(
            help="Name of a model (the command models lists them), or its file; otherwise the one of one shot that fits"
            " the first image.",
            show_default=False,
        ),
    ] = None,
    dz_um: Annotated[
        float | None,
        typer.Option(
            "--dz-um",
            help="Defocus of the second image minus the first's, in µm (2, say); otherwise as the files state their z.",
            rich_help_panel=SHOTS,
        ),
    ] = None,
    second_plane: Annotated[
        int | None,
        typer.Option(help="Which plane is the second shot, where --plane is the first.", rich_help_panel=SHOTS),
    ] = None,
    optics: Optics,
    insist: Annotated[
        bool,
        typer.Option(
            "--insist",
            help="Answer although the optics are unknown or not the model's; every answer then carries a warning.",
            rich_help_panel=OPTICS,
        ),
    ] = False,
    plane: Annotated[
        int | None,
        typer.Option(help="Which plane of a z-stack is the frame, from 0.", rich_help_panel=SEVERAL),
    ] = None,
    files: ImageFiles,
    out: Annotated[
        Path | None,
        typer.Option(help="Table to write (.csv or .parquet): a row a frame, a row a patch.", rich_help_panel=OUTPUT),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Folder for a picture of each frame: frame, importance, defocus of the patches.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON object instead of a line a frame.", rich_help_panel=OUTPUT),
    ] = False,
) -> None:
    """Tell from single frames how far they are out of focus, in which direction, and how far to trust that.

    A positive defocus means that sample and objective are too close. Only the patches that tell about focus are read.
    A model serves the optics it was made for: what the file does not say, --objective and --pixel-um do; other optics
    are refused unless you --insist. A model of two shots takes two images of one field, a known distance apart, and
    tells the defocus of the second. One bad image does not stop the others (exit code 3); if all are bad the exit code
    is 2.

    Examples:

        napari-autofocus estimate frame.ome.tif --model brightfield-20x --plot pictures
        napari-autofocus estimate *.png --model brightfield-20x --objective 20x/0.75 --pixel-um 0.33 --json
        napari-autofocus estimate a.ome.tif b.ome.tif --dz-um 2 --model two-shot-20x
        napari-autofocus estimate stack.ome.tif --plane 3 --second-plane 5 --model two-shot-20x
    """
    from napari_autofocus.workflows.estimates import EstimateSettings

    settings = EstimateSettings(
        lens=optics.lens(), pixel_size_um=optics.pixel_um, insist=insist, plane=plane, **files.told()
    )
    with reserved_stdout(as_json):
        _check_outputs(out, plot)
        predictor = _load(model or _fitting(images, settings))
        result = _run(_work(images, predictor, settings, dz_um, second_plane), predictor.card.dof_um, plot)
        if result.estimated and out is not None:
            _write_table(out, result)
        if as_json:
            print_json(_as_dictionary(result, predictor.card.dof_um))
    if not as_json:
        _print_lines(result, predictor.card.dof_um)
    for failure in result.failed:
        say(f"Error: {sentence_of(failure)}")
    if result.failed:
        raise typer.Exit(DONE_IN_PART if result.estimated else BAD_INPUT)


def _check_outputs(out: Path | None, plot: Path | None) -> None:
    """Refuse outputs that could not be written before any frame is read."""
    from napari_autofocus.workflows.reports.tables import check_table_path

    if out is not None:
        check_table_path(out)
    refuse_file(plot, "pictures")


def _fitting(images: list[Path], settings: EstimateSettings) -> str:
    """Name of the model that fits the first image that can be read; whose optics nobody knows goes by its colour."""
    from napari_autofocus.cli.parts.fitting import fitting_model
    from napari_autofocus.models.suggestion import Sight
    from napari_autofocus.workflows.estimates import read_frame

    fault: InputError | None = None
    for path in images:
        try:
            frame, image = read_frame(path, settings, settings.plane)
        except (InputError, OSError) as error:
            fault = fault or InputError(str(error))
        else:
            return fitting_model(Sight.of(image, frame.objective, settings.bit_depth))
    raise fault or InputError("Name at least one image.")


def _load(model: str) -> AnyPredictor:
    from napari_autofocus.models.pair_predictor import load_focus_model

    return load_focus_model(model)


def _work(
    images: list[Path],
    predictor: AnyPredictor,
    settings: EstimateSettings,
    dz_um: float | None,
    second_plane: int | None,
) -> Work:
    """What is to be done: one frame after the other, or two shots together."""
    from napari_autofocus.focus.shot_pairs import takes_two_shots
    from napari_autofocus.workflows.estimates import estimate_frames
    from napari_autofocus.workflows.pair_estimates import ShotFiles, estimate_shots

    if takes_two_shots(predictor):
        files = ShotFiles.of(images, settings.plane, second_plane, dz_um)
        return estimate_shots(files, predictor, settings)
    if dz_um is not None or second_plane is not None:
        raise InputError(
            f"The model {predictor.name} looks at one frame at a time; leave out --dz-um and --second-plane, or choose"
            " a model of two shots (the command models lists them)."
        )
    return estimate_frames(images, predictor, settings)


def _run(work: Work, dof_um: float, plot: Path | None) -> EstimateResult:
    pictures: set[str] = set()
    with progress_bar("estimating") as advance:
        return run_to_end(work, lambda step: _follow(step, advance, plot, pictures, dof_um))


def _follow(step: object, advance: Advance, plot: Path | None, pictures: set[str], dof_um: float) -> None:
    """Move the bar, and draw a frame as soon as it is estimated."""
    from napari_autofocus.workflows.estimates import FrameEstimated

    if not isinstance(step, FrameEstimated):
        return
    advance(step.index, step.frames, Path(step.path).name)
    if plot is not None:
        from napari_autofocus.workflows.reports.estimate import save_estimate_report

        saved = save_estimate_report(step.path, step.frame, step.estimate, plot, dof_um=dof_um, taken=pictures)
        pictures.add(saved.name)


def _write_table(out: Path, result: EstimateResult) -> None:
    from napari_autofocus.workflows.estimates import COLUMNS, failed_row, rows_of
    from napari_autofocus.workflows.reports.tables import write_table

    rows = [row for path, each in result.estimated for row in rows_of(path, each, result.beside)]
    write_table(out, rows + [failed_row(failure.path, failure.reason) for failure in result.failed], COLUMNS)


def _as_dictionary(result: EstimateResult, dof_um: float) -> dict[str, Any]:
    from napari_autofocus.workflows.estimates import as_dictionary

    return {
        "tilt": _common_tilt(result, dof_um),
        "images": [{**as_dictionary(path, each), **result.beside} for path, each in result.estimated],
        "failed": [{"path": failure.path, "reason": failure.reason} for failure in result.failed],
    }


def _common_tilt(result: EstimateResult, dof_um: float) -> dict[str, Any] | None:
    """The tilt that several frames have in common; None where there is none to speak of."""
    from napari_autofocus.workflows.reports.tilt import common_tilt_of_estimates

    tilt = common_tilt_of_estimates(each for _, each in result.estimated)
    return None if tilt is None else {**tilt.to_json(), "sentence": tilt.sentence(dof_um)}


def _print_lines(result: EstimateResult, dof_um: float) -> None:
    from rich.console import Console

    console = Console(soft_wrap=True)
    for path, each in result.estimated:
        console.print(_line(path, each, dof_um), highlight=False)
        for warning in each.warnings:
            console.print(_styled(f"  Warning: {warning}", "yellow"), highlight=False)
        tilt = "" if each.tilt is None else each.tilt.sentence(dof_um)
        for reason in (*each.reasons, *filter(None, (tilt,))):
            console.print(_styled(f"  {reason}", ""), highlight=False)
    if (common := _common_tilt(result, dof_um)) is not None:
        console.print(_styled(common["sentence"], ""), highlight=False)


def _line(path: str, each: FocusEstimate, dof_um: float) -> Text:
    """One frame's answer: ``frame.tif: +3.42 ± 0.10 µm (90 %: …) too close · flat · 12 of 285 patches · …``."""
    from napari_autofocus.workflows.estimates import state_words, value_words

    trusted = each.trusted and not each.warnings
    value = _styled(value_words(each, dof_um), "green" if trusted else "yellow")
    return _styled(f"{path}: ", "bold").append_text(value).append(f" · {state_words(each)}", "")


def _styled(words: str, style: str) -> Text:
    """Words of that colour, which is seen on a terminal only; brackets in file names stay brackets."""
    from rich.text import Text

    line = Text()
    return line.append(words, style)
