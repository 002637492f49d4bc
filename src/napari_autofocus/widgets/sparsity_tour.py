"""The sparsity tour: dense, sparse, extremely sparse and empty fields, and who tells their defocus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import napari.viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QFileDialog, QProgressBar, QWidget

from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig
from napari_autofocus.models.predictor import ModelPredictor, load_model
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.widgets.focus_state import Estimated, FocusState
from napari_autofocus.widgets.overlays import FocusOverlays
from napari_autofocus.widgets.parts.docks import share_height
from napari_autofocus.widgets.parts.forms import (
    Message,
    button,
    connect_while_alive,
    heading,
    label,
    number,
    row,
    scrolled,
)
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.sparsity.layer import TourLayer
from napari_autofocus.widgets.sparsity.table import AnswerTable, lesson
from napari_autofocus.widgets.worker import Job
from napari_autofocus.workflows.sparse.figure import FORMATS, content_words, density_words, save_sparsity_figure
from napari_autofocus.workflows.sparse.records import RIVALS, SparsityField, SparsitySettings, SparsityStep
from napari_autofocus.workflows.sparsity import sparsity_fields

MODEL = "brightfield-20x"
_CONTENT_LINES = 4
"""So that what stands below does not jump from field to field."""
_INTRODUCTION = (
    "Four simulated slides, out of focus by the same amount. The less a field holds, the more it matters which patches"
    " are read."
)


class SparsityPanel(QWidget):
    """Steps through fields from dense to empty, with overlays on the image and every method's answer beside it."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        share_height(self, grows=False)
        self.session = Session.of(napari_viewer)
        self._viewer = self.session.viewer
        self._state = FocusState()  # its own, for the session's follows the camera
        self._jobs: list[Job] = []  # the one at work, if any
        self._fields: dict[int, SparsityField] = {}
        self._index = 0
        self.settings = SparsitySettings()
        self._build(self._viewer.theme)
        self._arrange()
        self._connect()
        self._update()

    # layout

    def _build(self, theme: str) -> None:
        self._picture = TourLayer(self._viewer)
        self._overlays = FocusOverlays(self._viewer, self._state)
        self.introduction = label(_INTRODUCTION, wrap=True)
        self.true_box = number(6.0, -10, 10, 0.5, "µm", "True defocus of every field, µm", decimals=1, width_px=84)
        self.seed_box = number(7, 0, 9999, 1, "", "Another number, other slides", decimals=0, width_px=64)
        self.start_button = button("Start", "Simulate the slides and ask every method; takes half a minute")
        self.progress = QProgressBar()
        self.previous_button = button("Previous", "Show the field before, which holds more")
        self.next_button = button("Next", "Show the next field, which holds less")
        self.place = label("")
        self.content = label("", wrap=True)
        self.content.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.content.setMinimumHeight(_CONTENT_LINES * self.content.fontMetrics().lineSpacing())
        self.table = AnswerTable(theme)
        self.importance_box = _check("Importance", "Colour patches by how much their content tells about focus, 0 to 1")
        self.defocus_box = _check("Defocus", "Colour the patches that were read by their defocus, in depths of field")
        self.patches_box = _check("Patches", "Outline the patches that were read, with their defocus in µm")
        self.save_button = button("Save figure…", "Write all fields into one picture: PNG at 300 dpi, PDF or SVG")
        self.message = Message(theme)

    def _arrange(self) -> None:
        column = scrolled(self)
        column.addWidget(self.introduction)
        start = (label("Defocus"), self.true_box, label("Seed"), self.seed_box, 1, self.start_button)
        column.addLayout(row(*start))
        column.addWidget(self.progress)
        column.addLayout(row(self.previous_button, 1, self.place, 1, self.next_button))
        column.addWidget(self.content)
        column.addWidget(heading("Answers, µm"))
        column.addWidget(self.table)
        column.addLayout(row(self.importance_box, self.defocus_box, self.patches_box, 1))
        column.addLayout(row(self.save_button, 1))
        column.addWidget(self.message)
        column.addStretch(1)
        self.importance_box.setChecked(True)
        self.patches_box.setChecked(True)
        self.progress.hide()

    def _connect(self) -> None:
        self.start_button.clicked.connect(self._on_start_clicked)
        self.previous_button.clicked.connect(lambda: self.go_to(self._index - 1))
        self.next_button.clicked.connect(lambda: self.go_to(self._index + 1))
        self.save_button.clicked.connect(self._on_save_clicked)
        self.importance_box.toggled.connect(self._overlays.show_importance)
        self.defocus_box.toggled.connect(self._overlays.show_defocus)
        self.patches_box.toggled.connect(self._overlays.show_patches)
        connect_while_alive(self, [(self._viewer.events.theme, self._on_theme_changed)])
        self.destroyed.connect(_teardown(self._overlays, self._picture, self._jobs))

    # what others press and read

    @property
    def is_running(self) -> bool:
        """Whether fields are being made."""
        return bool(self._jobs)

    @property
    def fields(self) -> tuple[SparsityField, ...]:
        """The fields that are ready, in the order shown."""
        return tuple(self._fields[index] for index in sorted(self._fields))

    @property
    def shown(self) -> SparsityField | None:
        """The field that is shown."""
        return self._fields.get(self._index)

    @property
    def lesson(self) -> str:
        """What the field that is shown teaches; empty where none is."""
        return lesson(self.shown) if self.shown else ""

    @property
    def is_complete(self) -> bool:
        """Whether every field has every answer."""
        complete = [len(each.rivals) == len(RIVALS) for each in self.fields]
        return len(complete) == len(self.settings.slides) and all(complete)

    # making the fields

    def use(self, settings: SparsitySettings) -> None:
        """Make these fields when started."""
        self.settings = settings
        self.true_box.setValue(settings.defocus_um)
        self.seed_box.setValue(settings.seed)

    def _on_start_clicked(self) -> None:
        for job in self._jobs:
            job.cancel()
        if self._jobs:
            return
        true_um, seed = self.true_box.value(), int(self.seed_box.value())
        self.settings = replace(self.settings, defocus_um=true_um, seed=seed)
        self._fields, self._index = {}, 0
        self.message.say("")
        self.progress.setRange(0, len(self.settings.slides))
        work = _work(self._state.model, self.settings)
        job = self.session.analysis.run(work, step=self._on_step, failed=self.message.fail, ended=self._on_ended)
        self._jobs.append(job)
        self._tell_progress(SparsityStep(0, len(self.settings.slides), "Opening the model"))
        self._update()

    def _on_step(self, step: SparsityStep | ModelPredictor) -> None:
        if isinstance(step, ModelPredictor):
            self._state.use_model(step)
            return
        self._tell_progress(step)
        if step.field is None:
            return
        is_new = step.index not in self._fields
        self._fields[step.index] = step.field
        if step.index == self._index:
            self.go_to(step.index) if is_new else self._update()
        else:
            self._update()

    def _tell_progress(self, step: SparsityStep) -> None:
        self.progress.setValue(step.index)
        self.progress.setFormat(step.text)

    def _on_ended(self) -> None:
        self._jobs.clear()
        self._update()

    # showing them

    def go_to(self, index: int) -> None:
        """Show a field, counted from 0, if it is ready."""
        if index not in self._fields:
            return
        self._index = index
        found = self._fields[index]
        seen = self._picture.show(found)
        self._state.tell(Estimated(seen, found.estimate))
        self._update()

    def _update(self) -> None:
        found, running = self.shown, self.is_running
        self.progress.setVisible(running)
        self.start_button.setText("Stop" if running else "Restart" if self._fields else "Start")
        self.previous_button.setEnabled(self._index - 1 in self._fields)
        self.next_button.setEnabled(self._index + 1 in self._fields)
        self.save_button.setEnabled(self.is_complete and not running)
        for box in (self.true_box, self.seed_box):
            box.setEnabled(not running)
        self.table.show_field(found)
        if found is None:
            self.place.setText("")
            self.content.setText("")
            return
        self.place.setText(f"<b>{density_words(found)}</b>, {self._index + 1} of {len(self.settings.slides)}")
        truth = f"truth {found.true_um:+.2f} µm".replace("-", "−")
        self.content.setText(f"{content_words(found)} · {truth}<br>{self.lesson}")

    def _on_theme_changed(self, *_: object) -> None:
        self.message.set_theme(self._viewer.theme)
        self.table.set_theme(self._viewer.theme)

    # the figure

    def _on_save_clicked(self) -> None:
        kinds = ";;".join(f"{kind.upper()} (*.{kind})" for kind in FORMATS)
        name, _ = QFileDialog.getSaveFileName(self, "Save the figure", "sparsity.png", kinds)
        if name:
            self.save(Path(name))

    def save(self, path: Path) -> None:
        """Write the figure, beside the GUI; the ending says in which format, PNG where it says none."""
        kind = path.suffix.lower().removeprefix(".") or FORMATS[0]
        fields, stem = self.fields, path.with_suffix("").name
        self.message.say("Drawing the figure…")
        self.session.analysis.call(
            lambda: save_sparsity_figure(fields, path.parent, name=stem, formats=(kind,)),
            done=self._on_saved,
            failed=self.message.fail,
        )

    def _on_saved(self, paths: tuple[Path, ...]) -> None:
        self.message.say(f"The figure is in {paths[0]}.")


def _work(model: ModelPredictor | None, settings: SparsitySettings):  # noqa: ANN202
    """Open the model unless it is, tell it, then make the fields."""
    if model is None:
        model = load_model(MODEL)
        yield model
    return (yield from sparsity_fields(model, _rig, settings))


def _rig(scene: Scene) -> SimulatedRig:
    """A simulated microscope for which waiting is free."""
    return simulated_rig(scene, clock=VirtualClock())


def _check(text: str, tip: str) -> QCheckBox:
    box = QCheckBox(text)
    box.setToolTip(tip)
    return box


def _teardown(overlays: FocusOverlays, picture: TourLayer, jobs: list[Job]):  # noqa: ANN202
    """What is left of a panel that has been destroyed."""

    def gone(*_: object) -> None:
        for job in jobs:
            job.cancel()
        overlays.close(*picture.layers)

    return gone
