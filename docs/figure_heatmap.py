"""Draw ``images/heatmap.jpg``, what the model sees in one frame: ``python docs/figure_heatmap.py``, some seconds.

A simulated slide that no training has seen, with few cells, out of focus by a known way.
"""

from __future__ import annotations

import numpy as np
from figure_style import INK, MUTED, figure, save
from matplotlib.axes import Axes

from napari_autofocus import load_model
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics
from napari_autofocus.optics import Objective
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.workflows.reports.frame_panels import (
    colour_bar,
    colour_limit_um,
    diverging,
    draw_frame,
    draw_importance,
    draw_patch,
    reduced,
)

SLIDE = ("cytology", "extremely-sparse", "20x/0.75")
SEED, SHAPE, DEFOCUS_UM = 20_000_011, (1024, 1224), 6.0
PLACE_UM = (0.0, 0.0)
PANEL_IN = 2.75


def title(axes: Axes, words: str) -> None:
    """Over a panel."""
    axes.set_title(words, loc="left", fontsize=9.5, color=INK, weight="bold")


def defocus(axes: Axes, found: FocusEstimate, shape: tuple[int, int], dof_um: float) -> None:
    """The chosen patches in the colours of their defocus, with their numbers."""
    colours = diverging(colour_limit_um(found.chosen_patches, dof_um))
    for patch in found.chosen_patches:
        draw_patch(axes, patch, colours, PANEL_IN / shape[1])
    colour_bar(axes, colours).set_ylabel("defocus, µm", fontsize=8.5, color=MUTED)


def main() -> None:
    """Estimate one frame; draw it, its importance and the defocus of its patches."""
    scene = Scene.build(*SLIDE, seed=SEED, shape=SHAPE)
    x_um, y_um = PLACE_UM
    axial_um = scene.best_focus_um(x_um, y_um) + DEFOCUS_UM
    frame = scene.snap(x_um, y_um, axial_um, rng=np.random.default_rng(SEED))
    model = load_model("brightfield-20x")
    optics = ImageOptics(Objective.parse("20x/0.75").with_pixel_size(0.325))
    found = model.estimate(frame, optics=optics)
    print(found.verdict, found.defocus_um, *found.reasons)
    small, shape = reduced(frame), (frame.shape[0], frame.shape[1])
    drawn = figure(3 * PANEL_IN + 1.4, PANEL_IN * shape[0] / shape[1] + 0.5)
    plain, important, read = (drawn.add_subplot(1, 3, place) for place in (1, 2, 3))
    for axes in (plain, important, read):
        draw_frame(axes, small if axes is plain else 0.6 + 0.4 * small, shape)
    heat = draw_importance(important, found, small.shape[:2], shape)
    colour_bar(important, heat).set_ylabel("importance", fontsize=8.5, color=MUTED)
    defocus(read, found, shape, model.card.dof_um)
    title(plain, "One frame")
    title(important, f"Which of {len(found.patches)} patches tell about focus")
    title(read, f"What the {len(found.chosen_patches)} chosen ones say")
    save(drawn, "heatmap.jpg", dpi=150)


if __name__ == "__main__":
    main()
