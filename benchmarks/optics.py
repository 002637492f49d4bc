"""The simulated optics against theory, what a stain's colour does to focus, and how fast images are rendered.

    python benchmarks/optics.py [--seed 0] [--fields 3] [--skip-speed]

Writes ``benchmarks/results/optics.json``.

theory      Airy radius over 0.61 λ/NA; spread of the energy within the support over the range of defocus; errors of
            the axial interpolation and of the layers (against four times finer ones), as a share of full intensity.
brenner     Where luminance Brenner of dense, flat fields peaks (unstained: is least), µm from true focus, noise-free;
            and the same with each stain turned grey. Their difference is what the stain's colour does.
asymmetry   Root mean square difference of camera frames at +3 and −3 depths of field over pixels and colours, noise
            taken out, over the noise per pixel (root mean square difference of two frames at the same place over √2);
            the same after averaging 4 x 4 px, which costs the blurred images nothing; and with even optics.
speed       1024 x 1024 RGB with camera noise, 8 bit, a new axial position each frame; median over frames once transfer
            functions are tabled (ready), and the first frame of a field (new). Drawing the specimen is not counted.
            Times of the wall, and of all processors, which a busy machine alters less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from napari_autofocus.optics import Objective
from napari_autofocus.simulation import imaging
from napari_autofocus.simulation.camera import Camera
from napari_autofocus.simulation.content import FieldContent
from napari_autofocus.simulation.imaging import ImageFormation
from napari_autofocus.simulation.psf import LUMINANCE_WEIGHTS, Optics, radial_psf, radial_weights, sampling_of
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.simulation.specimen import STAINS, Specimen
from napari_autofocus.simulation.topography import Topography
from napari_autofocus.simulation.transfer import AxialTable, incoherent_transfer, largest_frequency

RESULTS = Path(__file__).parent / "results" / "optics.json"
RANGES_UM = {"20x/0.75": 12.0, "10x/0.3": 40.0}
FIELD_PX = (384, 384)


def theory(name: str) -> dict[str, Any]:
    """Numbers that theory knows, for one objective."""
    objective = Objective.parse(name)
    optics, even = Optics(objective), Optics(objective, even=True)
    return {
        "airy_ratio": {f"{w:g}": airy_ratio(even, w) for w in optics.wavelengths_um},
        "airy_ratio_scalar": {f"{w:g}": airy_ratio(replace(even, vectorial=False), w) for w in optics.wavelengths_um},
        "half_energy_radius_um": {f"{z:g}": half_energy_radius(even, z) for z in (0, 1, 3, 10)},
        "energy_spread": energy_spread(optics, RANGES_UM[name]),
        "axial_interpolation_error": interpolation_error(optics),
        "layer_error": layer_error(optics),
        "depth_lambda_n_over_na2_um": optics.axial_scale_um,
    }


def airy_ratio(optics: Optics, wavelength_um: float) -> float:
    expected = optics.objective.airy_radius_um(wavelength_um)
    profile = radial_psf(optics, wavelength_um, 0.0, 1.5 * expected, expected / 200)
    return float(np.argmin(profile) / 200)


def half_energy_radius(optics: Optics, axial_um: float) -> float:
    radius, step = sampling_of(optics, 0.54, axial_um)
    profile = radial_psf(optics, 0.54, axial_um, radius, step)
    share = np.cumsum(profile * radial_weights(profile.size, step))
    return float(np.interp(0.5, share / share[-1], step * np.arange(profile.size)))


def energy_spread(optics: Optics, range_um: float) -> float:
    energies = []
    for axial_um in np.linspace(-range_um, range_um, 13):
        radius, step = sampling_of(optics, 0.54, axial_um)
        profile = radial_psf(optics, 0.54, axial_um, radius, step)
        energies.append(np.sum(profile * radial_weights(profile.size, step)))
    return float(np.ptp(energies) / np.mean(energies))


def interpolation_error(optics: Optics) -> float:
    """Largest error of a transfer function half-way between tabled axial positions."""
    table = incoherent_transfer(optics, 0.46, largest_frequency(optics.objective.pixel_size_um))
    middles = [(k + 0.5) * table.step_um for k in (0, 2, 5, 10, 20, 40)]
    exact = AxialTable(table.compute, table.step_um / 2, 1e6)
    return float(max(np.abs(table.at(z) - exact.at(z)).max() for z in middles))


def layer_error(optics: Optics) -> dict[str, float]:
    """Error of a tilted H&E field for layers as used, against layers four times finer."""
    tilt = 2.0 * optics.axial_scale_um / (FIELD_PX[0] * optics.objective.pixel_size_um) * 1e3
    content = field_of("he", optics.objective, 1, Topography(tilt, tilt / 2))
    usual, spacing = ImageFormation(optics), imaging.LAYER_SPACING
    focus = float(np.median(usual.best_focus_map(content)))
    image = usual.render(content, focus)
    imaging.LAYER_SPACING = spacing / 4
    try:
        error = image - ImageFormation(optics).render(content, focus)
    finally:
        imaging.LAYER_SPACING = spacing
    return {"rms": float(np.sqrt(np.mean(error**2))), "largest": float(np.abs(error).max())}


def field_of(stain: str, objective: Objective, seed: int, topography: Topography) -> FieldContent:
    specimen = Specimen(stain, "dense", seed=seed, topography=topography)
    return specimen.field(500.0 * seed, 0.0, FIELD_PX, objective.pixel_size_um, margin_px=48)


def turned_grey(content: FieldContent) -> FieldContent:
    def grey(image: Any) -> Any:
        return None if image is None else np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)

    sheets = [replace(s, absorbance=grey(s.absorbance), emission=grey(s.emission)) for s in content.sheets]
    return replace(content, sheets=tuple(sheets))


def brenner_extremum_um(formation: ImageFormation, content: FieldContent) -> float:
    """Axial position of the luminance Brenner peak, or minimum for phase, through a polynomial; noise-free."""
    sign = -1 if content.contrast == "phase" else 1
    positions = formation.optics.axial_scale_um * np.linspace(-0.5, 0.5, 11)
    weights = np.array(LUMINANCE_WEIGHTS, np.float32)
    images = [formation.render(content, z) @ weights for z in positions]
    values = np.array([np.sum((i[:, 2:] - i[:, :-2]) ** 2) + np.sum((i[2:] - i[:-2]) ** 2) for i in images])
    fine = np.linspace(positions[0], positions[-1], 4001)
    return float(fine[np.argmax(sign * np.polyval(np.polyfit(positions, values, 6), fine))])


def brenner(name: str, stain: str, seeds: range) -> dict[str, float]:
    objective = Objective.parse(name)
    formation = ImageFormation(Optics(objective))
    contents = [field_of(stain, objective, seed, Topography.flat()) for seed in seeds]
    peaks = [brenner_extremum_um(formation, c) for c in contents]
    greys = [brenner_extremum_um(formation, turned_grey(c)) for c in contents]
    return {
        "peak_um": float(np.mean(peaks)),
        "grey_um": float(np.mean(greys)),
        "colour_shift_um": float(np.mean(peaks) - np.mean(greys)),
        "peak_dof": float(np.mean(peaks) / objective.dof_um),
    }


def asymmetry(name: str, stain: str, seed: int, *, even: bool) -> dict[str, float]:
    objective = Objective.parse(name)
    formation, camera, rng = ImageFormation(Optics(objective, even=even)), Camera(), np.random.default_rng(seed)
    content = field_of(stain, objective, seed, Topography.flat())
    distance = 3 * objective.dof_um
    frames = [camera.expose(formation.render(content, z), rng=rng) for z in (distance, -distance, distance)]
    return {"per_pixel": over_noise(frames), "per_4x4_px": over_noise([binned(f) for f in frames])}


def over_noise(frames: list[Any]) -> float:
    close, far, again = (np.asarray(frame, np.float64) for frame in frames)
    noise = np.mean((close - again) ** 2) / 2
    return float(np.sqrt(max(np.mean((close - far) ** 2) - 2 * noise, 0) / noise))


def binned(frame: Any) -> Any:
    return cv2.resize(frame.astype(np.float32), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)


def speed(stain: str, topography: Topography, frames: int) -> dict[str, float]:
    scene = Scene.build(stain, shape=(1024, 1024), topography=topography)
    rng, positions = np.random.default_rng(0), np.linspace(-3, 3, frames)
    content = scene.content_at(0.0, 0.0)
    for z in positions:  # the tables, and the specimen, are made here
        scene.render(0.0, 0.0, z)
    scene._formation._fields.clear()
    new = timed(lambda: scene.snap(0.0, 0.0, positions[0], rng=rng))
    cpu = time.process_time()
    ready = [timed(lambda z=z: scene.snap(0.0, 0.0, z, rng=rng)) for z in positions]  # type: ignore[misc]
    cpu = (time.process_time() - cpu) / len(positions)
    return {
        "sheets": len(content.sheets),
        "new_field_s": new,
        "ready_s": float(np.median(ready)),
        "processor_s_per_frame": cpu,
        "frames_per_s": 1 / float(np.median(ready)),
    }


def timed(action: Callable[[], Any]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fields", type=int, default=3, help="fields for each stain")
    parser.add_argument("--skip-speed", action="store_true")
    return parser.parse_args()


def main() -> None:
    options = parsed()
    seeds = range(options.seed, options.seed + options.fields)
    result: dict[str, Any] = {
        "command": " ".join(["python", *sys.argv]),
        "seed": options.seed,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the run",
        "optics": {name: defaults(name) for name in RANGES_UM},
        "theory": {name: theory(name) for name in RANGES_UM},
        "brenner": {name: {stain: brenner(name, stain, seeds) for stain in STAINS} for name in RANGES_UM},
        "asymmetry": {name: {s: asymmetry(name, s, options.seed, even=False) for s in STAINS} for name in RANGES_UM},
        "asymmetry_even": {"20x/0.75": {s: asymmetry("20x/0.75", s, options.seed, even=True) for s in STAINS}},
    }
    if not options.skip_speed:
        kinds = {"flat": Topography.flat(), "default": Topography(), "tilted": Topography.tilted()}
        kinds |= {"folded": Topography.folded(), "thick": Topography.thick()}
        result["speed"] = {
            stain: {kind: speed(stain, topography, 15) for kind, topography in kinds.items()}
            for stain in ("he", "unstained", "fluorescence")
        }
    elif RESULTS.exists():
        result["speed"] = json.loads(RESULTS.read_text()).get("speed")
    RESULTS.write_text(json.dumps(rounded(result), indent=1) + "\n")
    report(result)


def defaults(name: str) -> dict[str, Any]:
    optics = Optics(Objective.parse(name))
    return {"spherical_waves": optics.spherical_waves, "colour_offsets_um": optics.colour_offsets_um}


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: rounded(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v) for v in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def report(result: dict[str, Any]) -> None:
    for name in RANGES_UM:
        print(name, json.dumps(rounded(result["theory"][name])))
        for stain in STAINS:
            b, a = result["brenner"][name][stain], result["asymmetry"][name][stain]
            print(
                f"  {stain:13s} Brenner {b['peak_um']:+.3f} µm, grey {b['grey_um']:+.3f}, colour"
                f" {b['colour_shift_um']:+.3f}; ±3 DOF differ by {a['per_pixel']:.1f} noise"
                f" (4 x 4 px: {a['per_4x4_px']:.1f})"
            )
    print("even optics:", json.dumps(rounded(result["asymmetry_even"])))
    for stain, kinds in (result.get("speed") or {}).items():
        for kind, s in kinds.items():
            print(
                f"  {stain:13s} {kind:8s} {s['frames_per_s']:5.1f} frames/s"
                f" ({1e3 * s['processor_s_per_frame']:.0f} ms of processor), new field {s['new_field_s']:.2f} s"
            )


if __name__ == "__main__":
    main()
