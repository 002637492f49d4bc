"""The notebook of the docs runs from its first cell to its last, at a reduced size, and carries no output."""

from __future__ import annotations

import logging
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "calibrate.ipynb"


# The kernel's client still uses calls of zmq and jupyter that are on their way out.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_notebook_runs_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="traitlets")  # its own debug messages cannot be formatted
    monkeypatch.setenv("NAPARI_AUTOFOCUS_NOTEBOOK", "short")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert [cell.outputs for cell in notebook.cells if cell.cell_type == "code" and cell.outputs] == []
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    said = "".join(each.get("text", "") for cell in notebook.cells for each in cell.get("outputs", []))
    assert "4 stacks; " in said
    assert "by Brenner" in said
    assert "Stopped as soon as it learned" in said
    assert "'direction_success'" in said
    assert "4 z-stacks of 9 planes are taken" in said
    assert "All of it is in calibration.json stacks" in said
