"""The table that ``bench.py`` prints."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from bench_rows import TWICE


def show(result: dict[str, Any], console: Console | None = None) -> None:
    """Print every subject: its rows, how costs grow, what was left out."""
    console = console or Console(width=None if sys.stdout.isatty() else 160)
    for subject in result["subjects"].values():
        console.print(table_of(subject))
        for growth in subject["growths"]:
            console.print(f"  {growth['name']} grows as {growth['over']}^{growth['exponent']:.2f}")
        for what, why in subject.get("skipped", {}).items():
            console.print(f"  left out, {what}: {why}")
        if subject.get("failed"):
            console.print(f"  FAILED: {subject['failed']}", style="bold red")
    console.print(f"\n{result['command']}, {result['minutes']} min")


def table_of(subject: dict[str, Any]) -> Table:
    """One subject's rows."""
    table = Table(title=subject["heading"], title_justify="left", title_style="bold")
    for heading in ("", "median", "quartiles"):
        table.add_column(heading, justify="left" if not heading else "right", overflow="fold")
    table.add_column("against", overflow="fold")
    table.add_column("limit", overflow="fold")
    for row in subject["rows"]:
        table.add_row(row["name"], *cells(row))
    return table


def cells(row: dict[str, Any]) -> tuple[str, str, str, str]:
    """Median, quartiles, alternatives and limit of a row, as text."""
    unit = row["unit"]
    ratios = row["ratios"]
    against = "\n".join(f"{said(ratios[name])} of {name} ({said(row['against'][name])})" for name in ratios)
    over = row["over_limit"]
    limit = ""
    if over is not None:
        mark = " !" if over > TWICE else ""
        limit = f"{said(over)} times{mark} ({said(row['limit']['value'])}: {row['limit']['what']})"
    return f"{said(row['median'])} {unit}", f"{said(row['low'])} – {said(row['high'])}", against, limit


def said(value: float) -> str:
    """A number to three places that are worth reading."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
