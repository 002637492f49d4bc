"""Acquisitions with autofocus on a core of anybody's: the engine is put in place for a run, or armed, and put back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Thread
from typing import Any

from pymmcore_plus import CMMCorePlus
from useq import MDAEvent, MDASequence

from napari_autofocus.errors import AutofocusError, HardwareError, InputError
from napari_autofocus.workflows.mda.checks import MdaMicroscope, check_sequence
from napari_autofocus.workflows.mda.config import MapHeight, MdaFocusConfig
from napari_autofocus.workflows.mda.engine import FocusEngine
from napari_autofocus.workflows.mda.finders import MdaFinder
from napari_autofocus.workflows.mda.record import FocusEvent, MdaFocusRecord
from napari_autofocus.workflows.mda.saving import MdaFolder
from napari_autofocus.workflows.mda.sequences import has_autofocus

POLL_S = 0.2


class ArmedCore:
    """Every acquisition that anybody runs on a core is focused, until it is disarmed.

    The engine that the core had is kept inside, and is the core's again afterwards. Also a context manager.

    Parameters
    ----------
    microscope : MdaMicroscope
        Whose core it is.
    finder : MdaFinder
        What focuses a field.
    config : MdaFocusConfig
        When, in which light, and what happens where it fails.
    **settings
        As for :class:`~napari_autofocus.workflows.mda.engine.FocusEngine`.

    Raises
    ------
    InputError
        If an acquisition is running, or the core is armed already.
    """

    def __init__(self, microscope: MdaMicroscope, finder: MdaFinder, config: MdaFocusConfig, **settings: Any) -> None:
        self._core = microscope.core
        _require_idle(self._core, "armed")
        before: Any = self._core.mda.engine
        if isinstance(before, FocusEngine):
            raise InputError("Acquisitions on this microscope are focused already; disarm that first.")
        self.engine = FocusEngine(before, microscope, finder, config, **settings)
        self._core.register_mda_engine(self.engine)

    @property
    def is_armed(self) -> bool:
        """Whether the core still has our engine; somebody else may have set another."""
        engine: Any = self._core.mda.engine
        return engine is self.engine

    def disarm(self) -> None:
        """Give the core the engine back that it had; one that somebody else has set since is left alone.

        Raises
        ------
        InputError
            If an acquisition is running.
        """
        if self.is_armed:
            _require_idle(self._core, "disarmed")
            self._core.register_mda_engine(self.engine.inner)

    def __enter__(self) -> ArmedCore:
        return self

    def __exit__(self, *_: object) -> None:
        self.disarm()


def acquire_with_autofocus(
    microscope: MdaMicroscope,
    sequence: MDASequence | Iterable[MDAEvent],
    finder: MdaFinder,
    config: MdaFocusConfig | None = None,
    *,
    height: MapHeight | None = None,
    out: Path | str | None = None,
    output: Any = None,
    keep: Callable[[MdaFocusRecord], None] | None = None,
    on_focus: Callable[[FocusEvent], None] | None = None,
) -> MdaFocusRecord:
    """Run an acquisition and focus in it wherever its autofocus plan says; returns when it has ended.

    The core's own runner is used, so that viewers see the frames; its engine is restored whatever happens. Ctrl-C
    cancels the acquisition and waits until everything is put back.

    Parameters
    ----------
    microscope : MdaMicroscope
        A ``CoreMicroscope`` over any core, C++ or Python.
    sequence : MDASequence or iterable of MDAEvent
        What to acquire; planes relative to the focus of each position.
    finder : MdaFinder
        What focuses: ``model_finder(...)`` or ``sweep_finder(...)``.
    config : MdaFocusConfig, optional
        When, in which light, and what happens where it fails.
    height : callable, optional
        Focus map: drive position by (x, y), for the policy ``map`` and for places never focused.
    out : path, optional
        Folder that takes an OME-Zarr a place, a line of metadata a frame, and the record; grey or RGB.
    output : optional
        Whatever pymmcore-plus takes for its own writers; these do not write RGB.
    keep : callable, optional
        Told the record however the run ends, also where this raises.
    on_focus : callable, optional
        Told of every attempt to focus.

    Returns
    -------
    MdaFocusRecord
        What was found where, what was left out, and why it ended.

    Raises
    ------
    InputError
        If the acquisition cannot be focused here (nothing has moved then), a model refuses the frames, or the disk is
        full.
    HardwareError
        If a device failed in a way that ends an acquisition.
    """
    config = config or MdaFocusConfig()
    if isinstance(sequence, MDASequence):
        _require_plan(sequence, config)
        check_sequence(sequence, microscope, config, finder, has_map=height is not None)
    folder = None if out is None else _folder(Path(out), sequence)
    kept: list[MdaFocusRecord] = []

    def keep_both(record: MdaFocusRecord) -> None:
        kept.append(record)
        if keep is not None:
            keep(record)

    settings = {"height": height, "folder": folder, "keep": keep_both, "on_focus": on_focus}
    with ArmedCore(microscope, finder, config, **settings):
        _run_to_end(microscope.core, sequence, output)
    return kept[-1]


def _run_to_end(core: CMMCorePlus, sequence: Any, output: Any) -> None:
    """Run in a thread of its own, whose failures are raised here: the core's own ``run_mda`` swallows them."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            core.mda.run(sequence, output=output)
        except BaseException as error:
            failures.append(error)
            if not isinstance(error, Exception):
                raise

    thread = Thread(target=run, name="napari-autofocus acquisition", daemon=True)
    thread.start()
    try:
        _wait_for(thread)
    except BaseException:
        core.mda.cancel()
        _wait_for(thread)
        raise
    if not failures:
        return
    error = failures[0]
    if isinstance(error, AutofocusError):
        raise error
    raise HardwareError(f"The acquisition failed: {error}") from error


def _wait_for(thread: Thread) -> None:
    while thread.is_alive():
        thread.join(POLL_S)


def is_acquiring(core: CMMCorePlus) -> bool:
    """Whether an acquisition runs on a core, its putting back included."""
    return core.mda.status.phase.value != "idle"


def _require_idle(core: CMMCorePlus, what: str) -> None:
    if is_acquiring(core):
        raise InputError(f"An acquisition is running; autofocus can be {what} when it has ended. Cancel it, or wait.")


def _require_plan(sequence: MDASequence, config: MdaFocusConfig) -> None:
    if not config.axes and not has_autofocus(sequence):
        raise InputError(
            "This acquisition has no autofocus plan; give it one (autofocus_plan=AxesBasedAF(axes=('p',))), or say on"
            " which axes to focus (MdaFocusConfig(axes=('p',)))."
        )


def _folder(path: Path, sequence: Any) -> MdaFolder:
    if not isinstance(sequence, MDASequence):
        return MdaFolder(path)
    sizes = {str(axis): int(length) for axis, length in sequence.sizes.items()}
    return MdaFolder(path, sizes, tuple(channel.config for channel in sequence.channels))
