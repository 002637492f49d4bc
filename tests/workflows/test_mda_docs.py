"""The scripts in docs/mda.md run as they stand, on Micro-Manager's demo devices."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pymmcore_plus import CMMCorePlus

from napari_autofocus.workflows.mda import read_frames

PAGE = Path(__file__).parents[2] / "docs" / "mda.md"


def test_the_scripts_of_the_page_run(demo_core: CMMCorePlus, tmp_path: Path) -> None:
    demo_core.setProperty("Camera", "Mode", "Fluorescent Beads")
    known: dict[str, Any] = {"core": demo_core, "folder": tmp_path / "run"}

    for script in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S):
        exec(compile(script, PAGE.name, "exec"), known)

    assert known["record"].frames == len(read_frames(tmp_path / "run")) == 6
    assert [event.outcome for event in known["record"].events] == ["focused", "focused"]
    assert known["finder"].name == "brightfield-20x"
    known["microscope"].close()
