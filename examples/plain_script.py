"""Refocus from a plain pymmcore-plus script: one frame, one move, one frame to verify.

Without arguments on a simulated slide, 6 µm out of focus; on a microscope of your own:

    python examples/plain_script.py MMConfig.cfg --model brightfield-20x --objective 20x/0.75 --limits-um 20 60
"""

from __future__ import annotations

import argparse
import sys

from pymmcore_plus import CMMCorePlus

from napari_autofocus import load_model
from napari_autofocus.errors import AutofocusError
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.microscope.simulated import simulated_rig
from napari_autofocus.optics import Objective
from napari_autofocus.records import RefocusRecord
from napari_autofocus.routines.refocus import refocus
from napari_autofocus.routines.refocus_config import RefocusConfig
from napari_autofocus.routines.sweep_config import SweepConfig
from napari_autofocus.simulation.scene import Scene


def refocus_core(core: CMMCorePlus, wanted: argparse.Namespace) -> None:
    """Bring the field under the objective of any core into focus."""
    # The limits hold for every move, the overshoot against backlash included. The direction says that a growing z
    # brings sample and objective together; -1 if yours takes them apart. A core that knows its own is believed.
    microscope = CoreMicroscope(core, focus_direction=1, limits_um=tuple(wanted.limits_um))
    # A model refuses optics that it was not made for, so say what you look through.
    objective = Objective.parse(wanted.objective, pixel_size_um=core.getPixelSizeUm() or None)
    # The sweep helps where the model cannot tell; leave it out, and the drive stays where it is in such a field.
    config = RefocusConfig(optics=ImageOptics(objective), sweep=SweepConfig(dof_um=objective.dof_um))
    records: list[RefocusRecord] = []
    for step in refocus(microscope, load_model(wanted.model), config, keep=records.append):
        # Leave this loop (close the generator) between two steps, and the drive goes back to where it was.
        verdict = step.estimate.verdict if step.estimate else "not read by the model"
        print(f"{step.phase}: frame {step.index + 1} at {step.z_um:.2f} µm, {verdict}")
    record = records[0]
    print(f"outcome: {record.outcome}, {record.frames} frames, {record.moves} moves, by {record.method}")
    print(f"drive: {record.start_um:.2f} -> {record.end_um:.2f} µm")
    print("because:", *record.reasons)
    microscope.close()  # stops live mode; the core stays yours, and loaded


def main() -> None:
    """On a configuration, or on the simulated slide."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", help="a Micro-Manager configuration (.cfg)")
    parser.add_argument("--model", default="brightfield-20x", help="a shipped model, or a file of your own")
    parser.add_argument("--objective", default="20x/0.75", help="magnification and NA")
    parser.add_argument("--limits-um", nargs=2, type=float, default=(-30.0, 30.0), help="what the drive may reach")
    wanted = parser.parse_args()
    if wanted.config:
        core = CMMCorePlus()
        core.loadSystemConfiguration(wanted.config)
        refocus_core(core, wanted)
        return
    with simulated_rig(Scene.build("he", "dense", seed=3, shape=(512, 612))) as rig:
        rig.core.setPosition(rig.core.getPosition() + 6.0 - rig.true_defocus_um())
        refocus_core(rig.core, wanted)
        print(f"true defocus now: {rig.true_defocus_um():+.2f} µm")


if __name__ == "__main__":
    try:
        main()
    except AutofocusError as error:  # a sentence that says what is wrong and what to do
        sys.exit(f"Error: {error}")
