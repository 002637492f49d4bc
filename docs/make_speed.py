"""Make the page ``speed.md`` from ``benchmarks/results/bench.json``; nothing is computed but its form.

    python docs/make_speed.py            writes the page
    python docs/make_speed.py --check    fails if the page is not of these results

The words of the page are in ``speed.txt``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence_words import NONE, bold, table

DOCS = Path(__file__).parent
RESULT = DOCS.parent / "benchmarks" / "results" / "bench.json"
WORDS, PAGE = "speed.txt", "speed.md"
TWICE = 2.0
Result = Mapping[str, Any]


def page(words: str, result: Result) -> str:
    """The page.

    Parameters
    ----------
    words : str
        What ``speed.txt`` holds.
    result : dict
        What ``bench.py`` wrote.
    """
    put = {"@machine": machine(result), "@subjects": subjects(result), "@beyond": beyond(result)}
    for mark, text in put.items():
        words = words.replace(mark, text)
    return words.strip() + "\n"


def machine(result: Result) -> str:
    """Where and when it was measured."""
    about = result["machine"]
    told = [f"{about['processors']} cores ({about['processor']})", f"Python {about['python']}"]
    rates = next((s["facts"]["machine"] for s in result["subjects"].values() if "machine" in s.get("facts", {})), None)
    if rates:
        told.append(
            f"{rates['flops'] / 1e9:.0f} thousand million multiplications and additions a second in a matrix product,"
            f" {rates['memory_bytes'] / 1e9:.0f} GB a second copied in memory"
        )
    loads = [s["load_before"] for s in result["subjects"].values() if s.get("load_before") is not None]
    if loads and max(loads) > about["processors"]:
        told.append(f"**the machine was busy with other work** (load up to {max(loads):.0f}): read ratios, not times")
    when = f" on {result['date']}, {result['minutes']:g} minutes" if result.get("date") else ""
    return f"<sub>`{result['command']}`{when}; {'; '.join(told)}. `benchmarks/results/bench.json`.</sub>"


def subjects(result: Result) -> str:
    """A section for each subject."""
    return "\n\n".join(section(subject) for subject in result["subjects"].values())


def section(subject: Mapping[str, Any]) -> str:
    """A subject's table, its growths, and what was left out."""
    parts = [f"## {subject['heading']}"]
    if subject["rows"]:
        parts.append(table(("", "median", "quartiles", "against", "limit"), [line(row) for row in subject["rows"]]))
    if subject["growths"]:
        rows = [
            (g["name"], f"{g['over']}{_power(g['exponent'])}", ", ".join(f"{said(v)} {g['unit']}" for v in g["values"]))
            for g in subject["growths"]
        ]
        parts.append(table(("cost", "grows as", "at each size"), rows))
    parts += [f"Left out, {what}: {why}" for what, why in subject.get("skipped", {}).items()]
    if subject.get("failed"):
        parts.append(bold(f"This subject was not measured to its end: {subject['failed']}"))
    return "\n\n".join(parts)


def line(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """A row of the table."""
    ratios = [f"{said(ratio)} times {name} ({said(row['against'][name])})" for name, ratio in row["ratios"].items()]
    over, limit = row["over_limit"], NONE
    if over is not None:
        limit = f"{bold(said(over) + ' times', over > TWICE)} {said(row['limit']['value'])} ({row['limit']['what']})"
    spread = f"{said(row['low'])} to {said(row['high'])}" if row["repeats"] > 1 else NONE
    return _safe(row["name"]), f"{said(row['median'])} {row['unit']}", spread, _safe("; ".join(ratios) or NONE), limit


def beyond(result: Result) -> str:
    """Each row more than twice its limit, and where the rest goes."""
    rows = [row for subject in result["subjects"].values() for row in subject["rows"] if over_twice(row)]
    if not rows:
        return "No row is."
    whys: dict[str, list[str]] = {}
    for row in rows:
        whys.setdefault(row["limit"]["beyond"], []).append(f"{_safe(row['name'])} ({said(row['over_limit'])} times)")
    unknown = bold("nobody has found out yet")
    return "\n".join(f"- {'; '.join(names)}: {why or unknown}." for why, names in whys.items())


def over_twice(row: Mapping[str, Any]) -> bool:
    """Whether a row has to be explained."""
    return row["over_limit"] is not None and row["over_limit"] > TWICE


def said(value: float) -> str:
    """A number to the places that are worth reading."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2g}" if abs(value) < 0.1 else f"{value:.3g}"


def _power(exponent: float) -> str:
    return f"<sup>{max(exponent, 0) if abs(exponent) < 0.005 else exponent:.2f}</sup>"


def _safe(text: str) -> str:
    return text.replace("|", "\\|")


def stale(docs: Path, result: Path) -> str:
    """What differs from what the results say; empty where nothing does."""
    written = docs / PAGE
    text = page((docs / WORDS).read_text(encoding="utf-8"), json.loads(result.read_text(encoding="utf-8")))
    if written.is_file() and written.read_text(encoding="utf-8") == text:
        return ""
    return f"{PAGE} is not what {WORDS} and {result.name} give: run python docs/make_speed.py"


def main(arguments: list[str] | None = None) -> int:
    """Write, or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is not of the results")
    if parser.parse_args(arguments).check:
        found = stale(DOCS, RESULT)
        print(found or f"{PAGE} is of these results.", file=sys.stderr)
        return 1 if found else 0
    text = page((DOCS / WORDS).read_text(encoding="utf-8"), json.loads(RESULT.read_text(encoding="utf-8")))
    (DOCS / PAGE).write_text(text, encoding="utf-8")
    print(f"{PAGE} is written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
