"""``napari-autofocus demo``: napari on the simulated microscope, or without a screen a tour that takes pictures."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_autofocus.cli.parts.output import plain, print_json, reserved_stdout, say
from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder
from napari_autofocus.memory import give_freed_memory_back

if TYPE_CHECKING:
    from napari_autofocus.widgets.connecting import SimulatedChoice

NOT_FOCUSED = 1
"""Exit code: the tour ran, and the microscope is not in focus."""
TOUR_SECONDS = 300.0
TOURS = ("panels", "sparsity")
SCREEN = "-screen 0 1920x1080x24"
SYSTEM_PACKAGES = (
    "xvfb xauth libgl1 libegl1 libglib2.0-0 libdbus-1-3 libfontconfig1 fonts-dejavu-core libxkbcommon-x11-0"
    " libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0"
    " libxcb-xkb1 libx11-xcb1"
)
_INSIDE = "NAPARI_AUTOFOCUS_TOUR"


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures and report.json of the tour.")] = Path("demo"),
    seconds: Annotated[
        float,
        typer.Option(help="On a screen: close after so many s, 0 stays open. Tour: the time it is given, 0 is 300 s."),
    ] = 0.0,
    gif: Annotated[Path | None, typer.Option(help="Film one refocus into this .gif, in place of the tour.")] = None,
    tour: Annotated[
        str,
        typer.Option(
            help="panels: Microscope and Autofocus. sparsity: fields from dense to empty, and who tells their defocus."
        ),
    ] = "panels",
    stain: Annotated[str, typer.Option(help="he, ihc, cytology, blood, unstained, fluorescence or beads.")] = "he",
    density: Annotated[str, typer.Option(help="dense, sparse, extremely-sparse or empty.")] = "sparse",
    objective: Annotated[str, typer.Option(help="Magnification/NA, as 20x/0.75 or 10x/0.3.")] = "20x/0.75",
    camera: Annotated[
        str | None, typer.Option(help="rgb (8 bit) or mono (16 bit); unless given as is usual for the stain.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same slide.")] = 7,
    headless: Annotated[
        bool | None,
        typer.Option(
            "--headless/--screen",
            help="Take the tour on a screen in memory, or open a window. By default the tour"
            " is taken where there is no screen.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the tour's report as one JSON object.")] = False,
) -> None:
    """See it work: napari opens on a simulated microscope with a live slide out of focus; press Refocus.

    Without a screen (on a server, in a container) the same runs by itself on a screen in memory and leaves pictures and
    report.json behind. Exit code 1: the tour ran, and the microscope was not in focus in the end.
    """
    if importlib.util.find_spec("napari") is None:
        raise InputError("napari is not installed; run: pip install 'napari-autofocus[napari]'")
    if tour not in TOURS:
        raise InputError(f"There is no tour {tour!r}; choose one of {', '.join(TOURS)}.")
    if tour == "sparsity" and gif is not None:
        raise InputError("The sparsity tour leaves pictures and a figure, no film; leave --gif out.")
    choice = _choice(stain, density, seed, objective, camera)
    give_freed_memory_back()
    if _INSIDE in os.environ and tour == "sparsity":
        _sparsity(out, seed, seconds, as_json)
    elif _INSIDE in os.environ and gif is not None:
        _film(choice, gif, seconds)
    elif _INSIDE in os.environ:
        _tour(choice, out, seconds, as_json)
    elif (gif is not None or not has_screen()) if headless is None else headless:
        raise typer.Exit(_restart_on_screen_in_memory())
    elif tour == "sparsity":
        from napari_autofocus.widgets.show.sparsity_demo import open_sparsity
        from napari_autofocus.workflows.sparse.records import SparsitySettings

        open_sparsity(SparsitySettings(seed=seed), seconds=seconds)
    else:
        from napari_autofocus.widgets.demo import open_demo

        open_demo(choice, seconds=seconds)


def has_screen() -> bool:
    """Whether windows can be seen: always on Windows and macOS, by its display variables elsewhere."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _choice(stain: str, density: str, seed: int, objective: str, camera: str | None) -> SimulatedChoice:
    from napari_autofocus.widgets.connecting import SimulatedChoice
    from napari_autofocus.widgets.demo import SHAPE_PX

    return SimulatedChoice(stain, density, objective, seed=seed, shape=SHAPE_PX, camera=camera)


def _sparsity(out: Path, seed: int, seconds: float, as_json: bool) -> None:
    from napari_autofocus.widgets.show.sparsity_demo import run_sparsity
    from napari_autofocus.workflows.sparse.records import SparsitySettings

    make_folder(out)
    with reserved_stdout(as_json):
        report = run_sparsity(SparsitySettings(seed=seed), out, seconds=seconds or TOUR_SECONDS, told=say)
        say(f"Pictures, the figure and report.json are in {out}.")
        if as_json:
            print_json(report)


def _film(choice: SimulatedChoice, gif: Path, seconds: float) -> None:
    from napari_autofocus.widgets.show.refocus_film import film_refocus

    make_folder(gif.parent)
    film_refocus(choice, gif, seconds=seconds or TOUR_SECONDS)
    say(f"The film is {gif}.")


def _tour(choice: SimulatedChoice, out: Path, seconds: float, as_json: bool) -> None:
    from napari_autofocus.widgets.show.tour import run_tour

    make_folder(out)
    with reserved_stdout(as_json):
        report = run_tour(choice, out, seconds=seconds or TOUR_SECONDS, told=say).to_dict()
        (out / "report.json").write_text(json.dumps(plain(report), indent=2) + "\n", encoding="utf-8")
        say(f"Pictures and report.json are in {out}.")
        if as_json:
            print_json(report)
    if not report["focused"]:
        say(f"Not in focus: {report['defocus_after_um']:+.2f} µm from it.")
        raise typer.Exit(NOT_FOCUSED)


def _restart_on_screen_in_memory() -> int:
    """Run the same command once more under Xvfb; returns its exit code."""
    xvfb_run = shutil.which("xvfb-run")
    if xvfb_run is None:
        raise InputError(
            "There is no screen, and xvfb-run, which makes one in memory, is not installed; on Debian or Ubuntu run:"
            f" sudo apt-get install {SYSTEM_PACKAGES}"
        )
    say("No screen is used: the tour runs on one in memory.")
    again = [sys.executable, "-c", "from napari_autofocus.cli import main; main()", *sys.argv[1:]]
    with tempfile.TemporaryDirectory() as settings:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "WAYLAND_DISPLAY"},
            _INSIDE: "1",
            "QT_QPA_PLATFORM": "xcb",
            # The user's own napari settings neither shape the pictures nor are changed by the tour.
            "NAPARI_CONFIG": str(Path(settings) / "settings.yaml"),
        }
        return subprocess.call([xvfb_run, "-a", "-s", SCREEN, *again], env=environment)
