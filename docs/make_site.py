"""Hook of mkdocs: what is made or moved when the site is built. ``mkdocs build --strict`` calls it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from make_site_commands import commands_page
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

COMMANDS = "commands.md"
NOTEBOOK, NOTEBOOK_PAGE = "calibrate.ipynb", "notebook.html"


@event_priority(-100)  # when mkdocs-jupyter has put its own kind of file in the notebook's place
def on_files(files: Files, config: Any) -> Files:
    """Add the page of commands, which lies nowhere on the disk, and give the notebook a page of its own.

    ``calibrate.md`` and ``calibrate.ipynb`` would both become ``calibrate.html``.
    """
    files.append(File.generated(config, COMMANDS, content=commands_page()))
    notebook = next(file for file in files if file.src_uri == NOTEBOOK)
    notebook.dest_path = notebook.url = NOTEBOOK_PAGE
    notebook.abs_dest_path = str(Path(config.site_dir) / NOTEBOOK_PAGE)
    return files
