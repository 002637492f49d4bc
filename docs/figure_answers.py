"""Draw ``images/answers.svg``, estimates against the truth: ``python docs/figure_answers.py``, some minutes.

``brightfield-20x`` on simulated slides that no training has seen, as ``evaluate --simulated`` asks it.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
from figure_style import DENSITY_COLOURS, MUTED, dress, figure, legend, save
from matplotlib.axes import Axes

from napari_autofocus import load_model
from napari_autofocus.models.evaluation import FieldResult
from napari_autofocus.models.simulated.checks import CheckSettings
from napari_autofocus.models.simulated.evaluation import evaluate_simulated
from napari_autofocus.steps import run_to_end

ASKED = CheckSettings(fields=8, draws=8, seed=5)
DOTS = {"fmt": "o", "markersize": 3, "linewidth": 0, "elinewidth": 0.7, "alpha": 0.75}
GUESS = {"color": MUTED, "markersize": 4, "linewidth": 0, "marker": "x"}


def draw(scatter: Axes, errors: Axes, results: Sequence[FieldResult], dof_um: float) -> None:
    """Answers with their 90 % intervals by density, refused guesses as crosses, half a depth of field shaded."""
    ends = [-11.0, 11.0]
    scatter.fill_between(ends, [e - dof_um / 2 for e in ends], [e + dof_um / 2 for e in ends], color="#e3e8ee", lw=0)
    errors.axhspan(-dof_um / 2, dof_um / 2, color="#e3e8ee", lw=0)
    for density, colour in DENSITY_COLOURS.items():
        told = [each for each in results if each.density == density and not each.refused]
        true = [each.true_um for each in told]
        found = [each.estimate_um or 0.0 for each in told]
        half = [(each.interval90_um[1] - each.interval90_um[0]) / 2 if each.interval90_um else 0.0 for each in told]
        name = density.replace("-", " ")
        scatter.errorbar(true, found, half, color=colour, label=name, **DOTS)
        away = [f - t for f, t in zip(found, true, strict=True)]
        errors.errorbar(true, away, half, color=colour, **DOTS)
    guesses = [each for each in results if each.refused and each.estimate_um is not None]
    scatter.plot([g.true_um for g in guesses], [g.estimate_um for g in guesses], label="refused: a guess", **GUESS)


def main() -> None:
    """Ask the model and draw what it said."""
    cv2.setNumThreads(1)
    model = load_model("brightfield-20x")
    evaluation = run_to_end(evaluate_simulated(model, ASKED), lambda _: None).evaluation
    print(evaluation.figures())
    drawn = figure(9.2, 4.2)
    scatter, errors = drawn.add_subplot(1, 2, 1), drawn.add_subplot(1, 2, 2)
    dress(scatter, f"{len(evaluation.results)} frames, each one shot", "true defocus, µm", "estimated defocus, µm")
    dress(errors, "The same, less the truth", "true defocus, µm", "error, µm")
    draw(scatter, errors, evaluation.results, evaluation.dof_um)
    errors.set_ylim(-1.6, 1.6)
    legend(scatter)
    errors.annotate(
        "bars: 90 % interval; grey: half a depth of field",
        (0.02, 0.03),
        xycoords="axes fraction",
        fontsize=7.5,
        color=MUTED,
    )
    save(drawn, "answers.svg")


if __name__ == "__main__":
    main()
