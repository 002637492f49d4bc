"""What is told of focusing runs at the shell: a table, or JSON, and the full records in a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_autofocus.cli.parts.output import print_json, say
from napari_autofocus.errors import InputError

if TYPE_CHECKING:
    from napari_autofocus.records import FocusRecord

COLUMNS = ("run", "outcome", "defocus, µm", "z, µm", "verdict", "frames", "moves", "s")
TEXT_COLUMNS = ("outcome", "verdict")
OUTCOME_WORDS = {"skipped_no_content": "no content", "already_in_focus": "in focus"}
"""For columns that fit a narrow terminal."""
IN_FOCUS = ("focused", "already_in_focus")


def require_folder(records: Path | None) -> None:
    """Raise InputError before anything moves if the records could not be written."""
    if records is not None and (records.is_dir() or not records.parent.is_dir()):
        raise InputError(f"The records cannot be written to {records}; name a file in a folder that exists.")


def tell_runs(
    ended: Sequence[tuple[FocusRecord, dict[str, Any]]],
    title: str,
    dof_um: float | None,
    records: Path | None,
    as_json: bool,
) -> None:
    """Print runs with what is known of their truth, and keep their records where a file is named."""
    from napari_autofocus.files import replacing
    from napari_autofocus.workflows.reports.tilt import common_tilt
    from napari_autofocus.workflows.trials import describe_run, summarise

    if records is not None:
        with replacing(records) as part:
            part.write_text("".join(record.to_json() + "\n" for record, _ in ended), encoding="utf-8")
        say(f"The records are in {records}.")
    runs = [describe_run(record, **truth) for record, truth in ended]
    tilt = common_tilt(record for record, _ in ended)
    summary = {**summarise(runs, dof_um), "tilt": None if tilt is None else tilt.to_json()}
    if as_json:
        print_json({"runs": runs, "summary": summary})
    else:
        _print_table(runs, summary, title)
        if tilt is not None and dof_um is not None:
            print(tilt.sentence(dof_um))


def _print_table(runs: list[dict[str, Any]], summary: dict[str, Any], title: str) -> None:
    """The runs, why some did not focus, what estimates warned of, and how many focused."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in TEXT_COLUMNS else "right", no_wrap=True)
    for index, run in enumerate(runs):
        table.add_row(str(index + 1), *_cells(run))
    console = Console(soft_wrap=True)
    console.print(table)
    for index, run in enumerate(runs):
        if run["outcome"] not in IN_FOCUS:
            console.print(
                f"Run {index + 1} {run['outcome'].replace('_', ' ')}: {' '.join(run['reasons'])}", highlight=False
            )
    for warning in dict.fromkeys(text for run in runs for text in run.get("warnings", ())):
        console.print(f"Warning: {warning}", style="yellow", highlight=False)
    console.print(_conclusion(summary))


def _cells(run: dict[str, Any]) -> tuple[str, ...]:
    return (
        OUTCOME_WORDS.get(run["outcome"], run["outcome"].replace("_", " ")),
        f"{_number(run['start_um'])} → {_number(run['end_um'])}",
        f"{_number(run['start_z_um'])} → {_number(run['end_z_um'])}",
        run["verdict"].replace("_", " ") or "–",
        str(run["frames"]),
        str(run["moves"]),
        f"{run['seconds']:.1f}",
    )


def _conclusion(summary: dict[str, Any]) -> str:
    focused = sum(summary["outcomes"].get(name, 0) for name in IN_FOCUS)
    text = f"{focused} of {summary['runs']} focused."
    if summary["within_half_dof"] is None:
        return text
    share, dof_um = summary["within_half_dof"], summary["dof_um"]
    return f"{text} {share:.0%} ended within half the depth of field ({dof_um:g} µm) of true focus."


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
