"""The buttons of a refocus, their shortcuts, and when which can be pressed."""

from __future__ import annotations

from napari.components import ViewerModel
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.routines.refocus_config import Proposal
from napari_autofocus.widgets.parts.forms import button, row
from napari_autofocus.widgets.parts.sentences import plain_um, signed_um
from napari_autofocus.widgets.parts.shortcuts import PROPOSE_KEY, REFOCUS_KEY, STOP_KEY, UNDO_KEY, add_shortcut, native

_TALL_PX = 38


class RefocusButtons(QWidget):
    """Refocus and Stop; Propose, or Accept and Discard once there is a proposal; Undo.

    Parameters
    ----------
    viewer : ViewerModel
        In whose window the shortcuts work.
    panel : QWidget
        With which the shortcuts go.
    """

    def __init__(self, viewer: ViewerModel, panel: QWidget) -> None:
        super().__init__()
        self.refocus = button("Refocus", "")
        self.tell_shots(None)
        self.stop = button(
            "Stop", f"Halt at once and go back to where the drive was (while it runs: {native(STOP_KEY)})"
        )
        self.propose = button("Propose", f"Show where Refocus would go; nothing moves ({native(PROPOSE_KEY)})")
        self.accept = button("Accept", "Carry the proposal out, and verify")
        self.discard = button("Discard", "Forget the proposal; nothing moves")
        self.undo = button("Undo", f"Go back to the z before the last run that moved ({native(UNDO_KEY)})")
        self._arrange()
        for keys, pressed in (
            (REFOCUS_KEY, self.refocus.click),
            (PROPOSE_KEY, self._on_propose_key),
            (UNDO_KEY, self.undo.click),
        ):
            add_shortcut(viewer, panel, keys, pressed)

    def _arrange(self) -> None:
        self.refocus.setMinimumHeight(_TALL_PX)
        self.stop.setMinimumHeight(_TALL_PX)
        font = self.refocus.font()
        font.setBold(True)
        self.refocus.setFont(font)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row(self.refocus, self.stop))
        column.itemAt(0).layout().setStretch(0, 1)
        column.addLayout(row(self.propose, self.accept, self.discard, self.undo))

    def tell_shots(self, dz_um: float | None) -> None:
        """Say what Refocus will move; ``dz_um`` is how far apart two shots are taken, None where one is."""
        look = "" if dz_um is None else f"Move sample and objective {dz_um:g} µm apart and back for two shots; "
        verify = "a second frame verifies it" if dz_um is None else "two shots there verify it"
        words = f"{look}find focus, go there, and stay only if {verify}; live mode is paused meanwhile"
        self.refocus.setToolTip(f"{words[0].upper()}{words[1:]} ({native(REFOCUS_KEY)})")

    def _on_propose_key(self) -> None:
        (self.propose if self.accept.isHidden() else self.accept).click()

    def enable(self, *, ready: bool, running: bool, by_model: bool, proposal: Proposal | None, undo: bool) -> None:
        """Let be pressed what makes sense now."""
        self.refocus.setEnabled(ready)
        self.stop.setEnabled(running)
        self.undo.setEnabled(undo)
        self.propose.setEnabled(ready and by_model)
        offered = proposal is not None and proposal.target_um is not None
        self.propose.setVisible(not offered)
        for part in (self.accept, self.discard):
            part.setVisible(offered)
            part.setEnabled(ready)
        if proposal is not None and proposal.target_um is not None:
            way = signed_um(proposal.target_um - proposal.frame.z_um)
            self.accept.setText(f"Accept {way}")
            self.accept.setToolTip(
                f"Move by {way} to {plain_um(proposal.target_um)}, and verify ({native(PROPOSE_KEY)})"
            )
