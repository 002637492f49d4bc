"""How fast it all is: one table, with the alternatives measured in the same run, and how costs grow.

    python benchmarks/bench.py [--only estimate,measures] [--quick] [--out FILE]

Each subject (``bench_*.py``) runs in a process of its own, one after the other, live ones on a screen in memory where
there is none. Times are medians by the wall, calls taking turns with their alternatives, so that a busy machine slows
all of them alike; the file also has the processor's own time. A limit is what nothing could be better than: memory,
multiplications, exposures and motion, measured or computed in the same run. Writes benchmarks/results/bench.json, from
which ``docs/make_speed.py`` makes docs/speed.md. ``--quick`` is for trying it: small, few repeats, no table to keep.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bench_table
from napari_autofocus.files import replacing

HERE = Path(__file__).parent
RESULT = HERE / "results" / "bench.json"
SCREEN = "-screen 0 1920x1080x24"
SUBJECTS = {
    "estimate": "One shot",
    "two_shots": "Two shots",
    "measures": "Focus measures",
    "labelling": "Labelling",
    "focusing": "Focusing and surveys",
    "live": "Live",
    "start": "Starting",
    "gpu": "On a GPU",
}
"""What there is to measure, in the order of the table: ``bench_NAME.py`` and its heading."""
ON_A_SCREEN = ("live", "start")
PATIENCE_S = 1800.0
"""A subject that takes longer is given up, and the others go on."""


def main() -> int:
    """Run the subjects, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SUBJECTS), help="subjects, separated by commas")
    parser.add_argument("--quick", action="store_true", help="small and few; writes only where --out says")
    parser.add_argument("--threads", type=int, default=min(os.cpu_count() or 1, 2))
    parser.add_argument("--out", type=Path, help="benchmarks/results/bench.json, unless --quick")
    parser.add_argument("--inside", choices=list(SUBJECTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return measure_here(options.inside, options)
    out = options.out or (None if options.quick else RESULT)
    wanted = [name for name in SUBJECTS if name in options.only.split(",")]
    began = time.perf_counter()
    parts = {name: measure_apart(name, options) for name in wanted}
    result = {
        "command": f"python benchmarks/bench.py {' '.join(sys.argv[1:])}".strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "minutes": round((time.perf_counter() - began) / 60, 1),
        "threads": options.threads,
        "machine": about_machine(),
        "subjects": merged(parts, out),
    }
    bench_table.show(result)
    if out is not None:
        with replacing(out) as part:
            part.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 1 if any("failed" in part for part in parts.values()) else 0


def merged(parts: dict[str, dict[str, Any]], out: Path | None) -> dict[str, Any]:
    """What was measured now, and of other subjects what is known."""
    known: dict[str, Any] = {}
    if out is not None and out.is_file():
        known = json.loads(out.read_text(encoding="utf-8"))["subjects"]
    return {name: {**known, **parts}[name] for name in SUBJECTS if name in {**known, **parts}}


def about_machine() -> dict[str, Any]:
    """What the figures depend on."""
    model = "".join(
        line.partition(":")[2].strip()
        for line in (Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else [])
        if line.startswith("model name")
    )
    return {
        "processors": os.cpu_count(),
        "processor": model[: len(model) // max(os.cpu_count() or 1, 1)] or platform.processor(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def measure_apart(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """What a subject found, in a process of its own; or how it failed, or why it was left out."""
    print(f"{SUBJECTS[name]} …", file=sys.stderr, flush=True)
    began = time.perf_counter()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        command = [sys.executable, str(HERE / "bench.py"), "--inside", name, "--threads", str(options.threads)]
        command += ["--out", str(out), *(["--quick"] if options.quick else [])]
        if name in ON_A_SCREEN and not os.environ.get("DISPLAY"):
            if shutil.which("xvfb-run") is None:
                return {"heading": SUBJECTS[name], "rows": [], "growths": [], "skipped": {"all": NO_SCREEN}}
            command = ["xvfb-run", "-a", "-s", SCREEN, *command]
        failed = _run(command)
        found = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {"rows": [], "growths": []}
    told = {"heading": SUBJECTS[name], **found, "seconds": round(time.perf_counter() - began, 1), "load_before": load}
    return {**told, "failed": failed} if failed else told


NO_SCREEN = "There is no screen, and no xvfb-run to make one in memory."


def _run(command: list[str]) -> str:
    """Why it failed; empty where it did not."""
    try:
        done = subprocess.run(command, timeout=PATIENCE_S, check=False, stdout=sys.stderr)
    except subprocess.TimeoutExpired:
        return f"It took more than {PATIENCE_S:g} s and was given up."
    return "" if done.returncode == 0 else f"It ended with code {done.returncode}; see what it printed."


def measure_here(name: str, options: argparse.Namespace) -> int:
    """Measure one subject in this process and write what was found."""
    import cv2

    cv2.setNumThreads(options.threads)
    found = importlib.import_module(f"bench_{name}").measure(options.quick, options.threads)
    options.out.write_text(json.dumps(found.to_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
