"""What the shell says of a virtual refocuser that was measured on stacks: sentences, and a table by distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_autofocus.cli.parts.output import print_table

if TYPE_CHECKING:
    from napari_autofocus.models.package import VirtualCard
    from napari_autofocus.models.refocus.dataset import RefocusEvaluation

_COLUMNS = {
    "pairs": "pairs",
    "sharper shot, dB": "sharper_db",
    "recovered, dB": "recovered_db",
    "gain, dB": "gain_db",
    "worst, dB": "worst_gain_db",
}


def optics_words(card: VirtualCard) -> str:
    """What a refocuser is for, in a line."""
    low, high = card.half_um
    optics = f"{card.optics.objective.name} at {card.optics.pixel_size_um:.4g} µm a pixel"
    return f"model {card.name} for {optics}, shots ±{low:.2g} to ±{high:.2g} µm from focus"


def figures_words(found: RefocusEvaluation) -> list[str]:
    """What it gains on stacks that were held out, and what its base does."""
    told = found.figures()
    if not told["pairs"]:
        return ["No pair of planes was there to measure it on: add stacks."]
    lines = [
        f"{told['gain_db']:+.2f} dB over the sharper of two shots on {told['pairs']} pairs of planes (the worst"
        f" {told['worst_gain_db']:+.2f} dB); it calls {100 * told['doubtful']:.0f} % of its images doubtful."
    ]
    if found.base is not None:
        lines.append(f"{found.base.model}, which it began with, gains {told['base']['gain_db']:+.2f} dB on the same.")
    return lines


def print_gains(found: RefocusEvaluation) -> None:
    """A table: all pairs, then by half the distance of the two shots, then by stain."""
    from rich.table import Table

    from napari_autofocus.models.metrics import UNKNOWN

    told = found.figures()
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("shots")
    for heading in _COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    stains = [(name, row) for name, row in told["by_stain"].items() if name != UNKNOWN]
    halves = [(f"±{half} µm", row) for half, row in told["by_half_um"].items()]
    for name, row in [("all", told), *halves, *stains]:
        table.add_row(name, *(_cell(row[key]) for key in _COLUMNS.values()))
    print_table(table)
    print(f"{100 * told['doubtful']:.0f} % of the images are called doubtful.")


def _cell(value: Any) -> str:
    return str(value) if isinstance(value, int) else f"{value:.2f}"
