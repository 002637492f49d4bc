"""``napari-autofocus virtual-refocus``: the image in focus, from two shots either side of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_autofocus.cli.parts.file_options import OPTICS, SEVERAL, ImageFiles, Optics
from napari_autofocus.cli.parts.output import print_json, reserved_stdout
from napari_autofocus.cli.parts.progress import progress_bar
from napari_autofocus.cli.parts.spreading import Scheduler, WorkerCount, workers_of
from napari_autofocus.errors import InputError
from napari_autofocus.steps import run_to_end

if TYPE_CHECKING:
    from napari_autofocus.models.refocuser import VirtualRefocuser
    from napari_autofocus.workflows.virtual_images import RecoveredFiles, VirtualSettings
    from napari_autofocus.workflows.virtual_slide import VirtualSlide

OUTPUT = "Output"
SLIDE = ".zarr"


def virtual_refocus(
    first: Annotated[
        Path,
        typer.Argument(help="A shot: OME-TIFF, TIFF, PNG, JPEG; or an OME-Zarr slide.", metavar="A"),
    ],
    second: Annotated[
        Path | None,
        typer.Argument(
            help="The shot from the other side of focus; left out, another plane of A.", metavar="B", show_default=False
        ),
    ] = None,
    *,
    model: Annotated[
        str, typer.Option(help="Name of a model (the command models lists them), or its file.")
    ] = "tsva-20x",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Image to write (.ome.tif, .tif, .png, .jpg), or slide (.zarr).", rich_help_panel=OUTPUT
        ),
    ] = None,
    uncertainty: Annotated[
        Path | None,
        typer.Option(
            help="Map of the uncertainty to write (.ome.tif): standard deviation of a pixel, as a share of full scale.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="The same field in focus, to compare with: PSNR, SSIM.", rich_help_panel=OUTPUT),
    ] = None,
    count: Annotated[
        bool,
        typer.Option("--count", help="Count nuclei or cells on shots, result and true image.", rich_help_panel=OUTPUT),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Folder for a picture: shots, result, uncertainty, errors; with --count also the table of cells.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of words.", rich_help_panel=OUTPUT)
    ] = False,
    optics: Optics,
    insist: Annotated[
        bool,
        typer.Option(
            "--insist",
            help="Go on although the optics are unknown or not the model's; the image may then show what is not there.",
            rich_help_panel=OPTICS,
        ),
    ] = False,
    plane: Annotated[
        int | None, typer.Option(help="Which plane of A is the first shot, from 0.", rich_help_panel=SEVERAL)
    ] = None,
    second_plane: Annotated[
        int | None, typer.Option(help="Which plane of B (or of A) is the second shot.", rich_help_panel=SEVERAL)
    ] = None,
    true_plane: Annotated[
        int | None, typer.Option(help="Which plane of --truth (or of A) is in focus.", rich_help_panel=SEVERAL)
    ] = None,
    files: ImageFiles,
    register: Annotated[
        bool, typer.Option("--register/--no-register", help="Take out a shift of the second shot against the first.")
    ] = True,
    scheduler: Scheduler = None,
    workers: WorkerCount = None,
) -> None:
    """Recover the image in focus from two shots either side of it; nothing has to move.

    What comes out is virtual: no camera took it, and the file says so. It comes with a verdict (recovered or doubtful)
    and its reasons; read them. Two OME-Zarr slides give an OME-Zarr slide, tile by tile; a run that was stopped goes on
    where it was.

    Examples:

        napari-autofocus virtual-refocus below.tif above.tif --objective 20x/0.75 --pixel-um 0.325 -o focused.ome.tif
        napari-autofocus virtual-refocus stack.ome.tif --plane 4 --second-plane 10 -o focused.ome.tif --report pictures
        napari-autofocus virtual-refocus below.zarr above.zarr -o focused.zarr
    """
    from napari_autofocus.workflows.virtual_images import VirtualSettings

    if out is None:
        raise InputError("Say where the result goes, as in -o focused.ome.tif.")
    settings = VirtualSettings(
        lens=optics.lens(),
        pixel_size_um=optics.pixel_um,
        insist=insist,
        plane=plane,
        second_plane=second_plane,
        true_plane=true_plane,
        register=register,
        count=count,
        **files.told(),
    )
    with reserved_stdout(as_json):
        if _is_slide(first) and second is not None and _is_slide(second):
            slide = _slide((first, second), out, model, settings, scheduler, workers)
            told: dict[str, Any] = _slide_json(slide)
            words = _slide_words(slide)
        else:
            _check_outputs(out, uncertainty)
            truth = truth or (first if true_plane is not None else None)
            found = _images((first, second or first), model, settings, truth)
            written = _write(found, out, uncertainty, report)
            told = {"output": str(out), **found.to_json(), **written}
            words = _words(found, out)
        if as_json:
            print_json(told)
    if not as_json:
        for line in words:
            typer.echo(line)


def _is_slide(path: Path) -> bool:
    """A slide, or an image inside a store, as ``slide.zarr/a``."""
    return any(part.endswith(SLIDE) for part in path.parts)


def _check_outputs(out: Path, uncertainty: Path | None) -> None:
    """Refuse outputs that could not be written before anything is read."""
    from napari_autofocus.io.virtual import check_image_path

    check_image_path(out)
    if uncertainty is not None:
        check_image_path(uncertainty)


def _load(model: str) -> VirtualRefocuser:
    from napari_autofocus.models.refocuser import load_refocuser

    return load_refocuser(model)


def _images(shots: tuple[Path, Path], model: str, settings: VirtualSettings, truth: Path | None) -> RecoveredFiles:
    from napari_autofocus.workflows.virtual_images import recover_files

    with progress_bar("recovering") as advance:
        work = recover_files(*shots, _load(model), settings, truth=truth)
        return run_to_end(work, lambda step: advance(step.done, step.total, "recovering"))


def _write(found: RecoveredFiles, out: Path, uncertainty: Path | None, report: Path | None) -> dict[str, Any]:
    """Write everything that was asked for; what else was written, by name."""
    from napari_autofocus.workflows.virtual_images import write_recovered, write_uncertainty

    write_recovered(out, found)
    written: dict[str, Any] = {}
    if uncertainty is not None:
        written["uncertainty"] = str(write_uncertainty(uncertainty, found))
    if report is not None:
        from napari_autofocus.workflows.reports.virtual import save_virtual_report

        picture = save_virtual_report(found, report)
        written["report"] = str(picture)
        if found.cells is not None:
            from napari_autofocus.workflows.virtual.cell_counts import write_counts

            write_counts(picture.with_suffix(".csv"), found.cells)
            written["cells_table"] = str(picture.with_suffix(".csv"))
    return written


def _words(found: RecoveredFiles, out: Path) -> list[str]:
    virtual = found.virtual
    lines = [f"{out}: {virtual.verdict} by {virtual.model} in {virtual.seconds:.1f} s (virtual: no camera took it)"]
    lines += [f"  Warning: {text}" for text in virtual.warnings] + [f"  {text}" for text in virtual.reasons]
    for name, likeness in found.likeness.items():
        lines.append(f"  {name}: {likeness.psnr_db:.2f} dB, SSIM {likeness.ssim:.4f} against the true image")
    if found.cells is not None:
        counted = ", ".join(f"{name} {each.count}" for name, each in found.cells.found.items())
        lines.append(f"  cells: {counted}")
    return lines


def _slide(
    shots: tuple[Path, Path],
    out: Path,
    model: str,
    settings: VirtualSettings,
    scheduler: str | None,
    workers: int | None,
) -> VirtualSlide:
    from napari_autofocus.focus.estimate import ImageOptics
    from napari_autofocus.workflows.virtual_slide import SlideSettings, refocus_slide

    lens, pixel_um = settings.lens, settings.pixel_size_um
    stated = None if lens is None or pixel_um is None else ImageOptics(lens.with_pixel_size(pixel_um))
    slide = SlideSettings(optics=stated, insist=settings.insist, register=settings.register)
    who = workers_of(scheduler, workers if workers is not None or scheduler is not None else 0)
    with progress_bar("recovering") as advance:
        work = refocus_slide(*shots, out, _load(model), slide, workers=who, model=model)
        return run_to_end(work, lambda step: advance(step.done, step.total, step.phase))


def _slide_json(slide: VirtualSlide) -> dict[str, Any]:
    return {
        "output": str(slide.path),
        "seconds": slide.seconds,
        "verdict": "doubtful" if slide.doubtful else "recovered",
        "shape": list(slide.shape),
        "tiles": slide.tiles,
        "glass": slide.glass,
        "resumed": slide.resumed,
        "shift_px": list(slide.shift_px),
        "uncertainty": slide.uncertainty,
        "doubtful": [{"tile": list(tile), "reasons": list(why)} for tile, why in slide.doubtful.items()],
        "warnings": list(slide.warnings),
        "model": slide.model,
    }


def _slide_words(slide: VirtualSlide) -> list[str]:
    lines = [
        f"{slide.path}: {slide.tiles} tiles by {slide.model} in {slide.seconds:.1f} s, {slide.glass} of glass,"
        f" {slide.resumed} finished before (virtual: no camera took it)"
    ]
    if slide.doubtful:
        lines.append(f"  {len(slide.doubtful)} tiles are doubtful; --json tells which, and why.")
    return lines + [f"  Warning: {text}" for text in slide.warnings]
