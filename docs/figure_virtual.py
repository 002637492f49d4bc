"""Draw ``images/tsva.jpg``, two shots and what is recovered from them: ``python docs/figure_virtual.py``, a minute."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from figure_style import INK, figure, save

from napari_autofocus import load_refocuser
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.focus.likeness import psnr_db
from napari_autofocus.optics import Objective
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.steps import run_to_end

SEED, SHAPE, HALF_UM = 20_000_003, (512, 512), 2.0
SHOWN = slice(160, 400)
Image = npt.NDArray[np.uint8]


def frames() -> list[Image]:
    """A field of a slide that no training has seen: below focus, above it, and in focus."""
    scene = Scene.build("he", "dense", "20x/0.75", seed=SEED, shape=SHAPE)
    best_um, rng = scene.best_focus_um(0.0, 0.0), np.random.default_rng(SEED)
    return [scene.snap(0.0, 0.0, best_um + away, rng=rng) for away in (-HALF_UM, HALF_UM, 0.0)]


def main() -> None:
    """Recover the image in focus and show a part of all four, larger than life."""
    below, above, true = frames()
    optics = ImageOptics(Objective.parse("20x/0.75").with_pixel_size(0.325))
    found = run_to_end(load_refocuser("tsva-20x").refocus(below, above, optics=optics), lambda _: None)
    gained = psnr_db(found.image, true) - max(psnr_db(below, true), psnr_db(above, true))
    print(found.verdict, *found.reasons, gained)
    panels = {
        f"Shot {HALF_UM:g} µm too far": below,
        f"Shot {HALF_UM:g} µm too close": above,
        f"Recovered from both: {gained:+.1f} dB": found.image,
        "In focus, as the camera sees it": true,
    }
    drawn = figure(12.0, 3.3)
    for number, (words, image) in enumerate(panels.items()):
        axes = drawn.add_subplot(1, 4, number + 1)
        axes.imshow(np.asarray(image)[SHOWN, SHOWN], interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        axes.set_title(words, fontsize=10.5, color=INK, loc="left", weight="bold")
    save(drawn, "tsva.jpg", dpi=100)


if __name__ == "__main__":
    main()
