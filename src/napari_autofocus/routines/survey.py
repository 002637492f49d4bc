"""Survey a slide: where it is in focus at many places, one shot a place, each from where its neighbours put the focus.

After Liao et al., Biomed. Opt. Express 13, 314 (2021): a shot by a model instead of a z-stack at each focus point,
serpentine so that defocus stays in the model's range. Whatever ends a survey, camera, shutter and live mode are put
back, slide and drive go where they were, and the points found so far are in the record. The survey by z-stacks that it
is compared with is here as well.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from napari_autofocus.errors import FrameError, MoveRefused
from napari_autofocus.focus.estimate import FocusPredictor
from napari_autofocus.microscope.protocol import Microscope
from napari_autofocus.routines.running.end import slide_comes_back
from napari_autofocus.routines.survey_config import Place, SurveyConfig, SurveyStep, SweepSurveyConfig
from napari_autofocus.routines.surveying.looking import Look, ModelLook
from napari_autofocus.routines.surveying.record import SurveyRecord
from napari_autofocus.routines.surveying.run import TRIES, SurveyRun
from napari_autofocus.routines.surveying.stacks import StackLook

__all__ = ["Place", "SurveyConfig", "SurveyRecord", "SurveyStep", "SweepSurveyConfig", "survey", "survey_by_sweep"]

Steps = Generator[SurveyStep, None, None]
Survey = Generator[SurveyStep, None, SurveyRecord]
Keep = Callable[[SurveyRecord], None]


def survey(
    microscope: Microscope,
    predictor: FocusPredictor,
    config: SurveyConfig,
    places: Sequence[Place],
    *,
    keep: Keep | None = None,
    earlier: SurveyRecord | None = None,
) -> Survey:
    """Find where a slide is in focus, one shot a place.

    Cancel by closing the generator: slide and drive are back when ``close`` returns, and ``keep`` has the points.

    Parameters
    ----------
    microscope : Microscope
        What to look through and what to move; it must move its slide.
    predictor : FocusPredictor
        What reads the frames.
    config : SurveyConfig
        How to go about it.
    places : sequence of (x, y)
        Stage positions, µm, in the order to visit: back and forth, so that each is near the one before.
    keep : callable, optional
        Told the record however the run ends, cancelled runs included (a closed generator returns nothing).
    earlier : SurveyRecord, optional
        A survey to go on with: what it found and what it found empty is not looked at again.

    Yields
    ------
    SurveyStep
        After each frame and each point.

    Returns
    -------
    SurveyRecord
        A point for each place that was visited. Hardware faults and refusals are outcomes, not exceptions.

    Raises
    ------
    InputError
        If the slide cannot be moved, there are no places, or the model refuses the frames. Slide and drive are back.
    HardwareError
        If not even the positions at the start can be read. Nothing has moved.
    """
    run = SurveyRun(
        microscope,
        config,
        places,
        earlier,
        method="one-shot",
        model=predictor.name,
        fingerprint=predictor.fingerprint,
        dof_um=predictor.card.dof_um,
    )
    look = ModelLook(run, predictor, config)
    record = yield from _carry_out(run, look, keep, again=look.again)
    return record


def survey_by_sweep(
    microscope: Microscope,
    config: SweepSurveyConfig,
    places: Sequence[Place],
    *,
    keep: Keep | None = None,
    earlier: SurveyRecord | None = None,
) -> Survey:
    """Find where a slide is in focus by a z-stack at each place, as it is done without a model.

    Parameters, steps, record and errors are those of :func:`survey`; the first place must be in focus within half the
    height of a stack, or within as many stacks as ``config.extensions`` allows.
    """
    run = SurveyRun(microscope, config, places, earlier, method="z-stack", dof_um=config.dof_um)
    record = yield from _carry_out(run, StackLook(run, config), keep)
    return record


def _carry_out(run: SurveyRun, look: Look, keep: Keep | None, *, again: Look | None = None) -> Survey:
    """Visit every place; whatever ends that, the record is told."""
    try:
        yield from run.guard.supervise(_visit_all(run, look, again))
    finally:
        record = run.record()
        if keep is not None:
            keep(record)
    return record


def _visit_all(run: SurveyRun, look: Look, again: Look | None) -> Steps:
    """One place after the other, doubtful ones again in the end, then back to where the slide stood."""
    run.guard.check_start()
    number = 0
    with slide_comes_back(run.bring_slide_back):
        for number in run.numbers():
            yield from _visit(run, number, look)
        if again is not None:
            for number in run.doubtful():
                yield from _revisit(run, number, again)
        yield run.step("surface", number, surface=run.fitted())


def _visit(run: SurveyRun, number: int, look: Look) -> Steps:
    """One place: its point, whatever there is to say; a camera that fails is given one more chance."""
    place = run.places[number]
    for tries in range(1, TRIES + 1):
        try:
            point = yield from look(number)
        except MoveRefused as error:
            point = run.point_at(place, "out_of_reach", str(error))
        except FrameError as error:
            if tries < TRIES:
                continue
            point = run.point_at(place, "failed", f"The camera failed {TRIES} times here: {error}")
        break
    if not run.found and point.z_um is None and point.outcome in ("empty", "refused") and run.put_off(number, point):
        return
    yield run.settle(number, point)


def _revisit(run: SurveyRun, number: int, again: Look) -> Steps:
    """A place whose point does not fit; if it is not looked at after all, what was known of it stays."""
    before = run.forget(number)
    try:
        yield from _visit(run, number, again)
    finally:
        run.settled.setdefault(number, before)
