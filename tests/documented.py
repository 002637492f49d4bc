"""What README and docs tell people to type: shell lines and snippets of Python, page by page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")] + sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
SHELLS = ("", "console", "shell", "sh", "bash")
PROGRAM = "napari-autofocus"
ASIDE = re.compile(rf"^ {{4,}}({PROGRAM} .*)$|`({PROGRAM} [a-z-]+ [^`]+)`", re.M)
"""A command on an indented line, or in a sentence or table."""


def blocks(*languages: str) -> Iterator[tuple[str, str]]:
    """Name of the page, and what stands between the fences."""
    for page in PAGES:
        for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
            if found[1] in languages:
                yield page.name, found[2]


def shell_lines() -> list[tuple[str, list[str]]]:
    """Name of the page, and the words of a line; continued lines are one, remarks are left out."""
    lines = [
        (page, shlex.split(line, comments=True))
        for page, block in blocks(*SHELLS)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    return [(page, words) for page, words in lines if words]


def commands() -> dict[str, list[str]]:
    """Every different line that runs the program, with the pages that it stands on."""
    found: dict[str, list[str]] = {}
    for page, words in (*shell_lines(), *_asides()):
        if words[0] == PROGRAM:
            found.setdefault(shlex.join(words), []).append(page)
    return found


def _asides() -> Iterator[tuple[str, list[str]]]:
    for page in PAGES:
        for indented, inline in ASIDE.findall(BLOCK.sub("", page.read_text(encoding="utf-8"))):
            yield page.name, shlex.split((indented or inline).replace("…", ""))


def snippets() -> dict[str, list[str]]:
    """The snippets of Python of each page, in order."""
    found: dict[str, list[str]] = {}
    for page, code in blocks("python"):
        found.setdefault(page, []).append(code)
    return found
