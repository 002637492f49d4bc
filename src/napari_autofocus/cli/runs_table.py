"""A table of focusing runs for people at the shell."""

from __future__ import annotations

from typing import Any

COLUMNS = ("run", "outcome", "defocus, µm", "z, µm", "verdict", "frames", "moves", "s")
TEXT_COLUMNS = ("outcome", "verdict")


def print_runs(runs: list[dict[str, Any]], summary: dict[str, Any]) -> None:
    """Print runs as ``workflows.trials.describe_run`` describes them, why some did not focus, and how many did."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Focusing by {runs[0]['method']}", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in TEXT_COLUMNS else "right", no_wrap=True)
    for index, run in enumerate(runs):
        table.add_row(str(index + 1), *_cells(run))
    console = Console(soft_wrap=True)
    console.print(table)
    for index, run in enumerate(runs):
        if run["outcome"] != "focused":
            console.print(f"Run {index + 1} {run['outcome']}: {' '.join(run['reasons'])}", highlight=False)
    console.print(_conclusion(summary))


def _cells(run: dict[str, Any]) -> tuple[str, ...]:
    return (
        run["outcome"],
        f"{_number(run['start_um'])} → {_number(run['end_um'])}",
        f"{_number(run['start_z_um'])} → {_number(run['end_z_um'])}",
        run["verdict"] or "–",
        str(run["frames"]),
        str(run["moves"]),
        f"{run['seconds']:.1f}",
    )


def _conclusion(summary: dict[str, Any]) -> str:
    focused = summary["outcomes"].get("focused", 0)
    text = f"{focused} of {summary['runs']} focused."
    if summary["within_half_dof"] is None:
        return text
    share, dof_um = summary["within_half_dof"], summary["dof_um"]
    return f"{text} {share:.0%} ended within half the depth of field ({dof_um:g} µm) of true focus."


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
