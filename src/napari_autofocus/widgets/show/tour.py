"""A tour that presses the panels' buttons without anybody at the mouse, takes pictures and compares with the truth."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_autofocus.records import FocusRecord
from napari_autofocus.widgets.connecting import SimulatedChoice
from napari_autofocus.widgets.demo import SAMPLE, Demo
from napari_autofocus.widgets.parts.waiting import Waiting
from napari_autofocus.widgets.show.report import Stage, TourReport

HOLD_S = 20.0
DRIFT_UM_S = 0.04
_HOLD_INTERVAL_S = 1.0
_HOLD_WINDOW = 3
_HOLD_BAND_UM = 0.05

Told = Callable[[str], None]


def run_tour(choice: SimulatedChoice, out: Path, *, seconds: float = 300.0, told: Told = print) -> TourReport:
    """Show what the panels can do on a simulated microscope, taking pictures.

    Parameters
    ----------
    choice : SimulatedChoice
        Microscope and slide.
    out : Path
        Folder for the pictures; must exist.
    seconds : float
        Time for the whole tour, s.
    told : callable
        Told in a line what happens.

    Raises
    ------
    RoutineTimeout
        If something takes too long.
    """
    demo = Demo(choice)
    try:
        tour = _Tour(demo, out, Waiting(demo.session, seconds), told)
        tour.run()
    finally:
        demo.viewer.close()
    return tour.report


class _Tour:
    """The stages, one after the other."""

    def __init__(self, demo: Demo, out: Path, waiting: Waiting, told: Told) -> None:
        self._demo = demo
        self._panel = demo.autofocus
        self._session = demo.session
        self._out = out
        self._wait = waiting
        self._told = told
        self.report = TourReport(asdict(demo.choice))

    def run(self) -> None:
        """All stages; the report is complete afterwards."""
        self._connect()
        before_and_after = self._look, self._propose, self._accept, self._undo, self._refocus
        for stage in (*before_and_after, self._hold, self._sweep, self._runs):
            self._stage(stage)
        self._label()
        self._conclude()

    def _stage(self, stage: Callable[[], tuple[str, str, dict[str, Any]]]) -> None:
        began_s, before_um = time.monotonic(), self._truth_um()
        outcome, sentence, facts = stage()
        seconds = round(time.monotonic() - began_s, 2)
        name = stage.__name__.strip("_")
        self.report.stages.append(Stage(name, outcome, sentence, before_um, self._truth_um(), seconds, facts))
        self._told(f"{name}: {sentence}")
        self._picture(name)

    def _conclude(self) -> None:
        report = self.report
        first = report.stage("accept")
        if first is not None:
            report.defocus_before_um, report.defocus_after_um = first.defocus_before_um, first.defocus_after_um
        report.focused = all(report.in_focus(report.stage(name)) for name in ("accept", "refocus", "hold", "sweep"))

    # the stages: each returns its outcome, what the panel said, and what else there is to tell

    def _connect(self) -> None:
        self._demo.connect()
        self._wait.for_microscope_and_model()
        self.report.dof_um = self._session.connection.dof_um

    def _look(self) -> tuple[str, str, dict[str, Any]]:
        self._wait.for_answer()
        self._wait.settle()
        readout = self._panel.readout
        newest = self._session.focus.newest
        facts = {"defocus_um": newest.estimate.defocus_um} if newest else {}
        outcome = newest.estimate.verdict if newest else "refused"
        return outcome, f"{readout.headline.text()} {readout.detail.text()}".strip(), facts

    def _propose(self) -> tuple[str, str, dict[str, Any]]:
        section = self._panel.refocusing
        section.buttons.propose.click()
        self._wait.for_rest()
        self._wait.settle()
        proposal = section.proposal
        target_um = proposal.target_um if proposal else None
        return "proposed" if target_um is not None else "no move", section.message.text(), {"target_um": target_um}

    def _accept(self) -> tuple[str, str, dict[str, Any]]:
        buttons = self._panel.refocusing.buttons
        return self._run(buttons.accept if buttons.accept.isVisible() else buttons.refocus)

    def _undo(self) -> tuple[str, str, dict[str, Any]]:
        section = self._panel.refocusing
        if not section.buttons.undo.isEnabled():
            return "nothing to undo", "Nothing has moved.", {}
        section.buttons.undo.click()
        self._wait.for_rest()
        self._wait.for_answer()
        return "undone", section.message.text(), {}

    def _refocus(self) -> tuple[str, str, dict[str, Any]]:
        return self._run(self._panel.refocusing.buttons.refocus)

    def _sweep(self) -> tuple[str, str, dict[str, Any]]:
        section = self._panel.refocusing
        self._stop_holding()
        self._panel.tabs.setCurrentWidget(section)
        self._demo.defocus()
        self._wait.for_rest()
        method = section.options.method_box
        method.setCurrentIndex(method.findData("sweep"))
        return self._run(section.buttons.refocus)

    def _run(self, button: Any) -> tuple[str, str, dict[str, Any]]:
        """Press a button that starts a run, wait for its end and for a live estimate after it."""
        section, ended = self._panel.refocusing, []
        section.finished.connect(ended.append)
        button.click()
        self._wait.for_rest()
        section.finished.disconnect(ended.append)
        self._wait.for_answer()
        record: FocusRecord | None = ended[-1] if ended else None
        return record.outcome if record else "refused", section.message.text(), asdict(record) if record else {}

    def _hold(self) -> tuple[str, str, dict[str, Any]]:
        """Let the sample drift and look whether the hold follows; it is still on afterwards."""
        section, stage = self._panel.holding, self._session.connection.rig.z_stage
        self._panel.tabs.setCurrentWidget(section)
        section.interval_box.setValue(_HOLD_INTERVAL_S)
        section.window_box.setValue(_HOLD_WINDOW)
        section.band_box.setValue(_HOLD_BAND_UM)
        stage.drift_um_s = DRIFT_UM_S
        section.hold_button.click()
        worst_um = self._watch_the_truth(HOLD_S)
        stage.drift_um_s = 0.0
        looks: list[object] = []
        self._session.focus.estimated.connect(looks.append)  # on a busy machine looks come later than they should
        self._wait.until("further looks of the hold", lambda: len(looks) > _HOLD_WINDOW or not section.is_holding)
        self._session.focus.estimated.disconnect(looks.append)
        outcome = "held" if section.is_holding else "ended"
        sentence = f"{section.state_word.text()}: {section.message.text()} {section.summary.text()}."
        return outcome, sentence, {"drifted_um": HOLD_S * DRIFT_UM_S, "worst_defocus_um": round(worst_um, 3)}

    def _stop_holding(self) -> None:
        section = self._panel.holding
        if section.is_holding:
            section.hold_button.click()
            self._wait.until("the hold to end", lambda: not section.is_holding)

    def _watch_the_truth(self, seconds: float) -> float:
        """Largest true defocus while so long passes, µm."""
        seen_um = [abs(self._truth_um())]
        self._wait.meanwhile = lambda: seen_um.append(abs(self._truth_um()))
        self._wait.for_seconds(seconds)
        self._wait.meanwhile = _nothing
        return max(seen_um)

    def _runs(self) -> tuple[str, str, dict[str, Any]]:
        table, log = self._panel.runs, self._session.runs
        self._panel.tabs.setCurrentWidget(table)
        table.table.selectRow(table.model.rowCount() - 1)
        log.export_csv(self._out / "runs.csv")
        log.export_json(self._out / "runs.json")
        self._wait.settle()
        return "listed", table.count.text(), {"files": ["runs.csv", "runs.json"]}

    def _label(self) -> None:
        panel = self._demo.open_labelling()
        panel.find_button.click()
        self._wait.until("the labelling to end", lambda: panel.result is not None and not panel.is_running)
        panel.go_button.click()
        focus = panel.result
        self._told(f"Sample {SAMPLE}: {panel.message.text()}")
        self.report.labelling = {
            "source": SAMPLE,
            "planes": focus.planes,
            "best_z_um": focus.field.best_z_um,
            "uncertainty_um": focus.field.uncertainty_um,
            "verdict": focus.field.verdict,
            "trusted": focus.field.trusted,
            "patches_trusted": sum(patch.trusted for patch in focus.patches),
            "patches": len(focus.patches),
            "sentence": panel.message.text(),
        }
        self._wait.settle()
        self._picture("label")

    def _truth_um(self) -> float:
        return float(self._session.connection.rig.true_defocus_um())

    def _picture(self, name: str) -> None:
        path = self._out / f"{len(self.report.screenshots) + 1}-{name}.png"
        self._demo.viewer.screenshot(str(path), canvas_only=False, flash=False)
        self.report.screenshots.append(path.name)


def _nothing() -> None:
    pass
