"""The report of a calibration: one page that stands by itself, for light and dark screens and for print.

Text and numbers come from ``words.py``, figures from ``figures.py``; nothing is fetched.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from string import Template

from napari_autofocus.files import make_folder, replacing
from napari_autofocus.workflows.calibration.figures import figures_of
from napari_autofocus.workflows.calibration.record import CalibrationRecord, SetAside
from napari_autofocus.workflows.calibration.style import STYLE
from napari_autofocus.workflows.calibration.words import (
    estimate_words,
    key_figures,
    optics_rows,
    proof_rows,
    undo_words,
)

REPORT = "calibration.html"
_PROOF_HEADS = ("Run", "Start, µm", "Before said", "It said", "End, µm", "Ended", "Frames")

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
<header><p class="kind">Calibration report</p><h1>$title</h1></header>
<section class="verdict $trust"><p><strong>$head:</strong> $sentence</p></section>
$sections
</main>
</body>
</html>
""")


def write_report(record: CalibrationRecord, folder: Path) -> Path:
    """Write ``calibration.html`` into the folder of a calibration.

    Parameters
    ----------
    record : CalibrationRecord
        With its verdict.
    folder : Path
        Made if need be; a report that is there is replaced.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    make_folder(folder)
    with replacing(folder / REPORT) as unfinished:
        unfinished.write_text(page_of(record, folder), encoding="utf-8")
    return folder / REPORT


def page_of(record: CalibrationRecord, folder: Path) -> str:
    """The page as HTML."""
    verdict = record.verdict
    assert verdict is not None
    lens = record.plan.objective
    head, _, sentence = verdict.sentence.partition(": ")
    sections = [
        _section("Why", _list(verdict.reasons)),
        _figures(record),
        _section("What the error estimate means", _text(estimate_words(record)) + _list(_notes(record), "notes")),
        _proofs(record),
        _set_aside(record.set_aside),
        _section("How it was taken", _table((), optics_rows(record), "facts")),
        _section("How to undo it", _text(undo_words(record, str(folder)))),
    ]
    return _PAGE.substitute(
        title=html.escape(f"{record.name}, for {lens.name} at {lens.pixel_size_um:.4g} µm a pixel"),
        style=STYLE,
        trust=verdict.trust,
        head=html.escape(head),
        sentence=html.escape(sentence),
        sections="\n".join(part for part in sections if part),
    )


def _notes(record: CalibrationRecord) -> tuple[str, ...]:
    taught = record.taught
    assert taught is not None
    reasons = () if taught.estimate is None else taught.estimate.reasons
    return tuple(dict.fromkeys((*reasons, *taught.notes)))


def _figures(record: CalibrationRecord) -> str:
    before = "nothing" if record.before is None else record.before.model
    heads = ("On frames held out", f"Before: {before}", f"After: {record.name}")
    table = _table(heads, key_figures(record), "figures")
    legend = (
        '<p class="legend"><span class="dot after"></span>after <span class="dot before"></span>before'
        ' <span class="dot hollow"></span>refused: its best guess, which counts too; grey:'
        " half a depth of field to either side</p>"
    )
    drawn = [f"<figure>{figure}</figure>" for figure in figures_of(record)]
    count = len(drawn) - bool(record.proofs)
    return _section("Before and after", f'{table}{legend}<div class="grid">{"".join(drawn[:count])}</div>')


def _proofs(record: CalibrationRecord) -> str:
    if not record.proofs:
        return _section("Live runs", _text("None was made."))
    words = (
        "The model focused the microscope from random defocus at places that it had never seen. A Brenner sweep had"
        " found the focus of each place before, and the model was not told. Defocus is the drive's distance from the"
        " sweep's focus; positive: sample and objective too close. The model before was only asked about the same first"
        " frame: the drive never moved by it."
    )
    figure = f"<figure>{figures_of(record)[-1]}</figure>"
    table = _table(_PROOF_HEADS, proof_rows(record.proofs), "proofs")
    declined = [f"Run {proof.number} declined: {proof.reason}" for proof in record.proofs if proof.reason]
    return _section(
        "Live runs", f'{_text(words)}<div class="grid runs">{figure}{table}</div>{_list(declined, "notes")}'
    )


def _set_aside(left_out: Sequence[SetAside]) -> str:
    if not left_out:
        return _section("Set aside", _text("Nothing: every stack and every place could be used."))
    rows = [(each.what, each.reason) for each in left_out]
    words = "What could not be trusted was neither learned from nor measured on."
    return _section("Set aside", _text(words) + _table(("What", "Why"), rows, "facts"))


def _section(title: str, body: str) -> str:
    return f"<section><h2>{html.escape(title)}</h2>{body}</section>"


def _text(words: str) -> str:
    return f"<p>{html.escape(words)}</p>"


def _list(items: Sequence[str], kind: str = "reasons") -> str:
    rows = "".join(f"<li>{html.escape(item)}</li>" for item in items)
    return f'<ul class="{kind}">{rows}</ul>' if rows else ""


def _table(heads: Sequence[str], rows: Sequence[tuple[str, ...]], kind: str) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    top = f"<thead><tr>{head}</tr></thead>" if heads else ""
    return f'<div class="scroll"><table class="{kind}">{top}<tbody>{body}</tbody></table></div>'
