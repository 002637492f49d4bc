"""What an annotator does, by a key, a button or the mouse: about the field, about a patch, with a brush."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from qtpy.QtCore import QObject, Signal

from napari_autofocus.labelling.opinions import Opinion, Verdict
from napari_autofocus.labelling.painting import IMPORTANT, NOTHING, UNIMPORTANT
from napari_autofocus.widgets.label.desk import AtDesk
from napari_autofocus.widgets.label.folder import FolderWork
from napari_autofocus.widgets.label.paint import ImportancePaint
from napari_autofocus.widgets.label.said import Corner
from napari_autofocus.widgets.label.single import SingleStack
from napari_autofocus.widgets.label.view import StackView
from napari_autofocus.widgets.parts.forms import Message

_VERDICTS: tuple[Verdict, ...] = ("no_content", "two_depths", "skip")
_IN_A_PATCH = "This is the curve of one patch; Esc goes back to the field."
_NO_PEAK = "There is no peak to accept here: choose a plane and press Space, or drag the line of a curve that has one."
_PAINTING = {
    IMPORTANT: "Paint what tells about focus with the mouse; each stroke is saved. Esc ends.",
    UNIMPORTANT: "Paint what says nothing about focus with the mouse; each stroke is saved. Esc ends.",
    NOTHING: "Take away what was painted with the mouse; each stroke is saved. Esc ends.",
}
_NO_FOLDER = "Labels of patches and paintings are kept in a folder; open one first."


class LabelActs(QObject):
    """Turns what the annotator does into what is said.

    Signals: ``brush_changed`` (kind, or None) and ``back_changed`` (whether Esc has something to go back from).

    Parameters
    ----------
    at, single, folder
        The stack at hand, without and within a folder.
    view, paint, message
        Parts of the panel.
    """

    brush_changed = Signal(object)
    back_changed = Signal(bool)

    def __init__(
        self,
        at: AtDesk,
        single: SingleStack,
        folder: FolderWork,
        view: StackView,
        paint: ImportancePaint,
        message: Message,
    ) -> None:
        super().__init__(view)
        self._at, self._single, self._folder = at, single, folder
        self._view, self._paint, self._message = view, paint, message
        view.dragged.connect(self._on_dragged)
        view.patch_dragged.connect(self._say_patch)
        view.patch_changed.connect(self._on_patch_changed)
        at.turning.connect(paint.flush)
        at.turned_to.connect(self._on_turned_to)

    @property
    def by_name(self) -> Mapping[str, Callable[[], None]]:
        """What each action of :data:`~napari_autofocus.widgets.label.keys.KEYS` does."""
        view, at = self._view, self._at
        return {
            "plane_up": partial(view.step, 1),
            "plane_down": partial(view.step, -1),
            "peak": view.go_to_peak,
            "sharp": self._on_sharp,
            "accept": self._on_accept,
            **{verdict: partial(self._on_verdict, verdict) for verdict in _VERDICTS},
            "next": partial(at.step, 1),
            "previous": partial(at.step, -1),
            "undo": at.undo,
            "redo": at.redo,
            "patches": view.patches_check.toggle,
            "important": partial(self.brush, IMPORTANT),
            "unimportant": partial(self.brush, UNIMPORTANT),
            "erase": partial(self.brush, NOTHING),
            "next_patch": view.pick_next,
            "back": self._on_back,
        }

    # the field

    def _say(self, opinion: Opinion, *, go_on: bool = True) -> None:
        if self._at.desk is None:
            self._single.say(opinion)
        elif self._folder.read is not None or opinion.verdict == "skip":  # nobody labels what is not in sight yet
            self._at.say(opinion, go_on=go_on)

    def _on_sharp(self) -> None:
        z_um, patch = self._view.plane_um, self._view.patch
        if z_um is None:
            return
        if patch is not None:
            self._say_patch((patch.y, patch.x, patch.size), z_um)
        else:
            self._say(Opinion("sharp", z_um, self._view.plane_uncertainty_um))

    def _on_accept(self) -> None:
        patch = self._view.patch
        line_um = self._view.plot.peak_um
        z_um = self._folder.accepted_um() if self._at.desk is not None and patch is None else line_um
        if z_um is None:
            self._message.say(_NO_PEAK, "warning")
        elif patch is not None:
            self._say_patch((patch.y, patch.x, patch.size), z_um)
        else:
            self._say(Opinion("sharp", z_um))

    def _on_verdict(self, verdict: Verdict) -> None:
        if self._view.patch is not None:
            self._message.say(_IN_A_PATCH, "warning")
        else:
            self._say(Opinion(verdict))

    def _on_dragged(self, z_um: float) -> None:
        self._say(Opinion("sharp", z_um), go_on=False)

    # patches and brushes

    def _say_patch(self, corner: Corner, z_um: float) -> None:
        if self._at.desk is None:
            self._message.say(_NO_FOLDER, "warning")
        else:
            self._at.say_patch(corner, z_um)

    def _on_patch_changed(self, patch: object) -> None:
        if patch is not None:
            self._paint.stop()
        self._tell()

    def brush(self, kind: int | None) -> None:
        """Let the mouse paint a kind of importance; None gives it back to napari."""
        if kind is None:
            self._paint.stop()
        elif self._at.desk is None:
            self._message.say(_NO_FOLDER, "warning")
        elif self._folder.read is not None:
            self._view.back()
            self._view.patches_check.setChecked(False)  # the colours of painting lie there now
            self._paint.start(kind)
            self._message.say(_PAINTING[kind])
        self._tell()

    def _on_back(self) -> None:
        self._view.back()
        self._paint.stop()
        self._tell()

    def _on_turned_to(self, _: object) -> None:
        self._paint.stop()
        self._tell()

    def _tell(self) -> None:
        self.brush_changed.emit(self._paint.kind)
        self.back_changed.emit(self._view.patch is not None or self._paint.kind is not None)
