"""What the shell says of a model that was measured: a table by density and by stain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_autofocus.cli.parts.output import print_table

_COLUMNS = {
    "number": "fields",
    "MAE, µm": "mae_um",
    "MAE/DOF": "mae_dof",
    "in DOF/2": "within_half_dof",
    "in DOF": "within_dof",
    "direction": "direction_success",
    "90 % interval": "interval90_coverage",
    "refused": "refused",
}
_LENGTHS = ("mae_um", "mae_dof")


def print_figures(told: Mapping[str, Any], of_all: str) -> None:
    """Print a table: all frames, then those of each density and stain that somebody named.

    Parameters
    ----------
    told : dict
        What ``napari-autofocus evaluate --json`` prints.
    of_all : str
        What the first row is called.
    """
    from rich.table import Table

    from napari_autofocus.models.metrics import UNKNOWN

    densities = sorted(told["by_density"].items(), key=lambda group: _rank(group[0]))
    groups = [*densities, *told["by_stain"].items()]
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("frames of")
    for heading in _COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in [(of_all, told), *(group for group in groups if group[0] != UNKNOWN)]:
        table.add_row(name, *(_cell(row, key) for key in _COLUMNS.values()))
    print_table(table)


def _rank(density: str) -> tuple[int, str]:
    """Dense first, empty last, others behind."""
    from napari_autofocus.simulation.specimen import DENSITIES

    return DENSITIES.index(density) if density in DENSITIES else len(DENSITIES), density


def _cell(row: Mapping[str, Any], key: str) -> str:
    value = row[key]["all"] if key == "refused" else row[key]
    if value is None:
        return "none"
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if key in _LENGTHS else f"{100 * value:.1f} %"
