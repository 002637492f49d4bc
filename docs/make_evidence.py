"""Make the page ``evidence.md`` and its figures from ``benchmarks/results/*.json``; nothing is computed but their form.

    python docs/make_evidence.py            writes the page and the figures that changed
    python docs/make_evidence.py --check    says what differs, and fails if anything does

The words of the page are in ``evidence.txt``. A section of it (between ``@section NAME`` and ``@end``) is put on the
page once the results that it speaks of are there; ``@put NAME`` is replaced by what ``evidence_*.py`` make of them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import evidence_choices
import evidence_models
import evidence_trials
import evidence_tuning
from evidence_figures import Drawing

DOCS = Path(__file__).parent
RESULTS = DOCS.parent / "benchmarks" / "results"
WORDS, PAGE, IMAGES = "evidence.txt", "evidence.md", "images"
PREFIX = "evidence_"
SECTION = re.compile(r"^@section (\S+)\n(.*?)^@end\n", re.M | re.S)
PUT = re.compile(r"@put ([a-z]+)")
Results = dict[str, Any]
"""What each file of results holds, by its name without ``.json``."""

Maker = Callable[[Results], tuple[dict[str, str], list[Drawing]] | None]
"""Pieces of text by name, and figures; None where the results of a section are not there."""
MAKERS: dict[str, Maker] = {
    "models": evidence_models.models,
    "targets": evidence_models.targets,
    "learning": evidence_models.learning,
    "densities": evidence_trials.densities,
    "robustness": evidence_trials.robustness,
    "together": evidence_trials.together,
    "tuning": evidence_tuning.tuning,
    "backbones": evidence_choices.backbones,
    "size": evidence_choices.size,
    "number": evidence_choices.number,
    "pooling": evidence_choices.pooling,
    "stains": evidence_choices.stains,
}


def read(folder: Path) -> Results:
    """All results there are."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def page(words: str, results: Results) -> tuple[str, list[Drawing]]:
    """The page and its figures.

    Parameters
    ----------
    words : str
        What ``evidence.txt`` holds.
    results : dict
        By file.
    """
    drawings: list[Drawing] = []

    def fill(section: re.Match[str]) -> str:
        made = MAKERS[section[1]](results)
        if made is None:
            return ""
        pieces, figures = made
        drawings.extend(figures)
        return PUT.sub(lambda put: pieces.get(put[1], ""), section[2])

    text = SECTION.sub(fill, words)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", drawings


def stale(docs: Path, results: Path) -> list[str]:
    """What differs from what the results say, a sentence each."""
    text, drawings = page((docs / WORDS).read_text(encoding="utf-8"), read(results))
    written = docs / PAGE
    found = [f"{name} is not of these results" for name in (d.file for d in drawings if not d.is_in(docs / IMAGES))]
    if not written.is_file() or written.read_text(encoding="utf-8") != text:
        found.insert(0, f"{PAGE} is not what {WORDS} and the results give")
    wanted = {drawing.file for drawing in drawings}
    left = sorted(path.name for path in (docs / IMAGES).glob(f"{PREFIX}*.svg") if path.name not in wanted)
    return [*found, *(f"{name} belongs to no section" for name in left)]


def make(docs: Path, results: Path) -> list[str]:
    """Write the page and the figures that changed; remove those that no section has. Names what was drawn."""
    text, drawings = page((docs / WORDS).read_text(encoding="utf-8"), read(results))
    changed = [drawing for drawing in drawings if not drawing.is_in(docs / IMAGES)]
    for drawing in changed:
        drawing.draw(docs / IMAGES)
    wanted = {drawing.file for drawing in drawings}
    for path in (docs / IMAGES).glob(f"{PREFIX}*.svg"):
        if path.name not in wanted:
            path.unlink()
    (docs / PAGE).write_text(text, encoding="utf-8")
    return [drawing.file for drawing in changed]


def main(arguments: list[str] | None = None) -> int:
    """Write, or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is not of the results")
    wanted = parser.parse_args(arguments)
    if wanted.check:
        found = stale(DOCS, RESULTS)
        for sentence in found:
            print(f"{sentence}: run python docs/make_evidence.py", file=sys.stderr)
        return 1 if found else 0
    drawn = make(DOCS, RESULTS)
    print(f"{PAGE} is written; drawn anew: {', '.join(drawn) or 'nothing'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
