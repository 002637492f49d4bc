"""What CONTRIBUTING says of adding things: each is added here, in one place, and used through the public door."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from pymmcore_plus.experimental.unicore import StageDevice

from napari_autofocus.cli import load_command
from napari_autofocus.focus.measures.base import FloatArray, Measure, Region
from napari_autofocus.focus.sharpness import MEASURES, sharpness
from napari_autofocus.focus.zstack import FocusSettings, ZStack, judge_stack
from napari_autofocus.microscope.clock import VirtualClock
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.simulated import simulated_rig
from napari_autofocus.optics import Objective
from napari_autofocus.records import CurvePoint
from napari_autofocus.routines import searches
from napari_autofocus.routines.searches import SEARCHES, KnownSearch, Search, SearchPlan, Visit
from napari_autofocus.routines.sweep import SweepConfig, sweep
from napari_autofocus.simulation.scatter import Layer
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.simulation.specimen import STAINS
from napari_autofocus.simulation.stains import PAINTERS
from napari_autofocus.simulation.stains.paint import Paint
from napari_autofocus.simulation.view import View

SHAPE = (96, 128)


def run_to_end(steps: Generator[object, None, object]) -> object:
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            return finished.value


def test_a_backbone_is_one_registered_function(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from napari_autofocus.models.backbones import BACKBONES, BackboneOptions, build_backbone, register
    from napari_autofocus.models.defocus import DefocusNetwork, DefocusSettings

    monkeypatch.setitem(BACKBONES, "mean-colour", BACKBONES["mobilenet_v3_small"])  # taken away when the test ends
    del BACKBONES["mean-colour"]

    @register("mean-colour")
    def mean_colour(options: BackboneOptions) -> torch.nn.Module:
        pool, layer = torch.nn.AdaptiveAvgPool2d(1), torch.nn.Linear(options.channels, options.outputs)
        return torch.nn.Sequential(pool, torch.nn.Flatten(), layer)

    assert build_backbone("mean-colour", outputs=5)(torch.zeros(2, 3, 64, 64)).shape == (2, 5)
    network = DefocusNetwork(DefocusSettings(backbone="mean-colour")).eval()
    assert torch.isfinite(network(torch.rand(2, 3, 64, 64))).all()


def test_a_focus_measure_is_one_entry_with_its_function(monkeypatch: pytest.MonkeyPatch) -> None:
    def spread(region: Region) -> FloatArray:
        return region.each(lambda grey, _: np.ptp(grey, axis=(-2, -1)).astype(np.float64))

    mine = Measure("range", "Range", "maximum", "counts", 1, "our own", spread)
    monkeypatch.setitem(MEASURES, mine.name, mine)

    image = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    assert sharpness(image, "range") == 64 * 64 - 1
    heights = np.array([1, 3, 9, 3, 1])
    planes = np.random.default_rng(0).integers(0, 2, (5, 64, 64)) * heights[:, None, None]
    stack = ZStack(planes.astype(np.uint8), np.arange(5.0))
    assert judge_stack(stack, FocusSettings(measure="range")).field.best_z_um == pytest.approx(2, abs=0.1)


def test_a_search_is_one_registered_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SEARCHES, "random", SEARCHES["uniform"])  # taken away when the test ends
    del SEARCHES["random"]

    @searches.register("random", "anywhere, then everywhere")
    def anywhere(plan: SearchPlan) -> Search:
        low, high = plan.window_um
        targets = np.random.default_rng(0).permutation(np.arange(low, high, plan.step_um))
        for left, z_um in zip(range(len(targets) - 1, -1, -1), targets, strict=True):
            found = yield Visit(float(z_um), "random", left)
            assert isinstance(found, CurvePoint)

    assert isinstance(SEARCHES["random"], KnownSearch)
    scene = Scene.build("he", "dense", "20x/0.75", seed=2, shape=SHAPE)
    config = SweepConfig(method="random", range_um=5, dof_um=1)
    with simulated_rig(scene, clock=VirtualClock(), backlash_um=0) as rig:
        rig.microscope.focus.move_to(2.0)
        record = run_to_end(sweep(rig.microscope, config))
        assert record.outcome == "focused", record.reasons
        assert abs(rig.true_defocus_um()) < 0.5


def test_a_stain_is_one_painter_and_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def paint_stripes(view: View, density: str, layer: Layer) -> Paint:
        emission = view.blank()
        if density != "empty":
            emission[:, ::8] = 1
        return Paint(emission > 0, emission=emission[..., None] * np.ones(3, np.float32))

    monkeypatch.setitem(PAINTERS, "stripes", (paint_stripes, "fluorescence"))

    scene = Scene.build("stripes", "dense", "20x/0.75", seed=2, shape=SHAPE)
    focused = scene.snap(0, 0, scene.best_focus_um(0, 0), rng=np.random.default_rng(0))
    blurred = scene.snap(0, 0, scene.best_focus_um(0, 0) + 8, rng=np.random.default_rng(0))
    assert sharpness(focused) > 4 * sharpness(blurred)


def test_help_names_every_stain_and_every_search() -> None:
    """The shell's help loads no heavy library, so that it cannot read the names itself."""
    options = {each.name: each.help for each in load_command("sweep").params}
    assert [name for name in SEARCHES if f"{name}:" not in options["method"] and name not in options["method"]] == []
    assert [name for name in STAINS if name not in options["stain"]] == []


class Piezo(StageDevice):
    """A focus drive of one's own: what unicore asks of a stage, and nothing of this project."""

    def __init__(self) -> None:
        super().__init__()
        self.at_um = 0.0

    def home(self) -> None:
        self.at_um = 0.0

    def stop(self) -> None:
        """It is there at once."""

    def set_origin(self) -> None:
        self.at_um = 0.0

    def set_position_um(self, val: float) -> None:
        self.at_um = val
        self.core.events.stagePositionChanged.emit(self.get_label(), val)

    def get_position_um(self) -> float:
        return self.at_um


def test_a_focus_drive_needs_nothing_of_this_project() -> None:
    scene = Scene.build("he", "dense", Objective.parse("20x/0.75"), seed=2, shape=SHAPE)
    with simulated_rig(scene, clock=VirtualClock()) as rig:
        rig.core.loadPyDevice("Piezo", Piezo())
        rig.core.initializeDevice("Piezo")
        microscope = CoreMicroscope(rig.core, focus_device="Piezo", limits_um=(-5, 5), backlash_um=0, clock=rig.clock)

        assert microscope.focus.move_to(3.0) == pytest.approx(3.0)
        assert microscope.snap().z_um == pytest.approx(3.0)


def test_every_panel_is_one_module_and_its_lines_in_the_manifest() -> None:
    import yaml

    manifest = yaml.safe_load((Path(__file__).parents[1] / "napari.yaml").read_text(encoding="utf-8"))
    commands = {each["id"]: each["python_name"] for each in manifest["contributions"]["commands"]}
    panels = [commands[each["command"]] for each in manifest["contributions"]["widgets"]]

    assert panels
    assert [name for name in panels if not name.startswith("napari_autofocus.widgets.")] == []
    assert len({name.partition(":")[0] for name in panels}) == len(panels)
