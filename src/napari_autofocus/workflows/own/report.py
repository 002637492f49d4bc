"""The page of figures of a model of one's own, of whatever kind."""

from __future__ import annotations

from pathlib import Path

from napari_autofocus.workflows.own.refocusers import OwnRefocuser
from napari_autofocus.workflows.own_models import OwnMade
from napari_autofocus.workflows.reports.evaluation import save_evaluation_report
from napari_autofocus.workflows.reports.refocus import save_refocus_report


def write_own_report(made: OwnMade, folder: Path) -> Path:
    """Write what was measured as JSON and PNG.

    Parameters
    ----------
    made : OwnModel or OwnRefocuser
        As it was made.
    folder : Path
        Made if need be.

    Returns
    -------
    Path
        Of the PNG.

    Raises
    ------
    InputError
        If the folder cannot be made or written.
    """
    made.held_out.write(folder)
    if isinstance(made, OwnRefocuser):
        return save_refocus_report(made.held_out, folder)
    return save_evaluation_report(made.held_out.evaluation, folder)
