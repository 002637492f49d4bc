"""Make the map of the house anew, ``house.md``, from the docstrings of its modules: ``python docs/make_house.py``."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "napari_autofocus"
PAGE = Path(__file__).with_name("house.md")
HEAD = """# The house

One sentence: a frame comes in, patches of it are judged, a defocus in micrometres with an honest verdict comes out, and
a focus drive moves, safely. Each room is one step of that sentence. Who may import whom, and where to add things,
stands in [CONTRIBUTING](../CONTRIBUTING.md); `tests/test_architecture.py` holds the one, `tests/test_extending.py` the
other.

This page is made from the first paragraph of every module: `python docs/make_house.py`.
"""


def house_page() -> str:
    """The page as Markdown: the rooms, the ground floor first, with a line for each module."""
    rooms = [path.parent for path in SOURCE.rglob("__init__.py")]
    ordered = sorted(rooms, key=lambda room: (room != SOURCE, room.relative_to(SOURCE).as_posix()))
    return "\n".join([HEAD, *(_section(room) for room in ordered)])


def _section(room: Path) -> str:
    name = room.relative_to(SOURCE).as_posix()
    title = "The ground floor" if room == SOURCE else f"`{name}/`"
    modules = sorted(path for path in room.glob("*.py") if path.name not in ("__init__.py", "__main__.py"))
    rows = [f"| `{path.relative_to(SOURCE).as_posix()}` | {first_sentence(path)} |" for path in modules]
    return "\n".join(
        [f"## {title}", "", first_sentence(room / "__init__.py"), "", "| module | what |", "| --- | --- |", *rows, ""]
    )


def first_sentence(path: Path) -> str:
    """What a module says of itself first, in one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split()).replace("|", "\\|").replace("``", "`")


if __name__ == "__main__":
    PAGE.write_text(house_page(), encoding="utf-8")
