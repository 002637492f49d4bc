"""What to train: stacks, the model to begin with, the time, and what the new model is called."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QFormLayout, QLineEdit, QVBoxLayout, QWidget

from napari_autofocus.errors import InputError
from napari_autofocus.files import make_folder
from napari_autofocus.models.library import InstalledModel, installed_models, user_folder
from napari_autofocus.widgets.parts.folds import Fold
from napari_autofocus.widgets.parts.forms import button, choice, columns_form, label, number, row
from napari_autofocus.widgets.session import Session
from napari_autofocus.widgets.train.kinds import SCRATCH, VIRTUAL, bases_of, kind_choice, offer_kinds
from napari_autofocus.widgets.train.names import free_name, name_like, target_of
from napari_autofocus.widgets.train.summary import DatasetSummary
from napari_autofocus.widgets.train.words import folder_words, minutes
from napari_autofocus.workflows.training.request import TrainingRequest
from napari_autofocus.workflows.training.steps import DatasetSeen

FOLDS = 3
"""Models of a cross-validation."""
_AUTO = "auto"
_OBJECTIVE_TIP = (
    "Magnification / numerical aperture, as in 20x/0.75, where the files do not state it; empty: what they say"
)
_RANGE_TIP = (
    "The model is to answer within ± this defocus, µm; auto: as far as the planes reach.\nOf virtual refocusing: shots"
    " lie no farther than this to either side of focus"
)
_PIXEL_TIP = "Size of a pixel in the sample, µm; auto: as the files say"


class TrainingChoice(QWidget):
    """The form in which a training is asked for.

    ``changed`` tells that the data set or the folder of the model is another one.

    Parameters
    ----------
    session : Session
        What the panels share.
    theme : str
        Id of the napari theme whose colours are used.
    """

    changed = Signal()

    def __init__(self, session: Session, theme: str) -> None:
        super().__init__()
        self._session = session
        self.dataset: Path | None = None
        self.folder = user_folder()
        self._named_by_user = False
        self._models: list[InstalledModel] = []
        self._build(theme)
        self._arrange()
        self._connect()
        self._show_folders()
        self._on_minutes_changed(self.minutes_box.value())
        self.list_models()

    # layout

    def _build(self, theme: str) -> None:
        self.dataset_button = button("Choose…", "Choose a folder of z-stacks, labelled or not, to learn from")
        self.dataset_label = label("no folder chosen", tip="Folder of z-stacks to learn from")
        self.summary = DatasetSummary(self._session, theme)
        self.base_box = choice([(SCRATCH, None)], "Model to begin with: it needs minutes; from scratch takes hours")
        self.kind_box = kind_choice()
        self.minutes_box = number(5, 0.1, 10_000, 1, "min", "Time to teach; reading and measuring come on top, min")
        self.minutes_box.setDecimals(1)
        self.folds_box = QCheckBox("Cross-validate")
        self.folds_box.setToolTip(
            f"Hold every stack out once, in {FOLDS} models taught beside: the error then comes with an interval, and"
            " is told of all stacks.\nEach of them is taught as long as the model itself"
        )
        self.name_edit = QLineEdit()
        self.name_edit.setToolTip("Name of the new model: letters, digits and . _ + - only")
        self.folder_button = button("Choose…", "Choose the folder that the model is written to")
        self.folder_label = label("")
        self._build_more()

    def _build_more(self) -> None:
        self.range_box = number(0, 0, 1000, 1, "µm", _RANGE_TIP, decimals=1)
        self.range_box.setSpecialValueText(_AUTO)
        self.objective_edit = QLineEdit()
        self.objective_edit.setPlaceholderText("as the files say, or 20x/0.75")
        self.objective_edit.setToolTip(_OBJECTIVE_TIP)
        self.pixel_box = number(0, 0, 100, 0.05, "µm", _PIXEL_TIP, decimals=4, width_px=112)
        self.pixel_box.setSpecialValueText(_AUTO)
        self.device_box = choice([("cpu", "cpu")], "What to train on")
        self.device_box.setCurrentIndex(0)

    def _arrange(self) -> None:
        stacks = row(self.dataset_label, 1, self.dataset_button)
        place = row(self.folder_label, 1, self.folder_button)
        time = row(self.minutes_box, 8, self.folds_box, 1)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for words, part in (("Stacks", stacks), ("Begin with", self.base_box), ("Teach", self.kind_box)):
            form.addRow(words, part)
            if part is stacks:
                form.addRow(self.summary)
        form.addRow("Time", time)
        form.addRow("Name", self.name_edit)
        form.addRow("Save in", place)
        more = columns_form(("Range ±", self.range_box), ("Objective", self.objective_edit), ("Pixel", self.pixel_box))
        more.addRow("Device", self.device_box)
        self._more = more
        more.setRowVisible(self.device_box, False)
        self.fold = Fold("More", "Range of the new model, and optics that the files do not state", more)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        column.addLayout(form)
        column.addWidget(self.fold)

    def _connect(self) -> None:
        self.dataset_button.clicked.connect(self._on_dataset_clicked)
        self.folder_button.clicked.connect(self._on_folder_clicked)
        self.base_box.activated.connect(self._on_base_chosen)
        self.kind_box.activated.connect(self._on_kind_chosen)
        self.name_edit.textEdited.connect(self._on_name_edited)
        self.minutes_box.valueChanged.connect(self._on_minutes_changed)
        for edited in (self.objective_edit.editingFinished, self.pixel_box.valueChanged):
            edited.connect(self._on_optics_stated)
        self.summary.seen.connect(self._on_seen)

    def set_theme(self, theme: str) -> None:
        """Wear the colours of a napari theme."""
        self.summary.set_theme(theme)

    # what is asked for

    def request(self) -> TrainingRequest:
        """What is asked for.

        Raises
        ------
        InputError
            In one sentence, if no data set is chosen, or the name cannot be used.
        """
        if self.dataset is None:
            raise InputError("No stacks are chosen; choose a folder of z-stacks to learn from.")
        make_folder(self.folder)
        return self._request(self.dataset, target_of(self.folder, self.name_edit.text()))

    def _request(self, dataset: Path, target: Path) -> TrainingRequest:
        return TrainingRequest(
            dataset=dataset,
            target=target,
            minutes=self.minutes_box.value(),
            base=self.base_box.currentData(),
            range_um=self.range_box.value() or None,
            folds=FOLDS if self.folds_box.isChecked() and self.folds_box.isEnabled() else 0,
            kind=self.kind_box.currentData(),
            objective=self.objective_edit.text().strip() or None,
            pixel_um=self.pixel_box.value() or None,
            device=self.device_box.currentData() or "cpu",
        )

    def choose(self, dataset: Path) -> None:
        """Learn from the stacks of this folder."""
        self.dataset = dataset
        self._show_folders()
        self._look()
        self.changed.emit()

    def _look(self) -> None:
        if self.dataset is not None and not self._session.is_closed:
            self.summary.look(self._request(self.dataset, self.folder / "looked-at.zip"))

    def list_models(self) -> None:
        """Offer every installed model to begin with; the one in use first of all."""
        self._session.analysis.call(lambda: list(installed_models()), done=self._on_models_listed)

    # what happens

    def _on_models_listed(self, found: list[InstalledModel]) -> None:
        self._models = found
        offer_kinds(self.kind_box, found)
        self._list_bases()

    def _list_bases(self) -> None:
        self.base_box.clear()
        for name, path in bases_of(self._models, self.kind_box.currentData()):
            self.base_box.addItem(name, path)
        used = self._session.focus.model
        self.base_box.setCurrentIndex(max(self.base_box.findText(used.name), 0) if used is not None else 0)

    def _on_kind_chosen(self, _: int) -> None:
        self.folds_box.setEnabled(self.kind_box.currentData() != VIRTUAL)  # which is measured on held-out stacks only
        self._list_bases()
        self._look()

    def _on_dataset_clicked(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Choose a folder of z-stacks", str(self.dataset or ""))
        if chosen:
            self.choose(Path(chosen))

    def _on_folder_clicked(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Choose where the model is written", str(self.folder))
        if chosen:
            self.folder = Path(chosen)
            self._show_folders()
            self.changed.emit()

    def _on_name_edited(self, _: str) -> None:
        self._named_by_user = True

    def _on_minutes_changed(self, minutes_each: float) -> None:
        self.folds_box.setText(f"Cross-validate, {minutes(60 * FOLDS * minutes_each)} more")

    def _on_base_chosen(self, _: int) -> None:
        self._look()

    def _on_optics_stated(self, *_: object) -> None:
        self._look()

    def _on_seen(self, seen: DatasetSeen) -> None:
        chosen = self.device_box.currentData()
        self.device_box.clear()
        for device in seen.devices:
            self.device_box.addItem(device, device)
        self.device_box.setCurrentIndex(max(self.device_box.findData(chosen), 0))
        self._more.setRowVisible(self.device_box, len(seen.devices) > 1)

    def _show_folders(self) -> None:
        if self.dataset is not None:
            self.dataset_label.setText(folder_words(self.dataset))
            self.dataset_label.setToolTip(str(self.dataset))
        self.folder_label.setText(folder_words(self.folder))
        self.folder_label.setToolTip(f"The model is written to {self.folder}")
        self.suggest_name()

    def suggest_name(self) -> None:
        """A name that is free, unless the user has given one."""
        if not self._named_by_user:
            wished = name_like(self.dataset.name if self.dataset is not None else "")
            self.name_edit.setText(free_name(self.folder, wished))
