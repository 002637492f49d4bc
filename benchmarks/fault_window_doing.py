"""What a napari window is doing when it is closed: how it is begun, and what it must have left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fault_stand import HOME_UM, LENS, OPTICS, Stand

ENDED_S = 45.0
"""A window that has not closed by then, or a process beside it that has not ended, hangs."""


@dataclass
class Scene:
    """A window with its panels over a microscope, and what was told so far."""

    viewer: Any
    session: Any
    panel: Any
    stand: Stand
    folder: Path
    told: list[Any] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def run(self, work: Any) -> None:
        """Start a routine as every panel does."""
        self.session.start_run(work, step=self.told.append, failed=lambda error: self.said.append(str(error)))

    def open_panel(self, name: str) -> Any:
        """Open another panel from the plugin's manifest; it is the one that works."""
        self.panel = self.viewer.window.add_plugin_dock_widget("napari-autofocus", name)[1]
        return self.panel


def _nothing(_: Scene) -> Iterator[str]:
    yield from ()


@dataclass(frozen=True)
class Doing:
    """One thing to interrupt.

    Parameters
    ----------
    begin : callable
        Starts it.
    left : callable
        What is wrong with what it left, looked at after the window has gone.
    is_running : callable
        Whether it is on its way.
    goes_home : bool
        Whether the drive must be back unless it is in focus.
    ends_focused : bool
        Whether it may leave the drive in focus.
    longest_ms : int
        It is closed a random time up to this after it has begun.
    """

    begin: Callable[[Scene], None]
    left: Callable[[Scene], Iterator[str]] = _nothing
    is_running: Callable[[Scene], bool] = lambda scene: bool(scene.session.is_running)
    goes_home: bool = True
    ends_focused: bool = False
    longest_ms: int = 2500


def _sweep(scene: Scene) -> None:
    from napari_autofocus.routines.sweep import SweepConfig, sweep

    scene.run(sweep(scene.stand.rig.microscope, SweepConfig(range_um=6.0, dof_um=1.0)))


def _survey(scene: Scene) -> None:
    from fault_routines import folder_of, places, survey_config
    from napari_autofocus.workflows.survey import survey_slide

    model, path = scene.session.focus.model, folder_of("survey", scene.folder)
    scene.run(survey_slide(scene.stand.rig.microscope, model, survey_config(), places(), path=path))


def _survey_left(scene: Scene) -> Iterator[str]:
    from fault_routines import folder_of
    from napari_autofocus.workflows.survey import read_record

    told = {step.number for step in scene.told if step.point is not None}
    record = read_record(folder_of("survey", scene.folder))
    lost = told - set(record.numbers if record is not None else ())
    if lost:
        yield f"points {sorted(lost)} were told and are lost"


def _acquire(scene: Scene) -> None:
    from fault_routines import folder_of, stacks_plan
    from napari_autofocus.workflows.acquisition import acquire_stacks

    scene.run(acquire_stacks(scene.stand.rig.microscope, stacks_plan(), folder_of("acquire stacks", scene.folder)))


def _stacks_left(scene: Scene, name: str) -> Iterator[str]:
    from fault_routines import folder_of
    from napari_autofocus.io import open_stack

    for step in scene.told:
        result = getattr(getattr(step, "step", step), "result", None)
        if getattr(result, "state", "") == "written":
            open_stack(folder_of(name, scene.folder) / result.name).plane(0)  # raises if it is lost or broken
    yield from ()


def _calibrate(scene: Scene) -> None:
    from fault_calibrating import calibrate

    scene.run(calibrate(scene.stand, scene.told.append))


def _calibration_left(scene: Scene) -> Iterator[str]:
    from fault_calibrating import unfinished

    unfinished(scene.folder)  # raises if what it left cannot be read
    scene.told = [step for step in scene.told if hasattr(step, "step")]
    yield from _stacks_left(scene, "calibrate")


def _mda(scene: Scene) -> None:
    from useq import AxesBasedAF, MDASequence

    panel, core = scene.open_panel("Acquire with autofocus"), scene.stand.rig.core
    scene.told.append(core.mda.engine)
    panel.arm_button.click()
    height = scene.stand.direction * 1.3
    plan = MDASequence(
        stage_positions=[(-40.0, 0.0, height + 1.0), (*HOME_UM, height - 1.0)],
        time_plan={"interval": 0, "loops": 9},
        z_plan={"range": 2, "step": 1},
        autofocus_plan=AxesBasedAF(axes=("t", "p")),
    )
    core.run_mda(plan)  # as any widget would


def _mda_left(scene: Scene) -> Iterator[str]:
    from napari_autofocus.workflows.mda import is_acquiring

    core = scene.stand.rig.core
    if is_acquiring(core):
        yield "it goes on acquiring"
    if core.mda.engine is not scene.told[0]:
        yield "the core has not got its engine back"


def _label(scene: Scene) -> None:
    from fault_labelling import make_stacks

    folder = scene.folder / "labelled"
    folder.mkdir()
    make_stacks(folder, 16, 256)
    panel = scene.open_panel("Label z-stack")
    panel.source.annotator_edit.setText("ann")
    panel.at.said.connect(scene.said.append)
    panel.measure.stepped.connect(scene.told.append)
    panel.open_folder(folder)
    panel.at.came.connect(lambda _: panel.measure.is_running or panel.measure.all_button.click())


def _labels_left(scene: Scene) -> Iterator[str]:
    from napari_autofocus.labelling.opinions import BRENNER, Opinion
    from napari_autofocus.workflows.labels.brenner import StackMeasured
    from napari_autofocus.workflows.labels.desk import LabellingDesk

    measured = {step.path.name for step in scene.told if isinstance(step, StackMeasured)}
    with LabellingDesk(scene.folder / "labelled", "eve") as desk:
        known = {entry.stack for entry in desk.history() if entry.annotator == BRENNER}
        if not measured <= known:
            yield f"{measured - known} were told as measured and are lost"
        desk.say(desk.items[0].path, Opinion("skip"))


def _train(scene: Scene) -> None:
    from fault_labelling import make_stacks

    folder = scene.folder / "learned"
    folder.mkdir()
    make_stacks(folder, 4, 192, objective=LENS, pixel_size_um=LENS.pixel_size_um)
    panel = scene.open_panel("Train")
    panel.choice.dataset = folder
    panel.choice.suggest_name()
    panel.choice.minutes_box.setValue(60)
    panel.train_button.click()
    panel.run.failed.connect(lambda error: scene.said.append(str(error)))
    scene.told.append(panel.run)


def _training_left(scene: Scene) -> Iterator[str]:
    from safetensors import safe_open

    from napari_autofocus.workflows.training.request import TrainingFolder

    run = scene.told[0]
    if not run.following.process.wait(ENDED_S):
        yield "hang: the training goes on"
    folder = TrainingFolder.of(run.request.target)
    if folder.path.exists():
        folder.request()  # raises if it cannot be gone on with
    for path in folder.work.rglob("*.safetensors"):
        with safe_open(path, framework="np") as file:
            for name in file.keys():  # noqa: SIM118 (not a mapping)
                file.get_tensor(name)


def _virtual(scene: Scene) -> None:
    from napari_autofocus.models.library import find_model

    panel = scene.open_panel("Virtual refocus")
    panel.model.use_file(find_model("tsva-20x"))
    rng = np.random.default_rng(1)
    for name in "ab":
        image = rng.integers(0, 255, (2048, 2048, 3), dtype=np.uint8)
        scene.viewer.add_image(image, name=name, rgb=True, scale=(LENS.pixel_size_um,) * 2, units=("um", "um"))
    panel.model.changed.connect(lambda: panel.work.is_running or panel.run_button.click())
    scene.session.focus.state_objective(OPTICS.objective)


def _virtual_left(_: Scene) -> Iterator[str]:
    if left := [each.name for each in threading.enumerate() if "analysis" in each.name]:
        yield f"it goes on recovering: {left}"


DOING: dict[str, Doing] = {
    "live": Doing(lambda _: None, is_running=lambda scene: bool(scene.session.is_live)),
    "refocus": Doing(lambda scene: scene.panel.refocusing.buttons.refocus.click(), ends_focused=True, longest_ms=1200),
    "hold": Doing(
        lambda scene: scene.panel.holding.hold_button.click(),
        is_running=lambda scene: bool(scene.panel.holding.is_holding),
        goes_home=False,
    ),
    "sweep": Doing(_sweep, ends_focused=True, longest_ms=1500),
    "survey": Doing(_survey, _survey_left, longest_ms=5000),
    "acquire stacks": Doing(_acquire, lambda scene: _stacks_left(scene, "acquire stacks"), longest_ms=5000),
    "calibrate": Doing(_calibrate, _calibration_left, longest_ms=8000),
    "MDA": Doing(_mda, _mda_left, goes_home=False),
    "label": Doing(_label, _labels_left, lambda scene: bool(scene.panel.is_running), longest_ms=3000),
    "train": Doing(_train, _training_left, lambda scene: bool(scene.panel.run.state != "idle"), longest_ms=15000),
    "virtual refocus": Doing(_virtual, _virtual_left, lambda scene: bool(scene.panel.work.is_running), longest_ms=8000),
}
