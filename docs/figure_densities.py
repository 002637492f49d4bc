"""Draw ``images/densities.svg`` from ``benchmarks/results/single_shot.json``: ``python docs/figure_densities.py``."""

from __future__ import annotations

import json
from pathlib import Path

from figure_style import COLOURS, INK, dress, figure, legend, save

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results" / "single_shot.json"
DENSITIES = ("dense", "sparse", "extremely-sparse")
METHODS = {
    "with importance": "patches chosen by importance",
    "mean of all patches": "same network, mean of all patches",
    "median of all patches": "same network, median of all patches",
    "whole image resized": "same network, whole image resized",
}
"""As the results name them, and what is said of them."""
BAR = 0.19


def errors() -> dict[str, list[float]]:
    """Mean absolute error of each method on each density, µm."""
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))["without_importance"]
    return {method: [rows[f"{method}, {density}"]["mae_um"] for density in DENSITIES] for method in METHODS}


def main() -> None:
    """Bars on a scale of powers of ten, each with its number."""
    drawn = figure(8.8, 3.3)
    axes = drawn.add_subplot()
    dress(axes, "Mean error of one frame, µm (depth of field 1 µm)")
    for number, (method, values) in enumerate(errors().items()):
        places = [place + (number - 1.5) * BAR for place in range(len(values))]
        axes.bar(places, values, BAR * 0.9, color=COLOURS[number], label=METHODS[method])
        for place, value in zip(places, values, strict=True):
            axes.annotate(
                f"{value:.2f}", (place, value), (0, 2), textcoords="offset points", ha="center", fontsize=7.5, color=INK
            )
    axes.set_yscale("log")
    axes.set_yticks([0.05, 0.1, 0.5, 1, 5, 10], ["0.05", "0.1", "0.5", "1", "5", "10"])
    axes.minorticks_off()
    axes.set_ylim(0.03, 150)
    axes.set_xticks(range(len(DENSITIES)), [name.replace("-", " ") for name in DENSITIES])
    legend(axes, "upper left", columns=2)
    save(drawn, "densities.svg")


if __name__ == "__main__":
    main()
