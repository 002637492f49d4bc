"""Draw ``images/focus_curves.svg`` from two sample stacks: ``python docs/figure_focus_curve.py``, some seconds.

A stained slide, which is sharpest in focus, and living cells without a stain, which show least contrast there.
"""

from __future__ import annotations

from figure_style import COLOURS, INK, MUTED, dress, figure, save
from matplotlib.axes import Axes

from napari_autofocus.focus.curve import FocusCurve
from napari_autofocus.focus.zstack import judge_stack
from napari_autofocus.io import open_stack
from napari_autofocus.sample_data import sample_path

STACKS = {
    "he_dense": "H&E tissue: sharpness is greatest in focus",
    "unstained_cells": "Unstained cells: contrast is least in focus",
}


def draw(axes: Axes, title: str, curve: FocusCurve) -> None:
    """The samples, and best focus with its standard uncertainty as a band."""
    dress(axes, title, "position of the focus drive z, µm", "sharpness, of the largest")
    share = curve.sharpness / curve.sharpness.max()
    axes.plot(curve.z_um, share, "o-", color=COLOURS[0], markersize=4, linewidth=1.2)
    if curve.best_z_um is None or curve.uncertainty_um is None:
        return
    low, high = curve.best_z_um - curve.uncertainty_um, curve.best_z_um + curve.uncertainty_um
    axes.axvspan(low, high, color=COLOURS[1], alpha=0.35, linewidth=0)
    axes.axvline(curve.best_z_um, color=COLOURS[1], linewidth=1.2)
    axes.set_ylim(0, 1.08)
    said = f"{curve.verdict.replace('_', ' ')}, {'trusted' if curve.trusted else 'not trusted'}"
    place = {"transform": axes.transAxes, "ha": "right", "va": "top"}
    axes.text(0.98, 0.95, f"{curve.best_z_um:.2f} ± {curve.uncertainty_um:.2f} µm", fontsize=11, color=INK, **place)
    axes.text(0.98, 0.87, said, fontsize=8.5, color=MUTED, **place)


def main() -> None:
    """Judge both stacks and draw their curves side by side."""
    drawn = figure(8.8, 3.2)
    for number, (name, title) in enumerate(STACKS.items()):
        field = judge_stack(open_stack(sample_path(name))).field
        draw(drawn.add_subplot(1, 2, number + 1), title, field)
        print(name, field.verdict, field.best_z_um, field.uncertainty_um, *field.reasons)
    save(drawn, "focus_curves.svg")


if __name__ == "__main__":
    main()
