"""The page of evidence on each model as it ships: how good it is, what was asked of it, how it went on learning."""

from __future__ import annotations

from typing import Any

from evidence_figures import Drawing, Panel
from evidence_words import (
    DENSITIES,
    NONE,
    STAINS,
    bold,
    count,
    dig,
    listed,
    picture,
    share,
    some,
    source,
    table,
    um,
    weights,
)

Results = dict[str, Any]
Made = tuple[dict[str, str], list[Drawing]] | None
ORDER = ("brightfield-20x", "brightfield-10x", "fluorescence-20x", "unstained-20x")
LEARNING_ORDER = (*ORDER, "two-shot-20x", "two-shot-small-20x")
_COLUMNS = ("frames", "mean error ± sd, µm", "in depths of field", "within DOF/2", "within DOF", "direction")
_ASKED = {
    "brightfield-20x": (
        *((f"nominal {density}", "mae_um", most) for density, most in zip(DENSITIES, (0.07, 0.10, 0.15), strict=True)),
        *(
            (f"nominal {density}", "direction_success", least)
            for density, least in zip(DENSITIES, (0.998, 0.995, 0.995), strict=True)
        ),
    ),
    "brightfield-10x": tuple((f"nominal {density}", "mae_um", 0.5) for density in DENSITIES),
    **{
        model: tuple(
            (f"nominal {density}", figure, least)
            for figure, least in (("within_half_dof", 0.95), ("direction_success", 0.99))
            for density in DENSITIES
        )
        for model in ("fluorescence-20x", "unstained-20x")
    },
}
_FIGURES = {"mae_um": "mean error, µm", "direction_success": "direction right", "within_half_dof": "within DOF/2"}


def measured(results: Results) -> dict[str, Any]:
    """The measurement of each model, by its name, in the order of the page."""
    found = {
        result["model"]: {**result, "file": f"{name}.json"}
        for name, result in results.items()
        if (name == "single_shot" or name.startswith("single_shot_")) and "rows" in result and "model" in result
    }
    return {name: found[name] for name in sorted(found, key=lambda name: (_rank(name), name))}


def _rank(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


def models(results: Results) -> Made:
    """A table for each model, and a figure: the error by defocus."""
    found = measured(results)
    if not found:
        return None
    tables = [_model(name, result) for name, result in found.items()]
    drawing = Drawing("evidence_models.svg", [_by_defocus(name, result) for name, result in found.items()])
    says = "Mean error by true defocus, a panel for each model, a line for each density"
    return {"tables": "\n\n".join(tables), "figure": picture(drawing.file, says)}, [drawing]


def _model(name: str, result: dict[str, Any]) -> str:
    stains = listed([STAINS.get(stain, stain) for stain in result["stains"]])
    optics = f"{result['objective']} at {result['pixel_um']:g} µm a pixel"
    head = f"### `{name}`\n{stains}; {optics}; ±{result['range_um']:g} µm; depth of field {result['dof_um']:g} µm."
    rows = [
        _row(_named(row), figures)
        for row, figures in result["rows"].items()
        if row.partition(" ")[0] in ("nominal", "off-nominal")
    ]
    headings = ["", *_COLUMNS, "in 90 % interval", "refused"]
    sizes = f"{result['fields']} fields of each density ({result['other_fields']} off nominal)"
    seeds = f"{some(result['draws'], 'frame')} each, slides from seed {result['first_seed']:,}"
    told = source(result["file"], result, sizes, seeds, weights(result))
    return "\n\n".join(part for part in (head, table(headings, rows), _refusals(result["rows"]), told) if part)


def _named(row: str) -> str:
    case, _, density = row.partition(" ")
    return f"{'' if case == 'nominal' else 'off nominal, '}{DENSITIES[density]}"


def _row(name: str, row: dict[str, Any]) -> list[str]:
    error = NONE if row["mae_um"] is None else f"{um(row['mae_um'])} ± {um(row['sd_um'])}"
    dof = NONE if row["mae_dof"] is None else f"{row['mae_dof']:.3f}"
    shares = ("within_half_dof", "within_dof", "direction_success", "interval90_coverage", "refused.all")
    return [name, count(row["fields"]), error, dof, *(share(dig(row, key)) for key in shares)]


def _refusals(rows: dict[str, Any]) -> str:
    said = []
    if "empty" in rows:
        empty = rows["empty"]
        said.append(f"Of {count(empty['fields'])} frames without content {share(empty['refused']['all'])} are refused.")
    if "even" in rows:
        even = rows["even"]
        said.append(
            f"Through optics that look the same on both sides of focus {share(even['unsure'])} of"
            f" {count(even['beyond_half_dof'])} frames are `unsure`, as they must be, and in"
            f" {share(even['no_direction_claimed'])} no direction is claimed."
        )
    return " ".join(said)


def _by_defocus(name: str, result: dict[str, Any]) -> Panel:
    lines = []
    for density, words in DENSITIES.items():
        bins = dig(result["rows"], f"nominal {density}")["by_defocus"] if f"nominal {density}" in result["rows"] else []
        told = [each for each in bins if each["mae_um"] is not None]
        middles = [(each["from_um"] + each["to_um"]) / 2 for each in told]
        lines.append({"name": words, "x": middles, "y": [each["mae_um"] for each in told]})
    half = {"y": result["dof_um"] / 2, "name": "half a depth of field"}
    return {"title": name, "x": "true defocus, µm", "y": "mean error, µm", "lines": lines, "hlines": [half]}


def targets(results: Results) -> Made:
    """What was asked of the models and of what they withstand, beside what was found."""
    rows = [
        _target(name, result, *asked) for name, result in measured(results).items() for asked in _ASKED.get(name, ())
    ]
    rows = [row for row in rows if row] + _other_targets(results)
    if not rows:
        return None
    reached = sum(row[-1] == "yes" for row in rows)
    summary = f"{reached} of {len(rows)} figures are reached."
    return {"table": table(["what", "asked", "found", "reached"], rows), "summary": summary}, []


def _target(name: str, result: dict[str, Any], row: str, figure: str, limit: float) -> list[str]:
    if row not in result["rows"]:
        return []
    found, most = result["rows"][row][figure], figure.endswith("_um")
    words = um if most else share
    reached = found is not None and (found <= limit if most else found >= limit)
    what = f"`{name}`, {_named(row)}: {_FIGURES[figure]}"
    return _line(what, f"{'at most' if most else 'at least'} {words(limit)}", words(found), reached)


def _line(what: str, asked: str, found: str, reached: bool) -> list[str]:
    return [what, asked, bold(found, not reached), "yes" if reached else "**no**"]


def _other_targets(results: Results) -> list[list[str]]:
    rows = []
    for target in results.get("densities", {}).get("targets", []):
        frames = f"{target['frames']:.3g} frame{'s' if target['frames'] > 1 else ''}, {target['starts']} starts"
        words = f"extremely sparse: our error over that of {target['method']} ({frames})"
        ratio = NONE if target["ratio"] is None else f"{target['ratio']:.2f}"
        rows.append(_line(words, f"at most {target['at_most']:g}", ratio, target["reached"]))
    for model in latest(results.get("robustness", {}).get("models", {})).values():
        for target in model["targets"]:
            words = f"`{model['model']}`, {target['row']}: error over the clean one"
            found = NONE if target["found"] is None else f"{target['found']:.2f}"
            rows.append(_line(words, f"at most {target['wanted'].split()[-1]}", found, target["reached"]))
    return rows


def latest(models: dict[str, Any]) -> dict[str, Any]:
    """Of several weights of one name, those that saw most patches."""
    best: dict[str, tuple[str, int]] = {}
    for key, model in models.items():
        seen = model.get("patches_seen") or 0
        if model["model"] not in best or seen >= best[model["model"]][1]:
            best[model["model"]] = key, seen
    return {key: models[key] for key, _ in best.values()}


def learning(results: Results) -> Made:
    """Error against patches shown, for each model."""
    found = results.get("learning_curves")
    if not found:
        return None
    names = [name for name in LEARNING_ORDER if name in found["models"]]
    names += sorted(set(found["models"]) - set(names))
    panels = [_curve(name, found["models"][name]) for name in names]
    drawing = Drawing("evidence_learning.svg", panels)
    rows = [_lesson(name, found["models"][name]) for name in names]
    headings = ["model", "patches shown", "minutes", "median error, µm", "at half of them", "seed", "weights"]
    pieces = {
        "figure": picture(drawing.file, "Error of single patches against patches shown, a panel for each model"),
        "table": table(headings, rows),
        "source": source("learning_curves.json", found, "patches of slides held out from training"),
    }
    return pieces, [drawing]


def _curve(name: str, model: dict[str, Any]) -> Panel:
    history = model["history"]
    lines = [
        {
            "name": words,
            "x": [row["samples"] / 1000 for row in history if f"{density}_um" in row],
            "y": [row[f"{density}_um"] for row in history if f"{density}_um" in row],
            "marker": "",
        }
        for density, words in DENSITIES.items()
    ]
    lines = [line for line in lines if line["x"]]
    axes = {"x": "patches shown, thousands", "y": "mean error of a patch, µm", "log_y": True}
    return {"title": name, **axes, "lines": lines}


def _lesson(name: str, model: dict[str, Any]) -> list[str]:
    history = model["history"]
    last, seen = history[-1], history[-1]["samples"]
    half = min(history, key=lambda row: abs(row["samples"] - seen / 2))
    numbers = [count(seen), count(model["minutes"]), um(last["median_um"]), um(half["median_um"])]
    return [f"`{name}`", *numbers, str(model["seed"]), model["model_sha256"][:8]]
