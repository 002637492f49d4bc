"""What Brenner found in many stacks, as labels of a label store, where people's opinions go before it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from napari_autofocus.focus.zstack import StackFocus
from napari_autofocus.labelling import LabelStore
from napari_autofocus.labelling.opinions import BRENNER, BRENNER_SOURCE, brenner_opinion, is_same_measurement
from napari_autofocus.labelling.store import Label


def store_brenner(store: Path, labelled: Iterable[tuple[str, StackFocus]]) -> int:
    """Write what was found into a label store; what stands there already is not written again.

    Parameters
    ----------
    store : Path
        The label store; made if it does not exist. The stacks lie in its folder or below.
    labelled : iterable of (path, StackFocus)
        What was found.

    Returns
    -------
    int
        How many labels are new.

    Raises
    ------
    InputError
        If the store cannot be written, or a stack lies elsewhere; nothing is written then.
    """
    with LabelStore(store) as labels:
        known = {entry.stack: entry.value for entry in labels.labels(scope="field") if entry.annotator == BRENNER}
        found = [Label(Path(path).absolute(), brenner_opinion(focus).to_value()) for path, focus in labelled]
        new = [each for each in found if not is_same_measurement(known.get(_below(each, labels.root)), each.value)]
        labels.add_many(new, annotator=BRENNER, source=BRENNER_SOURCE)
        return len(new)


def _below(label: Label, root: Path) -> str:
    """Path of a stack as the store knows it."""
    stack = Path(label.stack)
    place = stack.parent.resolve() / stack.name
    return place.relative_to(root).as_posix() if place.is_relative_to(root) else ""
