"""A useq sequence with an autofocus plan, focused by a model: positions, channels, planes, and what each frame carries.

    python examples/useq_sequence.py --out run1

Runs on a simulated slide that lies askew, so that each position has a focus of its own. For a microscope of your own
put your core in place of ``rig.core``, as in plain_script.py, and positions that are yours.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from useq import AxesBasedAF, Channel, MDASequence, Position, ZRangeAround

from napari_autofocus import load_model
from napari_autofocus.focus.estimate import ImageOptics
from napari_autofocus.microscope.simulated import SimulatedRig, simulated_rig
from napari_autofocus.optics import Objective
from napari_autofocus.routines.refocus_config import RefocusConfig
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.simulation.topography import Topography
from napari_autofocus.workflows.mda import MdaFocusConfig, acquire_with_autofocus, model_finder, read_frames

SEQUENCE = MDASequence(
    axis_order="pcz",
    # z is where you believe the focus to be; each position is corrected from there.
    stage_positions=[Position(x=0, y=0, z=4, name="A1"), Position(x=800, y=0, z=4, name="A2")],
    channels=[Channel(config="Bright", group="Light"), Channel(config="Dim", group="Light")],
    z_plan=ZRangeAround(range=4, step=2),
    # Focus whenever the position changes; ("t", "p") focuses at each position of each time point.
    autofocus_plan=AxesBasedAF(axes=("p",)),
)


def run(rig: SimulatedRig, out: Path) -> None:
    """Acquire into a folder and tell what was found, then what each frame says of its focus."""
    optics = ImageOptics(Objective.parse("20x/0.75", pixel_size_um=rig.core.getPixelSizeUm()))
    finder = model_finder(load_model("brightfield-20x"), RefocusConfig(optics=optics))
    # Where a place cannot be focused, its frames are kept at the last focus known; "skip", "map" and "stop" are others.
    record = acquire_with_autofocus(rig.microscope, SEQUENCE, finder, MdaFocusConfig(on_failure="keep"), out=out)
    print(record.summary())
    for event in record.events:
        print(f"{event.position}: {event.outcome}, planned {event.planned_um:.2f}, used {event.used_um:.2f} µm")
    for frame in read_frames(out):  # the same as metadata["autofocus"] of core.mda.events.frameReady
        focus = frame["autofocus"]
        print(
            f"{frame['file']} {frame['index']}: z {focus['z_um']:+.2f} µm, {focus['beside_focus_um']:+.1f} from focus,"
            f" by {focus['model']}, {focus['outcome']}, left {focus['residual_um']:+.2f} µm"
        )


def main() -> None:
    """Acquire on a simulated slide."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder of the acquisition; forgotten unless given")
    out = parser.parse_args().out
    askew = Topography(tilt_x_um_per_mm=2.0)
    scene = Scene.build("he", "dense", seed=3, shape=(512, 612), topography=askew)
    with tempfile.TemporaryDirectory() as scratch, simulated_rig(scene, limits_um=(-30, 30)) as rig:
        for name, exposure_ms in (("Bright", "10"), ("Dim", "5")):  # on real hardware the configuration has these
            rig.core.defineConfig("Light", name, "Camera", "Exposure", exposure_ms)
        run(rig, out or Path(scratch) / "run")
        for x_um in (0, 800):
            print(f"true focus at x = {x_um} µm: {scene.best_focus_um(x_um, 0):+.2f} µm")


if __name__ == "__main__":
    main()
