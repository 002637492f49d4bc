"""``benchmarks/soak.py`` in short: every act is done, every Stop stops, and what grows is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from npe2 import PluginManager

from napari_autofocus.widgets.session import Session
from own_process import run_alone

LEAKS_CHECK = Path(__file__).with_name("soak_leaks_found.py")


def series(slope: float, noise: float = 0.0) -> list[float]:
    rng = np.random.default_rng(0)
    return [100 + slope * cycle + noise * float(rng.standard_normal()) for cycle in range(60)]


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        (series(0.0), "steady"),
        (series(0.0, noise=1.0), "steady"),
        (series(-1.0), "steady"),
        (series(1.0), "grows"),
        (series(0.5, noise=1.0), "grows"),
        (series(0.1, noise=1.0), "unsettled"),
        ([*np.linspace(0, 100, 20), *[100.0] * 40], "steady"),  # while it warmed up
        (series(1.0)[:5], "unsettled"),
    ],
)
def test_a_slope_is_told_from_noise_and_from_warming_up(
    load_benchmark: Callable[[str], ModuleType], values: list[float], verdict: str
) -> None:
    assert load_benchmark("soak_books").slope_of(values, tolerated=0.1)["verdict"] == verdict


def test_every_kind_of_leak_is_found_and_none_where_nothing_leaks() -> None:
    """In a process of its own: what other tests leave behind comes and goes by more memory than a small leak."""
    ran = run_alone(LEAKS_CHECK)

    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    assert "3 passed" in ran.stdout


@pytest.mark.gui
# vispy and napari's canvas still use NumPy and Qt calls that are on their way out.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_one_cycle_does_its_acts_and_misses_no_stop(
    load_benchmark: Callable[[str], ModuleType], make_napari_viewer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = PluginManager()
    manager.discover()
    monkeypatch.setattr(PluginManager, "instance", classmethod(lambda cls: manager))
    soak_module, stand_module = load_benchmark("soak"), load_benchmark("soak_stand")
    viewer = make_napari_viewer(show=True)
    stand = stand_module.Stand(viewer, Session.of(viewer))
    stand.connect()
    stand.choose_model(stand_module.MODELS[0])
    soak = soak_module.Soak(stand, seed=0, leak=None)

    soak.cycle()
    told = soak.told()

    assert set(told["acts"].values()) == {1}
    assert len(told["acts"]) == 8
    assert [each["moves_after"] for each in soak.stops] == [0] * len(soak.stops)
    assert {"hold", "refocus", "sweep"} >= {each["what"] for each in soak.stops} >= {"hold"}
    assert told["failures"] == []
    assert told["frames_shown"] > 0
    viewer.close()
