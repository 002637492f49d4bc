"""Many stacks: file to label against reading the file, one worker against two, memory, and what kill -9 costs.

Writes ``results/many_stacks.json``. Wants a quiet machine: ``python benchmarks/many_stacks.py``; with ``--kills 50``
labelling alone is killed, so many times at random moments, and its result compared with that of an undisturbed run.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import tifffile

from napari_autofocus.focus.zstack import ZStack, judge_stack
from napari_autofocus.io import open_stack, write_stack
from napari_autofocus.simulation.scene import Scene

RESULTS = Path(__file__).parent / "results" / "many_stacks.json"
SEED = 7
LABEL = [sys.executable, "-c", "from napari_autofocus.cli import main; main()", "label"]
VARIANTS = 4  # simulated stacks, of which the others are made by mirroring and turning


def simulated(number: int, shape: tuple[int, int], planes: int, range_um: float) -> ZStack:
    """A stack of a dense H&E slide through 20x/0.75, best focus off the middle."""
    rng = np.random.default_rng([SEED, number])
    scene = Scene.build("he", "dense", "20x/0.75", seed=SEED, shape=shape)
    x_um, y_um = (float(place) for place in rng.uniform(-2000, 2000, 2))
    z_um = np.linspace(-range_um, range_um, planes)
    axial_um = scene.best_focus_um(x_um, y_um) + z_um - rng.uniform(-0.2, 0.2) * range_um
    images = np.stack(list(scene.stack(x_um, y_um, axial_um, rng)))
    return ZStack(images, z_um, scene.pixel_size_um, "simulated", scene.objective)


def best_of(function: Callable[[], object], times: int) -> dict[str, float]:
    """Least wall clock and processor time of some calls, s."""
    wall, busy = [], []
    for _ in range(times):
        begun, used = time.perf_counter(), time.process_time()
        function()
        wall.append(time.perf_counter() - begun)
        busy.append(time.process_time() - used)
    return {"wall_s": round(min(wall), 3), "cpu_s": round(min(busy), 3)}


def one_stack(folder: Path, times: int) -> dict[str, Any]:
    """File to label (whole field and every patch) over reading the file with tifffile; 41 planes of 1024 x 1224 RGB."""
    stack = simulated(0, (1024, 1224), 41, 10.0)
    compressed = write_stack(folder / "compressed.ome.tif", stack)
    plain = folder / "plain.tif"
    tifffile.imwrite(plain, stack.data, photometric="rgb")
    found = {}
    for name, path, step_um in (("as written (deflate)", compressed, None), ("uncompressed", plain, 0.5)):
        reading = best_of(lambda path=path: tifffile.imread(path, maxworkers=1), times)
        reading_threads = best_of(lambda path=path: tifffile.imread(path), times)
        label = best_of(lambda path=path, step=step_um: judge_stack(open_stack(path, step_um=step)), times)
        found[name] = {
            "megabytes": round(path.stat().st_size / 1e6, 1),
            "tifffile_one_thread": reading,
            "tifffile_as_it_comes": reading_threads,
            "label": label,
            "label_over_reading_wall": round(label["wall_s"] / reading_threads["wall_s"], 2),
            "label_over_reading_cpu": round(label["cpu_s"] / reading["cpu_s"], 2),
        }
    return found


def make_folder(folder: Path, stacks: int, *, size: int, planes: int) -> None:
    """Small stacks: a few simulated ones, mirrored, turned and with noise of their own."""
    folder.mkdir()
    sources = [simulated(number, (size, size), planes, 8.0) for number in range(VARIANTS)]
    for number in range(stacks):
        source = sources[number % VARIANTS]
        turned = np.rot90(source.data, number // VARIANTS % 4, (1, 2))
        noisy = turned.astype(np.int16) + np.random.default_rng([SEED, number]).integers(-2, 3, turned.shape, np.int16)
        data = np.clip(noisy, 0, 255).astype(np.uint8)
        write_stack(
            folder / f"{number:05d}.ome.tif", ZStack(data, source.z_um, source.pixel_size_um, "", source.objective)
        )


def label(folder: Path, workers: int) -> tuple[float, dict[str, Any], list[float]]:
    """Label a folder anew: seconds, what was printed, and every half second the memory of the largest worker, MB."""
    shutil.rmtree(folder / ".napari-autofocus", ignore_errors=True)
    begun = time.perf_counter()
    memory: list[float] = []
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([*LABEL, str(folder), "--workers", str(workers), "--json"], stdout=out, stderr=out)
        while process.poll() is None:
            memory.append(_largest_child_mb(process.pid))
            time.sleep(0.5)
        out.seek(0)
        printed = out.read().decode()
    seconds = time.perf_counter() - begun
    if process.returncode:
        raise SystemExit(printed)
    return seconds, json.loads(printed.splitlines()[-1]), [each for each in memory if each]


def _largest_child_mb(parent: int) -> float:
    sizes = [0.0]
    try:
        for child in psutil.Process(parent).children(recursive=True):
            sizes.append(child.memory_info().rss / 1e6)
    except psutil.Error:  # gone by now
        pass
    return max(sizes)


def one_against_two(folder: Path, stacks: int) -> dict[str, Any]:
    """Seconds with one dask worker and with two, and whether memory stays flat."""
    make_folder(folder, stacks, size=256, planes=17)
    one_s, first, _ = label(folder, 1)
    two_s, second, memory = label(folder, 2)
    later = memory[len(memory) // 4 :]
    return {
        "stacks": stacks,
        "one_worker_s": round(one_s, 1),
        "two_workers_s": round(two_s, 1),
        "faster": round(one_s / two_s, 2),
        "same_result": first == second,
        "worker_mb_after_a_quarter_and_at_the_end": [round(later[0]), round(later[-1])] if later else [],
        "worker_mb_at_most": round(max(memory, default=0.0)),
    }


def killed(folder: Path, kills: int, stacks: int, workers: int) -> dict[str, Any]:
    """Kill labelling and all its workers at random moments, and label to the end each time."""
    make_folder(folder, stacks, size=256, planes=9)
    undisturbed_s, undisturbed, _ = label(folder, workers)
    rng = np.random.default_rng(SEED)
    command = [*LABEL, str(folder), "--workers", str(workers), "--json"]
    kept, equal, half_written = [], 0, 0
    for _ in range(kills):
        shutil.rmtree(folder / ".napari-autofocus", ignore_errors=True)
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(float(rng.uniform(0.3, 1.0)) * undisturbed_s)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        book = folder / ".napari-autofocus" / "focus"
        files = list(book.glob("*.npz"))
        kept.append(len(files))
        half_written += sum(not _is_whole(file) for file in files)
        again = subprocess.run([*LABEL, str(folder), "--workers", "0", "--json"], capture_output=True, text=True)
        equal += json.loads(again.stdout) == undisturbed
    return {
        "kills": kills,
        "stacks": stacks,
        "results_as_undisturbed": equal,
        "kept_at_the_kill": {"least": min(kept), "median": int(np.median(kept)), "most": max(kept)},
        "half_written_files": half_written,
    }


def _is_whole(file: Path) -> bool:
    from napari_autofocus.workflows.labels.focus_file import read_focus

    return read_focus(file) is not None


def main() -> None:
    """Measure, print, and write down beside what was measured before."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stacks", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--only", choices=("speed", "workers"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    found = json.loads(options.out.read_text()) if options.out.exists() else {}
    found["machine"] = (
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}"
    )
    with tempfile.TemporaryDirectory() as made:
        if options.kills:
            found["kill -9 while labelling"] = killed(Path(made) / "killed", options.kills, 60, 2)
        else:
            if options.only != "workers":
                found["one large stack"] = one_stack(Path(made), options.times)
            if options.only != "speed":
                found["many small stacks"] = one_against_two(Path(made) / "many", options.stacks)
    print(json.dumps(found, indent=1))
    options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
