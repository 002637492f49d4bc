"""A whole slide recovered from two: time and memory at several sizes, and whether tiles show seams.

The slides repeat a simulated field of two shots, ``--field`` px a side, mirrored so that it joins; a share of them is
glass. Each size runs in a process of its own, whose largest resident memory is taken, its workers' included.

    python benchmarks/virtual_slide.py [--model tsva-20x] [--sides 5000 10000 20000] [--workers N] [--kill]

writes ``results/virtual_slide.json``. The largest takes 3 GB on the disk and, on two cores, about a quarter of an hour.
With ``--kill`` each run is killed once half-way and started again; its seconds are then those of both.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from napari_autofocus.io.zarr import objective_to_json
from napari_autofocus.io.zarr_slide import open_slide
from napari_autofocus.io.zarr_slide_writing import SlideCanvas
from napari_autofocus.models.refocuser import load_refocuser
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.workflows.spread import Workers
from napari_autofocus.workflows.virtual_slide import SlideSettings, refocus_slide

RESULTS = Path(__file__).parent / "results" / "virtual_slide.json"
SEED = 7
HALF_UM = 1.0
GLASS_EVERY = 4  # of the plots, one in so many is glass
BLOCK_PX = 1024
PLOT_PX = 3 * BLOCK_PX  # of which the inner blocks have no neighbour that shows something
SEAM_PX = 4096  # part that is recovered in larger tiles too, and compared


def field_pair(side: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Two shots of a dense H&E field and two of glass, each (side, side, 3), of fields that join when mirrored."""
    pairs = []
    for density in ("dense", "empty"):
        rng = np.random.default_rng([SEED, len(pairs)])
        scene = Scene.build("he", density, "20x/0.75", seed=SEED, shape=(side // 2, side // 2))
        best_um = scene.best_focus_um(0.0, 0.0)
        shots = [scene.snap(0.0, 0.0, best_um + way * HALF_UM, rng=rng) for way in (-1, 1)]
        below, above = (
            np.concatenate(
                [np.concatenate([shot, shot[:, ::-1]], 1), np.concatenate([shot[::-1], shot[::-1, ::-1]], 1)]
            )
            for shot in shots
        )
        pairs.append((below, above))
    return pairs


def make_slides(folder: Path, side: int, field: int) -> tuple[Path, Path]:
    """Both slides of a size, written block by block."""
    objective = Scene.build("he", "empty", "20x/0.75", seed=SEED, shape=(64, 64)).objective
    facts = {"objective": objective_to_json(objective), "colour": "rgb", "dz_um": 2 * HALF_UM}
    pairs = field_pair(field)
    paths = folder / "a.zarr", folder / "b.zarr"
    for number, path in enumerate(paths):
        canvas = SlideCanvas.create(path, (side, side), 3, np.uint8)
        for y in range(0, side, BLOCK_PX):
            for x in range(0, side, BLOCK_PX):
                is_glass = (y // PLOT_PX * 7 + x // PLOT_PX * 3) % GLASS_EVERY == 0
                source = pairs[int(is_glass)][number]
                rows, columns = (np.arange(start, start + BLOCK_PX) % field for start in (y, x))
                canvas.write(0, y, x, source[np.ix_(rows, columns)])
        canvas.finish(facts, name=path.stem, pixel_size_um=objective.pixel_size_um)
    return paths


def recover(folder: Path, model: str, tile_px: int, workers: int) -> None:
    """What the process of its own does."""
    refocuser = load_refocuser(model)
    settings = SlideSettings(tile_px=tile_px)
    steps = refocus_slide(
        folder / "a.zarr",
        folder / "b.zarr",
        folder / f"out{tile_px}.zarr",
        refocuser,
        settings,
        workers=Workers(count=workers),
        model=model,
    )
    while True:
        try:
            step = next(steps)
        except StopIteration as finished:
            slide = finished.value
            break
        (folder / "progress.txt").write_text(f"{step.phase} {step.done} {step.total}")
    told = {name: getattr(slide, name) for name in ("tiles", "glass", "resumed", "shift_px", "seconds", "uncertainty")}
    (folder / "told.json").write_text(json.dumps({**told, "doubtful": len(slide.doubtful)}))


def watched(folder: Path, arguments: argparse.Namespace, tile_px: int, *, kill: bool = False) -> dict[str, Any]:
    """Run :func:`recover` in a process of its own; its seconds and largest memory, MB."""
    command = [sys.executable, __file__, "--recover", str(folder), "--model", arguments.model]
    command += ["--tile", str(tile_px), "--workers", str(arguments.workers)]
    begun, peak, killed = time.perf_counter(), 0.0, 0
    (folder / "told.json").unlink(missing_ok=True)
    process = subprocess.Popen(command)
    while process.poll() is None:
        peak = max(peak, resident_mb(process.pid))
        if kill and not killed and half_way(folder):
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
            process = subprocess.Popen(command)
        time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"recovering failed with {process.returncode}")
    told = json.loads((folder / "told.json").read_text())
    return {**told, "wall_s": round(time.perf_counter() - begun, 1), "peak_mb": round(peak), "killed": killed}


def half_way(folder: Path) -> bool:
    """Whether half of the tiles are recovered."""
    try:
        phase, done, total = (folder / "progress.txt").read_text().split()
    except (OSError, ValueError):
        return False
    return phase == "recover" and 2 * int(done) > int(total)


def resident_mb(pid: int) -> float:
    """Memory of a process and all that it has started, MB."""
    try:
        process = psutil.Process(pid)
        return sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 1e6
    except psutil.Error:  # gone by now
        return 0.0


def seams_db(folder: Path, arguments: argparse.Namespace, tile_px: int) -> float:
    """PSNR between two tilings of one slide."""
    larger = 2 * tile_px
    watched(folder, arguments, larger)
    one, other = (open_slide(folder / f"out{size}.zarr") for size in (tile_px, larger))
    squares, count = 0.0, 0
    for y in range(0, min(one.shape[0], SEAM_PX), BLOCK_PX):
        part = slice(y, min(y + BLOCK_PX, one.shape[0])), slice(0, min(SEAM_PX, one.shape[1]))
        difference = one.read(*part).astype(np.float64) - other.read(*part)
        squares, count = squares + float(np.square(difference).sum()), count + difference.size
    return round(float(10 * np.log10(255**2 / max(squares / count, 1e-9))), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tsva-20x")
    parser.add_argument("--sides", type=int, nargs="+", default=[5000, 10000, 20000])
    parser.add_argument("--field", type=int, default=1024)
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--folder", type=Path, help="where slides are made; a temporary one unless given")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--recover", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.recover is not None:
        recover(arguments.recover, arguments.model, arguments.tile, arguments.workers)
        return
    found: list[dict[str, Any]] = []
    for side in arguments.sides:
        folder = Path(tempfile.mkdtemp(prefix="virtual_slide_", dir=arguments.folder))
        try:
            make_slides(folder, side, arguments.field)
            row = {"side_px": side, **watched(folder, arguments, arguments.tile, kill=arguments.kill)}
            row["seconds_a_megapixel"] = round(row["wall_s"] / (side**2 / 1e6), 3)
            if side == min(arguments.sides):
                row["two_tilings_psnr_db"] = seams_db(folder, arguments, arguments.tile)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        print(json.dumps(row), flush=True)
        found.append(row)
    settings = {"model": arguments.model, "tile_px": arguments.tile, "workers": arguments.workers, "seed": SEED}
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "load_before": os.getloadavg()[0]}
    arguments.out.write_text(json.dumps({**settings, **machine, "sizes": found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
