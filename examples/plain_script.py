"""Refocus from a plain pymmcore-plus script: one frame, one move, one frame to verify.

python examples/plain_script.py                                   on a simulated slide, 6 µm out of focus
python examples/plain_script.py MMConfig.cfg --limits-um 20 60    on a microscope of your own
"""

from __future__ import annotations

import argparse

from pymmcore_plus import CMMCorePlus

from napari_autofocus import load_model
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.simulated import simulated_rig
from napari_autofocus.optics import Objective
from napari_autofocus.records import RefocusRecord
from napari_autofocus.routines.refocus import refocus
from napari_autofocus.routines.refocus_config import RefocusConfig
from napari_autofocus.simulation.scene import Scene


def refocus_core(core: CMMCorePlus, model: str, limits_um: tuple[float, float]) -> RefocusRecord:
    """Bring the field under the objective of any core into focus."""
    # The limits hold for every move, the overshoot against backlash included. A growing z must bring sample and
    # objective together here (+1); say -1 if yours takes them apart. A core that knows its own direction is believed.
    microscope = CoreMicroscope(core, focus_direction=1, limits_um=limits_um)
    # A model refuses optics it was not made for, so say what you look through.
    pixel_um = core.getPixelSizeUm() or 0.325
    optics = ImageOptics(Objective.parse("20x/0.75", pixel_size_um=pixel_um))
    records: list[RefocusRecord] = []
    steps = refocus(microscope, load_model(model), RefocusConfig(optics=optics), keep=records.append)
    for step in steps:  # a generator: close it between two steps, and the drive goes back to where it was
        said = step.estimate.verdict if step.estimate else "not read"
        print(f"{step.phase}: frame {step.index + 1} at {step.z_um:.2f} µm, {said}")
    microscope.close()  # stops live mode; the core stays yours, and loaded
    return records[0]


def tell(record: RefocusRecord) -> None:
    """What came of it."""
    print(f"outcome: {record.outcome}, {record.frames} frames, {record.moves} moves")
    print(f"drive: {record.start_um:.2f} -> {record.end_um:.2f} µm")
    for reason in record.reasons:
        print(f"because: {reason}")


def main() -> None:
    """On a configuration, or on the simulated slide."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", help="a Micro-Manager configuration (.cfg)")
    parser.add_argument("--model", default="brightfield-20x", help="a shipped model, or a file of your own")
    parser.add_argument("--limits-um", nargs=2, type=float, default=(-30.0, 30.0), help="what the drive may reach")
    wanted = parser.parse_args()
    limits_um = tuple(wanted.limits_um)
    if wanted.config:
        core = CMMCorePlus()
        core.loadSystemConfiguration(wanted.config)
        tell(refocus_core(core, wanted.model, limits_um))
        return
    with simulated_rig(Scene.build("he", "dense", seed=3, shape=(512, 612))) as rig:
        rig.core.setPosition(rig.core.getPosition() + 6.0 - rig.true_defocus_um())
        tell(refocus_core(rig.core, wanted.model, limits_um))
        print(f"true defocus now: {rig.true_defocus_um():+.2f} µm")


if __name__ == "__main__":
    main()
