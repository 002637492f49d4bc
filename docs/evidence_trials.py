"""The page of evidence on trials: where methods break, what breaks a model, both stages taught together, tuning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from evidence_figures import Drawing, Panel
from evidence_words import DENSITIES, NONE, bold, count, dig, picture, share, some, source, table, um, weights

Results = dict[str, Any]
Made = tuple[dict[str, str], list[Drawing]] | None
_ERROR = "mean error, µm"
BREAKS = 1.3
"""A model withstands what raises its error at most so many times."""


def densities(results: Results) -> Made:
    """Every method on the same fields, from dense to a single cell."""
    found = results.get("densities")
    if not found:
        return None
    groups = sorted((group for group in found["rows"] if found["rows"][group]), key=_emptiness)
    drawing = Drawing("evidence_densities.svg", _by_density(found, groups), columns=1)
    sizes = (
        f"{found['fields']} fields of each, {some(found['draws'], 'start')} each ({found['sweep_draws']} for sweeps)"
    )
    facts = (f"`{found['model']}`", sizes, f"slides from seed {found['first_seed']:,}", weights(found))
    pieces = {
        "figure": picture(drawing.file, "Error of each method by how much content a field holds"),
        "errors": _methods(found, groups, "all.mae_um"),
        "shares": _methods(found, groups, "all.within_half_dof"),
        "verdicts": "\n".join(
            _verdict(group, found["comparisons"][group]) for group in groups if group in found["comparisons"]
        ),
        "source": source("densities.json", found, *facts),
    }
    return pieces, [drawing]


def _emptiness(group: str) -> tuple[int, int]:
    """Dense first, then ever fewer cells."""
    if group in DENSITIES:
        return [*DENSITIES].index(group), 0
    return len(DENSITIES), -int(group.split()[0])


def _name(group: str) -> str:
    return DENSITIES.get(group, group)


def _by_density(found: Mapping[str, Any], groups: list[str]) -> list[Panel]:
    lines = []
    for number, method in enumerate(found["methods"]):
        told = [(at, found["rows"][group][method]) for at, group in enumerate(groups) if method in found["rows"][group]]
        style = 1 if _frames(found, method) > 1 else 0
        look = {"name": method, "colour": number, "style": style}
        lines.append({**look, "x": [at for at, _ in told], "y": [row["all"]["mae_um"] for _, row in told]})
    ticks = [[at, _name(group)] for at, group in enumerate(groups)]
    title = "error by content; broken lines: sweeps, of many frames"
    axes = {"x": "", "y": f"{_ERROR}, all starts", "log_y": True, "ticks": ticks}
    return [{"title": title, **axes, "lines": lines, "legend": "beside", "wide": True}]


def _frames(found: Mapping[str, Any], method: str) -> float:
    used = [rows[method]["frames"] for rows in found["rows"].values() if method in rows]
    return sum(used) / len(used) if used else math.nan


def _methods(found: Mapping[str, Any], groups: list[str], figure: str) -> str:
    smaller = figure.endswith("_um")
    best = {}
    for group in groups:
        values = [dig(row, figure) for row in found["rows"][group].values()]
        best[group] = min(values) if smaller else max(values)
    rows = []
    for method in found["methods"]:
        cells = []
        for group in groups:
            row = found["rows"][group].get(method)
            value = dig(row, figure) if row else None
            cells.append(bold((um if smaller else share)(value), value is not None and value == best[group]))
        rows.append([method, f"{_frames(found, method):.3g}", _starts(found, method), *cells])
    return table(["", "frames", "starts", *map(_name, groups)], rows)


def _starts(found: Mapping[str, Any], method: str) -> str:
    """How many starts a figure of a method rests on; a range where groups differ."""
    numbers = [rows[method]["starts"] for rows in found["rows"].values() if method in rows]
    least, most = min(numbers), max(numbers)
    return str(least) if least == most else f"{least} to {most}"


def _verdict(group: str, told: Mapping[str, Any]) -> str:
    """Our error over that of the best baseline, each time on the starts that both had."""
    parts = []
    for key, words in (("best_single_frame", "baseline of one frame"), ("best_of_all", "baseline of all")):
        best = told.get(key)
        if best and best["ratio"] is not None:
            frames = f"{best['frames']:.3g} frame{'s' if best['frames'] > 1 else ''}"
            starts = some(best["starts"], "start")
            errors = f"{um(best['ours_mae_um'])} against {um(best['mae_um'])} µm"
            parts.append(
                f"{_times(best['ratio'])} that of the best {words}, {best['method']} ({frames}; {errors}, {starts})"
            )
    return f"- {_name(group)}: our error is " + "; ".join(parts) + "." if parts else ""


def _times(ratio: float) -> str:
    return f"{ratio:.2f} times" if ratio < 1 else bold(f"{ratio:.1f} times")


CASES = {
    "jpeg": ("JPEG file, quality", 100),
    "motion-um": ("motion during the exposure, µm", 0),
    "noise": ("added noise, of full scale", 0),
    "full-well": ("photons, of the usual number", 1),
    "exposure": ("exposure, of the usual one", 1),
    "red": ("white balance: gain of red", 1),
    "blue": ("white balance: gain of blue", 1),
    "colour": ("colour that is left", 1),
    "dust-shadows": ("blurred shadows of dust", 3),
    "dust-specks": ("sharp specks of dust", 0),
    "rotation-deg": ("frame turned, degrees", 0),
    "mirror": ("frame mirrored", 0),
    "pixel-percent": ("pixels larger than stated, %", 0),
    "tilt": ("tilt of the slide, µm/mm", 0),
    "dye-amount": ("amount of stain, of the usual one", 1),
    "dye-hue-deg": ("another hue of the stain, degrees", 0),
    "beyond": ("true defocus, in ranges of the model", 1),
    "stain": ("a specimen that the model was not made for", None),
}
"""What each case is called, and its strength in a clean frame."""
_DRAWN = ("jpeg", "motion-um", "noise", "full-well", "exposure", "red", "blue", "dust-specks", "pixel-percent", "tilt")


def robustness(results: Results) -> Made:
    """Error against the strength of what is wrong with a frame."""
    models = results.get("robustness", {}).get("models")
    if not models:
        return None
    by_name: dict[str, list[dict[str, Any]]] = {}
    for entry in models.values():
        by_name.setdefault(entry["model"], []).append(entry)
    parts, drawings = [], []
    for name, entries in by_name.items():
        entries.sort(key=lambda entry: entry.get("patches_seen") or 0)
        drawing = Drawing(f"evidence_robustness_{name}.svg", _strengths(entries), columns=3)
        parts.append(f"### `{name}`")
        if drawing.panels:
            drawings.append(drawing)
            parts.append(picture(drawing.file, f"Error of {name} against the strength of each disturbance"))
        parts += [*(_withstood(entry, results["robustness"]) for entry in reversed(entries))]
    return {"models": "\n\n".join(parts)}, drawings


def _label(entry: Mapping[str, Any]) -> str:
    seen = entry.get("patches_seen")
    return f"after {seen:,} patches" if seen else f"weights {entry['model_sha256'][:8]}"


def _of_case(entry: Mapping[str, Any], case: str) -> list[tuple[float, dict[str, Any]]]:
    """Strengths and rows of a case, the clean one among them where it has the same frames, from weak to strong."""
    told = [(name.partition("=")[2], row) for name, row in entry["rows"].items() if name.partition("=")[0] == case]
    found = [(float(strength), row) for strength, row in told if _is_number(strength)]
    clean = CASES[case][1]
    if found and clean is not None and "clean" in entry["rows"]:
        found.append((float(clean), entry["rows"]["clean"]))
    return sorted(found, key=lambda each: each[0])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _strengths(entries: list[dict[str, Any]]) -> list[Panel]:
    panels = []
    for case in _DRAWN:
        lines = []
        for entry in entries:
            told = [(at, row["mae_um"]) for at, row in _of_case(entry, case) if row["mae_um"] is not None]
            if told:
                lines.append({"name": _label(entry), "x": [at for at, _ in told], "y": [error for _, error in told]})
        if lines:
            limit = BREAKS * entries[-1]["rows"]["clean"]["mae_um"] if "clean" in entries[-1]["rows"] else None
            lines_across = [{"y": limit, "name": f"{BREAKS:g} times clean"}] if limit else []
            log = {"log_x": True} if case in ("full-well", "exposure") and min(lines[0]["x"]) > 0 else {}
            axes = {"title": CASES[case][0], "x": "", "y": _ERROR, **log}
            panels.append({**axes, "lines": lines, "hlines": lines_across})
    return panels


def _withstood(entry: dict[str, Any], result: Mapping[str, Any]) -> str:
    rows = [row for case in CASES for row in _case_rows(entry, case)]
    headings = [
        "what is wrong",
        f"error at most {BREAKS:g} times clean up to",
        "strongest asked",
        "mean error there, µm",
    ]
    headings += ["refused there", "trusted though wrong", "worst trusted error, µm"]
    clean = entry["rows"].get("clean")
    head = (
        f"{_label(entry).capitalize()}: clean {um(clean['mae_um'])} µm." if clean else f"{_label(entry).capitalize()}."
    )
    sizes = f"{entry['fields']} fields of each density, {some(entry['draws'], 'frame')} each"
    facts = (sizes, f"slides from seed {entry['first_seed']:,}" if "first_seed" in entry else "", weights(entry))
    told = source("robustness.json", {**result, "date": entry["date"]}, *facts)
    return f"{head}\n\n{table(headings, rows)}\n\n{told}"


def _case_rows(entry: dict[str, Any], case: str) -> list[list[str]]:
    """A row for each side of a case that has two, or for each name of one that has names."""
    words, clean = CASES[case]
    told = _of_case(entry, case)
    if not told or clean is None:
        named = [(name.partition("=")[2], row) for name, row in entry["rows"].items() if name.partition("=")[0] == case]
        return [_strongest(f"{words}: {name}", NONE, name, row) for name, row in named]
    rows = []
    for side, sign in (("less", -1), ("more", 1)):
        far = sorted(((at, row) for at, row in told if sign * (at - clean) > 0), key=lambda each: abs(each[0] - clean))
        if far:
            both = any(at < clean for at, _ in told) and any(at > clean for at, _ in told)
            name = f"{words}, {side}" if both else words
            rows.append(_strongest(name, _holds(far), f"{float(f'{far[-1][0]:.3g}'):g}", far[-1][1]))
    return rows


def _holds(far: list[tuple[float, dict[str, Any]]]) -> str:
    """The strongest up to which the error stays; nothing where clean frames of the same kind are not there."""
    if all(row["over_clean"] is None for _, row in far):
        return NONE
    held = ""
    for at, row in far:
        if row["over_clean"] is None:
            return held or f"none of them ({at:g} is refused)"
        if row["over_clean"] > BREAKS:
            return held or f"none of them ({at:.3g} is {row['over_clean']:.2f} times)"
        held = f"{at:.3g}"
    return f"{held} (all)"


def _strongest(name: str, holds: str, strength: str, row: Mapping[str, Any]) -> list[str]:
    worst = um(row["worst_confident_um"])
    return [
        name,
        holds,
        strength,
        um(row["mae_um"]),
        share(row["refused"]["all"]),
        share(row["confident_wrong"]),
        worst,
    ]


def together(results: Results) -> Made:
    """Both stages taught together, against one after the other."""
    found = results.get("end_to_end")
    if not found or not found["rows"]:
        return None
    cases = list(next(iter(found["rows"].values())))
    rows = [[name.replace("_", " "), *(_against(row[case]) for case in cases)] for name, row in found["rows"].items()]
    facts = (
        f"from `{found['model']}` ({weights(found)}), {count(found['samples'])} fields shown to each",
        f"measured on {found['fields']} unseen fields of each density, {some(found['draws'], 'frame')} each",
        f"slides to learn from: seed {found['seeds']['training']:,} on",
    )
    pieces = {
        "table": table(["taught / pooled", *map(_name_of_case, cases)], rows),
        "verdict": f"{_who_wins(found['rows'], cases)} {_beside_the_start(found['rows'], cases)}".strip(),
        "source": source("end_to_end.json", found, *facts),
    }
    return pieces, []


def _name_of_case(case: str) -> str:
    left = case.removesuffix(" left")
    return DENSITIES.get(case, case if left == case else f"{'1 patch' if left == '1' else left + ' patches'} left")


def _against(row: Mapping[str, Any]) -> str:
    return bold(um(row["mae_um"]), row["against"]["high_um"] < 0)


def _who_wins(rows: Mapping[str, Mapping[str, Any]], cases: list[str]) -> str:
    """What can be said for certain: cases whose 95 % interval lies on one side."""
    said = []
    for name, row in rows.items():
        wins = [case for case in cases if row[case]["against"]["high_um"] < 0]
        loses = [case for case in cases if row[case]["against"]["low_um"] > 0]
        if name.startswith("end to end") and (wins or loses):
            said.append(f"{name.replace('_', ' ')}: better in {len(wins)}, worse in {len(loses)} of {len(cases)} cases")
    if not said:
        return "No way of teaching both together differs for certain from teaching one after the other, in any case."
    return "For certain (95 % interval over fields) differ: " + "; ".join(said) + "."


def _beside_the_start(rows: Mapping[str, Mapping[str, Any]], cases: list[str]) -> str:
    """Whether going on was worth it at all."""
    cells = [(name, case) for name in rows if not name.startswith("start ") for case in cases]
    starts = {name: f"start /{name.partition('/')[2]}" for name, _ in cells}
    told = [(name, case) for name, case in cells if starts[name] in rows]
    better = sum(rows[name][case]["mae_um"] < rows[starts[name]][case]["mae_um"] for name, case in told)
    return (
        f"Of {len(told)} figures of what was taught on, {better} are smaller than those of the start." if told else ""
    )
