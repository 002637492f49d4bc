"""Results as the benchmarks write them, small and made up, for tests of what reads them."""

from __future__ import annotations

from typing import Any

SHA = "0123456789abcdef" * 2
DENSITIES = ("dense", "sparse", "extremely-sparse")


def _row(mae_um: float | None, **more: Any) -> dict[str, Any]:
    return {
        "fields": 1200,
        "mae_um": mae_um,
        "sd_um": 0.05,
        "mae_dof": mae_um,
        "within_half_dof": 0.99,
        "within_dof": 1.0,
        "direction_success": 0.9999,
        "interval90_coverage": 0.9,
        "refused": {"all": 0.01, "no_content": 0.0},
        **more,
    }


def _bins(mae_um: float) -> list[dict[str, Any]]:
    return [{"from_um": at, "to_um": at + 4.0, "mae_um": mae_um if at < 4 else None} for at in (-6.0, -2.0, 2.0, 6.0)]


def single_shot(model: str = "brightfield-20x", stains: tuple[str, ...] = ("he", "blood")) -> dict[str, Any]:
    """Of ``single_shot.py``."""
    rows = {f"nominal {name}": _row(0.06 + 0.1 * at, by_defocus=_bins(0.1)) for at, name in enumerate(DENSITIES)}
    rows["off-nominal dense"] = _row(None)
    rows["empty"] = _row(None)
    rows["even"] = _row(0.5, unsure=0.92, beyond_half_dof=454, no_direction_claimed=1.0)
    return {
        "command": "python benchmarks/single_shot.py",
        "model": model,
        "model_sha256": SHA,
        "dof_um": 1.0,
        "range_um": 10.0,
        "fields": 60,
        "other_fields": 24,
        "draws": 20,
        "objective": "20x/0.75",
        "pixel_um": 0.325,
        "stains": list(stains),
        "first_seed": 10_000_000,
        "rows": rows,
    }


def learning_curves() -> dict[str, Any]:
    """Of ``learning_curves.py``."""
    history = [{"samples": 100.0 * n, "dense_um": 1 / n, "sparse_um": 2 / n, "median_um": 1 / n} for n in range(1, 5)]
    model = {"model_sha256": SHA, "kind": "one-shot", "dof_um": 1.0, "seed": 3, "date": "2026-01-02", "minutes": 9}
    return {
        "command": "python benchmarks/learning_curves.py",
        "models": {"brightfield-20x": {**model, "patches_seen": 400, "history": history}},
    }


def backbones() -> dict[str, Any]:
    """Of ``backbones.py``: two budgets."""

    def row(name: str, samples: int, mae_um: float) -> dict[str, Any]:
        budget = {"samples": samples, "patches": 8000, "validation": 2048, "crop": 64, "seed": 0}
        cost = {"parameters": 2.5e6, "million_multiply_adds": 19.2, "onnx_ms_per_32_patches": 34.5}
        figures = {"mae_um": mae_um, "standard_error_um": 0.1, "median_um": 1.0, "direction_success": 0.8}
        return {"backbone": name, **budget, **cost, **figures, "within_dof": 0.4, "training_ms_per_step": 250.0}

    return {
        "command": "python benchmarks/backbones.py --samples 4800",
        "date": "2026-01-02",
        "times": "processor time of one thread, medians",
        "multiply_adds_of": "one patch of 128 px",
        "costs": {row("resnet50", 1, 1.0)["backbone"]: row("resnet50", 1, 1.0)},
        "rows": [row("resnet50", 4800, 3.0), row("mobilenet_v3_small", 4800, 2.0), row("resnet18", 9600, 1.5)],
    }


def choices() -> dict[str, Any]:
    """Of ``single_shot_choices.py``, both parts."""
    groups = (*DENSITIES, "all")
    poolings = ("mean", "median", "weighted_mean", "weighted_median", "weighted_huber")
    by_number = [
        {"patches": patches, "pooling": pooling, "mae_um": 0.3 / patches + 0.01 * at}
        for patches in (1, 4, 32)
        for at, pooling in enumerate(poolings)
    ]
    by_size = [{"size_px": px, "patches": n, "mae_um": 0.1} for px, n in ((112, 42), (112, 1), (672, 1))]
    frames = {
        "command": "python benchmarks/single_shot_choices.py",
        "date": "2026-01-02",
        "model": "brightfield-20x",
        "model_sha256": SHA,
        "taught_on_px": 112,
        "own_pooling": "median",
        "dof_um": 1.0,
        "range_um": 10.0,
        "fields": 12,
        "draws": 4,
        "number": dict.fromkeys(groups, by_number),
        "size": dict.fromkeys(groups, by_size),
        "ms": {
            "number": {"1": 2.0, "4": 8.0, "32": 60.0},
            "size": {"112": 60.0, "672": 55.0},
            "one_patch": {"112": 2.0, "672": 55.0},
        },
    }

    def taught(on: str, mae_um: float) -> dict[str, Any]:
        figures = {"patches": 512, "slides": 20, "mae_um": mae_um, "standard_error_um": 0.1}
        return {"taught_on": on, "all": figures, "by_stain": {"he": figures, "ihc": figures}}

    stains = {
        "command": "python benchmarks/single_shot_choices.py --only stains",
        "date": "2026-01-02",
        "backbone": "mobilenet_v3_small",
        "samples": 9600,
        "crop": 64,
        "seed": 0,
        "rows": [taught("mixed", 1.0), taught("he", 1.2), taught("ihc", 0.9)],
    }
    return {"frames": frames, "stains": stains}


def densities() -> dict[str, Any]:
    """Of ``densities.py``: one frame against a sweep."""

    def row(mae_um: float, frames: float) -> dict[str, Any]:
        return {
            "frames": frames,
            "starts": 32 if frames == 1 else 16,
            "all": {"mae_um": mae_um, "within_half_dof": 1 - mae_um / 10},
        }

    methods = {"two stages": (0.1, 1.0), "mean of all patches": (0.05, 1.0), "brent": (0.4, 13.5)}
    rows = {group: {name: row(*figures) for name, figures in methods.items()} for group in ("1 cell", *DENSITIES)}
    best = {"method": "brent", "frames": 13.5, "starts": 16, "ours_mae_um": 0.1, "mae_um": 0.4, "ratio": 0.25}
    return {
        "command": "python benchmarks/densities.py",
        "date": "2026-01-02",
        "model": "brightfield-20x",
        "model_sha256": SHA,
        "fields": 8,
        "draws": 4,
        "sweep_draws": 2,
        "first_seed": 10_000_000,
        "methods": list(methods),
        "rows": rows,
        "comparisons": {group: {"best_of_all": best} for group in rows},
        "targets": [{"figure": "ratio", "at_most": 0.5, "reached": True, **best}],
    }


def robustness() -> dict[str, Any]:
    """Of ``robustness.py``: two trainings of one name."""

    def row(mae_um: float | None, over_clean: float | None) -> dict[str, Any]:
        return {
            "fields": 48,
            "mae_um": mae_um,
            "over_clean": over_clean,
            "refused": {"all": 0.1},
            "confident_wrong": 0.0,
            "worst_confident_um": None if mae_um is None else 3 * mae_um,
        }

    rows = {
        "clean": row(0.1, None),
        "jpeg=75": row(0.11, 1.1),
        "jpeg=30": row(0.3, 3.0),
        "exposure=0.5": row(0.1, 1.0),
        "exposure=2": row(None, 1.9),
        "stain=unstained": row(None, None),
        "beyond=2": row(4.0, None),
    }
    target = {"row": "jpeg=75", "figure": "over_clean", "wanted": "<= 1.3", "found": 1.1, "reached": True}

    def model(seen: int) -> dict[str, Any]:
        said = {"model": "brightfield-20x", "model_sha256": SHA, "patches_seen": seen, "dof_um": 1.0, "fields": 12}
        return {**said, "draws": 8, "date": "2026-01-02", "rows": rows, "targets": [target]}

    return {
        "command": "python benchmarks/robustness.py",
        "models": {"brightfield-20x new": model(900_000), "brightfield-20x old": model(600_000)},
    }


def end_to_end() -> dict[str, Any]:
    """Of ``end_to_end.py``: one arm wins on dense slides."""

    def row(mean_um: float) -> dict[str, Any]:
        against = {"mean_um": mean_um, "low_um": mean_um - 0.01, "high_um": mean_um + 0.01}
        return {"frames": 24, "mae_um": 0.1 + mean_um, "against": against}

    return {
        "command": "python benchmarks/end_to_end.py",
        "date": "2026-01-02",
        "model": "brightfield-20x",
        "model_sha256": SHA,
        "samples": 1600,
        "fields": 12,
        "draws": 2,
        "seeds": {"training": 300_000},
        "rows": {
            "stage by stage / median": {"dense": row(0.0), "1 left": row(0.0)},
            "end to end, head / weighted_median": {"dense": row(-0.05), "1 left": row(0.001)},
        },
    }


def tuning() -> dict[str, Any]:
    """Of ``tuning.py``: the settings found are better, and not worth their cost."""

    def figures(score: float) -> dict[str, Any]:
        return {"score": score, "median_um": score / 2, "direction": 0.9, "samples": 6400.0}

    leg = {"until": 1.0, "learning_rate": 2e-3, "momentum": 0.9, "weight_decay": 0.02, "dropout": 0.1}
    member = {"width": 1.0, "born_with": leg, "taken": [0, 1], "failed": None}
    found = {
        "width": 1.0,
        "course": [{**leg, "until": 0.5}, leg],
        "best": 1,
        "measured": figures(1.5),
        "samples": 25_600,
        "population": [
            {**member, "member": 0, "scores_um": [3.0, None]},
            {**member, "member": 1, "scores_um": [3.1, 1.4]},
        ],
    }
    return {
        "command": "python benchmarks/tuning.py",
        "date": "2026-01-02",
        "seed": 0,
        "found": found,
        "recipe_as_long_as_one_member": figures(2.0),
        "recipe_other_seed": figures(2.1),
        "found_taught_anew_other_seed": figures(1.6),
        "recipe_as_long_as_the_population": figures(1.0),
    }


def all_results() -> dict[str, Any]:
    """Every file that the page of evidence reads, by its name without ``.json``."""
    return {
        "single_shot": single_shot(),
        "single_shot_unstained-20x": single_shot("unstained-20x", ("unstained",)),
        "single_shot_speed": {"median_ms": {}},
        "learning_curves": learning_curves(),
        "backbones": backbones(),
        "single_shot_choices": choices(),
        "densities": densities(),
        "robustness": robustness(),
        "end_to_end": end_to_end(),
        "tuning": tuning(),
    }
