"""Hook of mkdocs: what is made or moved when the site is built. ``mkdocs build --strict`` calls it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from make_site_commands import commands_page
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

COMMANDS = "commands.md"
MERMAID = re.compile(r"<script type=\"module\">(?:(?!</script>).)*mermaid.*?</script>", re.S)
"""A library for diagrams that the notebook's page would fetch; there are none in it."""

OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)\s]+\)")
"""A link to a file of the project that is no page of the site."""

ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):(?=<code>)")
"""What docstrings say of a name in another markup than this."""

INDENT = re.compile(r"^ {2,3}(?=\S)", re.M)
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


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Indent what belongs to a list by four spaces, as this Markdown asks; links out of the site become words."""
    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.M | re.S)
    return "".join(part if part.startswith("```") else OUTSIDE.sub(r"\1", INDENT.sub("    ", part)) for part in parts)


def on_post_page(output: str, **_: Any) -> str:
    """Take out what would be fetched from the internet, and what docstrings say to another program."""
    return ROLE.sub("", MERMAID.sub("", output))
