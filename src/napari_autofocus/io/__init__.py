"""Z-stacks from files and to files; nothing here knows what focus is."""

from __future__ import annotations

from napari_autofocus.io.stacks import check_opening, find_stacks, open_stack
from napari_autofocus.io.writing import write_stack

__all__ = ["check_opening", "find_stacks", "open_stack", "write_stack"]
