"""Draw ``images/survey.svg``, a focus map against the truth: ``python docs/figure_survey.py``, a minute.

The slide of ``benchmarks/survey.py``, sparse, surveyed by 12 x 12 shots of ``brightfield-20x`` on a virtual clock.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from figure_style import INK, MUTED, dress, figure, save
from matplotlib.axes import Axes

from napari_autofocus import load_model
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.protocol import walk_to
from napari_autofocus.microscope.simulated import simulated_rig
from napari_autofocus.optics import Objective
from napari_autofocus.routines.survey import SurveyConfig, SurveyRecord, survey
from napari_autofocus.routines.sweep_config import SweepConfig
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.simulation.topography import Topography
from napari_autofocus.steps import run_to_end
from napari_autofocus.workflows.reports.survey_figures import TrueSurface, true_surface

SIDE_MM, POINTS, SEED = 10.0, 12, 12
COLOURS = {"found": "white", "nearby": "#ffd27f", "empty": "none"}
Grid = npt.NDArray[np.float64]


def places() -> list[tuple[float, float]]:
    """A grid over the slide, back and forth, µm."""
    at = (np.arange(POINTS) - (POINTS - 1) / 2) * SIDE_MM * 1000 / POINTS
    return [(float(x), float(y)) for row, y in enumerate(at) for x in (at if row % 2 == 0 else at[::-1])]


def surveyed() -> tuple[SurveyRecord, TrueSurface]:
    """The survey, and where the slide is really in focus."""
    slope = 3.0 / np.sqrt(2)
    topography = Topography(slope, slope, wave_um=5.0, wave_length_um=6000.0)
    scene = Scene.build("he", "sparse", "20x/0.75", seed=SEED, shape=(512, 612), topography=topography, bare=0.2)
    truth = true_surface(scene, 1)
    with simulated_rig(scene, focus_direction=1, backlash_um=1.0, clock=VirtualClock(), seed=SEED) as rig:
        walk_to(rig.microscope.focus, truth(*places()[0]) + 6.0)
        config = SurveyConfig(
            optics=ImageOptics(Objective.parse("20x/0.75")),
            sweep=SweepConfig(dof_um=1.0, range_um=10.0),
            mirrored=(False, False),
        )
        steps = survey(rig.microscope, load_model("brightfield-20x"), config, places())
        return run_to_end(steps, lambda _: None), truth


def draw(axes: Axes, values: Grid, title: str, colours: str, limits: tuple[float, float] | None = None) -> None:
    """A surface in colours, in mm of the slide, with a bar."""
    half = SIDE_MM / 2 * (1 - 1 / POINTS)
    low, high = limits or (float(values.min()), float(values.max()))
    image = axes.imshow(values, cmap=colours, extent=(-half, half, half, -half), vmin=low, vmax=high)
    dress(axes, title, "x, mm", "y, mm")
    axes.grid(visible=False)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.85)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=MUTED, length=0)
    bar.ax.set_title("µm", fontsize=8, color=MUTED)


def main() -> None:
    """The map with its points, and how far it is from the truth."""
    cv2.setNumThreads(1)
    record, truth = surveyed()
    found = record.focus_map()
    at = np.linspace(-SIDE_MM / 2, SIDE_MM / 2, 121) * 1000 * (1 - 1 / POINTS)
    x, y = np.meshgrid(at, at)
    z = np.asarray(found.z_um(x, y))
    error = z - np.array([[truth(float(a), float(b)) for a in at] for b in at])
    print(record.outcome, np.abs(error).mean(), np.abs(error).max(), len(record.points), record.reasons)
    drawn = figure(9.2, 3.9)
    surface, away = drawn.add_subplot(1, 2, 1), drawn.add_subplot(1, 2, 2)
    draw(surface, z, "Focus map from one shot a point", "viridis")
    draw(away, error, "Map less the true surface", "RdBu_r", (-0.5, 0.5))
    for outcome, colour in COLOURS.items():
        some = [point for point in record.points if point.outcome == outcome]
        xs, ys = [p.x_um / 1000 for p in some], [p.y_um / 1000 for p in some]
        surface.scatter(xs, ys, s=14, c=colour, edgecolors=INK, linewidths=0.6)
    save(drawn, "survey.svg")


if __name__ == "__main__":
    main()
