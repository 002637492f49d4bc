"""Micro-Manager cores as such: make one of our own or find one that others run, load it, and let go of it."""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pymmcore_plus import CMMCorePlus
from pymmcore_plus.core import _mmcore_plus
from pymmcore_plus.mda import MDARunner

from napari_autofocus.errors import HardwareError, InputError
from napari_autofocus.microscope.edge import DEVICE_ERRORS, send_to_main_thread, translated

_LONGEST_REASON = 240
_EVENTS_BY = "PYMM_SIGNALS_BACKEND"
_CLAIM = "_instance"
Core = TypeVar("Core", bound=CMMCorePlus)
_known: weakref.WeakSet[CMMCorePlus] = weakref.WeakSet()


@contextmanager
def prompt_events() -> Iterator[None]:
    """Make cores in here whose events arrive at once, in the thread that causes them.

    Beside a Qt application pymmcore-plus would otherwise use Qt's signals: these wait for the event loop of the thread
    that made the core, so that our own moves are reported late (and look like somebody else's) or never.
    """
    before = os.environ.get(_EVENTS_BY)
    os.environ[_EVENTS_BY] = "psygnal"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_EVENTS_BY]
        else:
            os.environ[_EVENTS_BY] = before


def own_core(make: Callable[[], Core]) -> Core:
    """A core that is ours alone: its own events are prompt, those of its acquisitions reach widgets in their thread.

    The first core of a process becomes ``CMMCorePlus.instance()``, which other plugins take for theirs: they would load
    devices into a core that we unload, and :func:`shared_core` would find our own.

    Parameters
    ----------
    make : callable
        Makes the core, of CMMCorePlus or a class of its kind.
    """
    before = getattr(_mmcore_plus, _CLAIM)
    try:
        with prompt_events():
            core = make()
    finally:
        setattr(_mmcore_plus, _CLAIM, before)
    _tell_widgets_of_acquisitions(core)
    return core


def _tell_widgets_of_acquisitions(core: CMMCorePlus) -> None:
    """Let ``core.mda`` report by the signals that pymmcore-plus would have chosen for it: Qt's beside a Qt application.

    An acquisition runs in a thread of its own. Widgets such as pymmcore-widgets' MDAWidget change what they show when
    it tells of itself, and Qt aborts where that is done in another thread than the application's.
    """
    runner, engine = MDARunner(), core.mda.engine
    if engine is not None:
        runner.set_engine(engine)
    core_parts: Any = core
    core_parts._mda_runner = runner
    send_to_main_thread(runner.events)


def shared_core(offered: Iterable[object] = ()) -> CMMCorePlus | None:
    """The core that somebody else runs in this process, with a camera and a z stage; None where there is none.

    None is made by asking, which ``CMMCorePlus.instance()`` would do.

    Parameters
    ----------
    offered : iterable of object
        What other plugins show as theirs; whatever is no core counts for nothing. Looked at first.
    """
    claimed = getattr(_mmcore_plus, _CLAIM)
    candidates = [*offered, claimed() if claimed is not None else None]
    cores = [core for core in candidates if isinstance(core, CMMCorePlus)]
    return next((core for core in cores if core.getCameraDevice() and core.getFocusDevice()), None)


def load_core(cfg: str | Path) -> CMMCorePlus:
    """A core of our own with the devices of a Micro-Manager configuration file.

    Parameters
    ----------
    cfg : path
        The file; a bare name is also looked for where the device adapters are (``MMConfig_demo.cfg``).

    Raises
    ------
    InputError
        The file is missing, or one of its lines cannot be carried out: which one, and why.
    """
    core = own_core(CMMCorePlus)
    silence_at_exit(core)
    path = _find(core, Path(cfg).expanduser())
    try:
        core.loadSystemConfiguration(str(path))
    except DEVICE_ERRORS as error:
        with suppress(HardwareError):
            release_core(core)
        raise InputError(
            f"The configuration {path} could not be loaded: {_short(error)}. Install the device adapter it names"
            " (`mmcore install`), connect the device, or correct that line."
        ) from error
    return core


def release_core(core: CMMCorePlus) -> None:
    """Unload a core that we made, and keep its threads from calling into Python any more. Raises HardwareError."""
    try:
        with translated("The devices could not be unloaded"):
            core.unloadAllDevices()
    finally:
        _silence(core)


def silence_at_exit(core: CMMCorePlus) -> None:
    """Keep a core's threads from calling into Python when the interpreter ends, whoever made the core.

    MMCore 12 delivers events from a thread of its own; one that arrives while Python shuts down aborts the process
    (``FATAL: exception not rethrown``, seen at every second exit).
    """
    _known.add(core)


def _silence(core: CMMCorePlus) -> None:
    # CMMCorePlus forbids registerCallback for the sake of its events, and does this itself when it is collected.
    super(CMMCorePlus, core).registerCallback(None)


@atexit.register
def _silence_all() -> None:
    for core in list(_known):
        _silence(core)


def _find(core: CMMCorePlus, path: Path) -> Path:
    places = [path] if path.is_absolute() else [path, *(Path(p) / path for p in core.getDeviceAdapterSearchPaths())]
    for place in places:
        if place.is_file():
            return place
    raise InputError(f"There is no configuration file {path}; give the path of a Micro-Manager .cfg file.")


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split(" [")[0].split()) or type(error).__name__
    return text.rstrip(".") if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + " …"
