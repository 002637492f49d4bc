"""What every room's tests share: a small simulated rig on a virtual clock, and the folder of real data."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings
from pymmcore_plus import CMMCorePlus

from napari_autofocus.focus.zstack import ZStack
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.cores import own_core, release_core
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig
from rigs import RigMaker, TextureScene
from stacks import blurred_stack

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

# Tests run side by side: a thread that waits for its turn must not keep a core busy. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# distributed formats a message wrongly when a worker dies at the wrong moment; pytest's handler raises that into its
# event loop, which then waits for ever. Elsewhere such a message is only printed.
logging.getLogger("distributed").propagate = False

# What an example takes depends on what else the machine does. The same examples come every time, so that a run that
# passed passes again; ``--hypothesis-profile=anew`` draws others.
settings.register_profile("any machine", deadline=None, derandomize=True)
settings.register_profile("anew", deadline=None)
settings.load_profile("any machine")


@pytest.fixture
def load_benchmark(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a module of the folder ``benchmarks`` by its name, and with it those beside it."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def texture_scene() -> TextureScene:
    return TextureScene()


@pytest.fixture
def make_rig(texture_scene: TextureScene) -> Iterator[RigMaker]:
    """Make simulated rigs, by default of the texture scene on a virtual clock; they are closed in the end."""
    rigs: list[SimulatedRig] = []

    def make(scene: Any = texture_scene, **settings: Any) -> SimulatedRig:
        rigs.append(simulated_rig(scene, **{"clock": VirtualClock(), **settings}))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture
def rig(make_rig: RigMaker) -> SimulatedRig:
    return make_rig()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of public stacks that tests on real data read; those tests are skipped where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("NAPARI_AUTOFOCUS_REAL_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; name their folder in NAPARI_AUTOFOCUS_REAL_DATA")
    return folder


@pytest.fixture
def make_stack() -> Callable[..., ZStack]:
    """Make small z-stacks whose focus is known."""
    return blurred_stack


@pytest.fixture
def demo_core() -> Iterator[CMMCorePlus]:
    """A real Micro-Manager core of its own with the demo devices."""
    made = own_core(CMMCorePlus)
    made.loadSystemConfiguration()
    yield made
    release_core(made)


@pytest.fixture
def hurried() -> Iterator[None]:
    """Threads take turns as often as Python can have them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)
