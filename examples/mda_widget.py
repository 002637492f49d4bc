"""The MDA widget of pymmcore-widgets with our autofocus behind it: what it acquires is focused, without a focus device.

    python examples/mda_widget.py               the widget on Micro-Manager's demo devices; press its Run button
    python examples/mda_widget.py MMConfig.cfg  on a microscope of your own, from where the drive stands now
    python examples/mda_widget.py --run         acquires at once, tells what came of it, and ends

The core's engine is wrapped while it is armed, not replaced, and whoever runs an acquisition is served: this widget,
that of napari-micromanager, or a script.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from pymmcore_plus import CMMCorePlus
from pymmcore_widgets import MDAWidget
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication
from useq import MDASequence, Position, ZRangeAround

from napari_autofocus.microscope.mmcore import CoreMicroscope
from napari_autofocus.routines.sweep_config import SweepConfig
from napari_autofocus.workflows.mda import ArmedCore, MdaFocusConfig, MdaFocusRecord, is_acquiring, sweep_finder

SEQUENCE = MDASequence(
    axis_order="pcz",
    stage_positions=[Position(x=0, y=0, z=3, name="A1"), Position(x=300, y=0, z=-2, name="A2")],
    channels=["DAPI"],
    z_plan=ZRangeAround(range=2, step=1),
)


def tell(record: MdaFocusRecord) -> None:
    """What one acquisition found; called in the acquisition's thread, when it has ended."""
    print(record.summary(), flush=True)
    for event in record.events:
        used = "left out" if event.used_um is None else f"used {event.used_um:.2f} µm"
        print(f"{event.position}: {event.outcome}, planned {event.planned_um:.2f}, {used}. {event.reason}", flush=True)


def main() -> None:
    """Arm the core, show the widget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", help="a Micro-Manager configuration (.cfg)")
    parser.add_argument("--run", action="store_true", help="acquire at once and end")
    parser.add_argument("--picture", type=Path, help="keep a picture of the widget")
    wanted = parser.parse_args()
    application = QApplication([])  # before the core, which then reports to widgets by Qt's signals, in their thread
    core = CMMCorePlus()
    core.loadSystemConfiguration(wanted.config or "MMConfig_demo.cfg")
    if not wanted.config:
        core.setProperty("Camera", "Mode", "Fluorescent Beads")  # these blur with distance from 0, free of noise:
    # frames at z and -z are alike in every bit, which from a real camera means a stale buffer, and is refused.
    settings = {"focus_direction": 1, "reject_repeats": bool(wanted.config)}
    microscope = CoreMicroscope(core, **settings)  # limits_um=(low, high); 50 µm to each side of here unless given
    # model_finder(load_model("fluorescence-20x"), RefocusConfig(...)) focuses by a model, as in useq_sequence.py.
    finder = sweep_finder(SweepConfig(range_um=6, dof_um=1.0, polarity="max"))
    # The widget offers an autofocus plan only where the core has an autofocus device; the axes stand in for one.
    with ArmedCore(microscope, finder, MdaFocusConfig(axes=("p",)), keep=tell):
        widget = MDAWidget(mmcore=core)
        widget.setValue(SEQUENCE)
        widget.show()
        watch = QTimer()
        watch.timeout.connect(lambda: is_acquiring(core) or application.quit())
        if wanted.run:
            widget.run_mda()
            watch.start(200)
        application.exec()
        while is_acquiring(core):  # the window was closed before the end
            core.mda.cancel()
            time.sleep(0.1)
        if wanted.picture:
            widget.grab().save(str(wanted.picture))
    print(f"engine put back: {type(core.mda.engine).__name__}")


if __name__ == "__main__":
    main()
