"""The Focus map panel: scout a slide, draw an area, survey its focus, judge the map, and use it."""

from __future__ import annotations

import math

import napari.viewer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.routines.follow import FollowStep
from napari_autofocus.routines.survey_config import SurveyStep
from napari_autofocus.routines.surveying.record import SurveyRecord
from napari_autofocus.widgets.estimate.model_choice import ModelChoice
from napari_autofocus.widgets.map.book import MapBook
from napari_autofocus.widgets.map.compare import CompareSection
from napari_autofocus.widgets.map.frame import Leaving, stacked, tabs_of
from napari_autofocus.widgets.map.judge import JudgeSection
from napari_autofocus.widgets.map.layers import MapLayers
from napari_autofocus.widgets.map.overview import OverviewLayers
from napari_autofocus.widgets.map.plan import PlanSection
from napari_autofocus.widgets.map.scout import OverviewSection
from napari_autofocus.widgets.map.survey import SurveySection
from napari_autofocus.widgets.map.take import TakeSection
from napari_autofocus.widgets.map.use import UseSection
from napari_autofocus.widgets.map.view import MapSight, MapView
from napari_autofocus.widgets.map.words import Place, survey_words
from napari_autofocus.widgets.map.work import SurveyWork
from napari_autofocus.widgets.parts.docks import share_height
from napari_autofocus.widgets.parts.forms import connect_while_alive, heading, scrolled
from napari_autofocus.widgets.session import Session


class FocusMapPanel(QWidget):
    """Maps where a slide is in focus."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        share_height(self, grows=True)
        self._session = Session.of(napari_viewer)
        self._viewer = self._session.viewer
        self.record: SurveyRecord | None = None
        self._again = -1
        self._build(self._viewer.theme)
        self._arrange()
        self._connect()
        self._refresh()

    def _build(self, theme: str) -> None:
        session = self._session
        # No children of this widget: they have work to undo in the viewer when it goes.
        self.book, self.layers = MapBook(), MapLayers(self._viewer)
        self.overview_layers = OverviewLayers(self._viewer)
        self.work = SurveyWork(session)
        self.model = ModelChoice(session, theme)
        self.plan = PlanSection(self._viewer, self.overview_layers, theme)
        self.overview = OverviewSection(session, self.overview_layers, theme)
        self.sight = MapSight(self._viewer, self.book)
        self.take = TakeSection(session, self.overview_layers, self.plan.area, theme)
        self.view = MapView(self._viewer, self.sight, self.layers, self.overview_layers, self.plan.area)
        self.survey = SurveySection(session, theme)
        self.judge = JudgeSection(self.book, theme)
        self.compare = CompareSection(session, self.layers, theme)
        self.use = UseSection(session, self.book, theme)

    def _arrange(self) -> None:
        plan = stacked(heading("Overview"), self.take, self.overview, heading("Area"), self.plan)
        self.tabs = tabs_of(plan, self.judge, self.compare, self.use)
        column = scrolled(self)
        for part in (self.model, self.view, self.tabs, self.survey):
            column.addWidget(part, 1 if part is self.tabs else 0)

    def _connect(self) -> None:
        for signal, slot in (
            (self.plan.changed, self._on_plan_changed),
            (self.plan.drawing, self.view.show_map),
            (self.overview.shown, self.view.show_map),
            (self.take.shown, self.view.show_map),
            (self.survey.start_wanted, self._on_start),
            (self.survey.anew_wanted, self._start),
            (self.survey.stop_wanted, self.work.stop),
            (self.work.stepped, self._on_step),
            (self.work.ended, self._on_ended),
            (self.work.failed, self._on_failed),
            (self.judge.picked, self.layers.select),
            (self.judge.again_wanted, self._on_again),
            (self.judge.go_wanted, self.use.go_to),
            (self.sight.picked, self._on_point_clicked),
            (self.compare.wanted, self._on_compare),
            (self.use.said, self.survey.message.say),
            (self.use.imported, self._on_imported),
            (self.view.shown, self._on_points_changed),
            (self.use.places_imported, self._on_places_imported),
            (self.use.follow.stepped, self._on_follow_step),
            (self.book.changed, self._on_points_changed),
            (self.book.fitted_changed, self._on_points_changed),
        ):
            signal.connect(slot)
        self._connect_viewer()

    def _connect_viewer(self) -> None:
        """What happens outside of the panel, and its own end."""
        session = self._session
        leave = Leaving(self.sight.leave, self.book, self.layers, self.overview_layers, self.plan.area)
        work, take = self.work, self.take
        self.destroyed.connect(lambda *_: session.stop_run() if work.doing or take.is_ours else None)
        # Not at once: napari crashes if layers go while Qt is in the middle of deleting a widget.
        self.destroyed.connect(lambda: QTimer.singleShot(0, leave))
        connect_while_alive(
            self,
            [
                (session.closing, leave),
                (session.connection_changed, self._refresh),
                (session.running_changed, self._refresh),
                (session.view.shown, self._on_frame_shown),
                (session.focus.model_changed, self._refresh),
                (self._viewer.events.theme, self._on_theme_changed),
            ],
        )

    # surveys

    def _on_start(self) -> None:
        self._start(self.record if self._left else None)

    def _start(self, earlier: SurveyRecord | None = None) -> None:
        self.plan.area.let_go()
        try:
            self.work.survey(self.plan.places, earlier)
        except InputError as error:
            self.survey.message.fail(error)
            return
        if earlier is None:
            self.book.begin()
            self.compare.forget()
        self.view.show_map()
        self.survey.message.say("Starting…")

    def _on_again(self, index: int) -> None:
        self._again = index
        try:
            self.work.again(self.book.points, index)
        except InputError as error:
            self.judge.message.fail(error)

    def _on_compare(self, planes: int, step_um: float) -> None:
        places = [(point.x_um, point.y_um) for point in self.book.points]
        if not places:
            self.compare.message.say("There is no map to compare with; survey by the model first.", "warning")
            return
        self.work.survey_by_sweep(places, planes, step_um)
        self.view.show_map()

    def _on_step(self, step: SurveyStep) -> None:
        self.survey.show_step(step)
        if step.frame is not None:
            self.layers.show_stage(step.frame.x_um, step.frame.y_um)
        if step.point is not None and self.work.doing == "survey":
            self.book.add(step.number, step.point)

    def _on_ended(self, record: SurveyRecord) -> None:
        doing, self.work.doing = self.work.doing, None
        self.survey.message.say(*survey_words(record))
        if self._session.microscope is not None:
            self._session.ask(lambda microscope: microscope.xy_um(), done=self._on_located)  # it is back
        if doing == "again":
            self._take_again(record)
        elif doing == "brenner":
            self.compare.show_theirs(record, self.book.map)
        elif doing == "survey":
            self.record = record
            self.plan.took(len(record.points) - record.taken_over, record.seconds)
            self.book.finish(record.points)
            self.compare.show_ours(record)
        self._refresh()

    def _take_again(self, record: SurveyRecord) -> None:
        """Put the point that was looked at once more in place of what it was."""
        last = len(record.places) - 1
        found = [point for number, point in zip(record.numbers, record.points, strict=True) if number == last]
        if found and self._again < len(self.book.points):
            self.book.put(self._again, found[0])
            self.judge.choose(self._again)

    def _on_failed(self, error: AutofocusError) -> None:
        self.work.doing = None
        self.survey.message.fail(error)
        self._refresh()

    @property
    def _left(self) -> int:
        """Points of the planned places that the newest survey has not settled; 0 where it is another plan or none."""
        record = self.record
        if record is None or record.outcome in ("done", "refused") or tuple(self.plan.places) != record.places:
            return 0
        return len(record.left)

    # what else happens

    def _on_plan_changed(self) -> None:
        if not self.book.points or tuple(self.plan.places) != getattr(self.record, "places", None):
            self.layers.show_plan(self.plan.places)
        self._refresh()

    def _on_points_changed(self) -> None:
        limits = self.book.limits_um
        flat, picture = not self.view.is_solid, self.book.fitted.picture if self.book.fitted else None
        if self.view.shows_map and flat:
            self.layers.show_points(self.book.points, self.book.rejected, limits)
        if self.view.shows_map:
            self.layers.show_surface(picture, limits, flat=flat)
        self.view.offer_solid(self.book.map is not None, limits)
        self.survey.show_limits(limits, any(point.z_um is not None for point in self.book.points))

    def _on_point_clicked(self, index: int) -> None:
        self.tabs.setCurrentWidget(self.judge)
        self.judge.choose(index)

    def _on_imported(self) -> None:
        self.record = None
        self.compare.forget()
        self.view.show_map()

    def _on_places_imported(self, places: list[tuple[float, float]]) -> None:
        self.plan.take(places)
        self.view.show_map()

    def _on_located(self, place: Place) -> None:
        if self.view.shows_map:
            self.layers.show_stage(*place)

    def _on_frame_shown(self, frame: Frame) -> None:
        self.sight.keep_covered()
        self.take.show_frame(frame)
        if math.isfinite(frame.x_um):
            self.plan.show_stage(frame.x_um, frame.y_um)
            if self.view.shows_map:
                self.layers.show_stage(frame.x_um, frame.y_um)

    def _on_follow_step(self, step: FollowStep) -> None:
        if self.view.shows_map:
            self.layers.show_stage(step.x_um, step.y_um)

    def _refresh(self, *_: object) -> None:
        running, connected = self._session.is_running, self._session.connection is not None
        if not running:
            self.work.doing = None  # one that was cancelled before it began tells nothing
        ours = self.work.doing is not None
        self.survey.refresh(self.plan.places, self.plan.fault, ours=ours, left=self._left)
        for part in (self.plan, self.use.import_button):
            part.setEnabled(not running)
        can_move = connected and not running
        can_look = can_move and self._session.focus.model is not None
        self.judge.allow(can_edit=not running, can_move=can_move, can_look=can_look)
        self.compare.start_button.setEnabled(can_move)

    def _on_theme_changed(self, *_: object) -> None:
        parts = (self.model, self.take, self.overview, self.plan, self.survey, self.judge, self.compare, self.use)
        for part in parts:
            part.set_theme(self._viewer.theme)
