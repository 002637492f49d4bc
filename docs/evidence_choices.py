"""The page of evidence on the choices behind a model: the network, size and number of patches, pooling, stains."""

from __future__ import annotations

from typing import Any

from evidence_figures import Drawing, Panel
from evidence_words import DENSITIES, NONE, STAINS, bold, count, picture, share, some, source, table, um, weights

Results = dict[str, Any]
Made = tuple[dict[str, str], list[Drawing]] | None
POOLINGS = {
    "mean": "mean",
    "median": "median",
    "weighted_mean": "weighted mean",
    "weighted_huber": "weighted, Huber",
    "weighted_median": "weighted median",
}
_FILE = "single_shot_choices.json"
_ERROR = "mean error, µm"
_MARKED_PX = 112  # sizes that are a multiple of this are named along the axis


def backbones(results: Results) -> Made:
    """What every network costs; what those that were taught alike have learnt."""
    found = results.get("backbones")
    if not found or not found["costs"]:
        return None
    by_time = sorted(found["costs"].items(), key=lambda each: each[1]["onnx_ms_per_32_patches"])
    headings = ["network", "million weights", "million multiply-adds", "ms for 32 patches", "ms a training step"]
    pieces = {
        "costs": table(headings, [_price(name, cost) for name, cost in by_time]),
        "source": source("backbones.json", found, f"times: {found['times']}, {found['multiply_adds_of']}"),
    }
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in found["rows"]:
        groups.setdefault((row["samples"], row["patches"], row["crop"], row["seed"]), []).append(row)
    if not groups:
        return pieces, []
    drawing = Drawing("evidence_backbones.svg", [_cost(group) for group in groups.values()], columns=1)
    rows = [_learnt(row, group) for group in groups.values() for row in sorted(group, key=lambda row: row["mae_um"])]
    one = found["rows"][0]
    pieces |= {
        "errors": table(["network", "patches shown", "mean error, µm", "direction"], rows),
        "figure": picture(drawing.file, "Error of each network against the time that it takes"),
        "taught": f"Taught alike for a short while, from weights of seed {one['seed']}, on patches of {one['crop']}"
        f" px; measured on {count(one['validation'])} of slides that none has seen, ± standard error over slides. This"
        " ranks **how fast each learns at this budget, not how good it becomes**: large networks need more patches than"
        " a processor shows them in an hour. Bold is the least error of a budget.",
    }
    return pieces, [drawing]


def _price(name: str, cost: dict[str, Any]) -> list[str]:
    times = [count(cost["onnx_ms_per_32_patches"]), count(cost["training_ms_per_step"])]
    return [f"`{name}`", f"{cost['parameters'] / 1e6:.2f}", count(cost["million_multiply_adds"]), *times]


def _learnt(row: dict[str, Any], group: list[dict[str, Any]]) -> list[str]:
    best = min(each["mae_um"] for each in group)
    error = f"{um(row['mae_um'])} ± {um(row['standard_error_um'])}"
    error = bold(error, row["mae_um"] == best)
    return [f"`{row['backbone']}`", count(row["samples"]), error, share(row["direction_success"])]


def _cost(group: list[dict[str, Any]]) -> Panel:
    points = [{"name": row["backbone"], "x": row["onnx_ms_per_32_patches"], "y": row["mae_um"]} for row in group]
    title = f"after {count(group[0]['samples'])} patches of {group[0]['crop']} px"
    axes = {"x": "ms for 32 patches of 128 px, one thread", "y": "mean error of a patch, µm", "log_x": True}
    return {"title": title, **axes, "points": points, "legend": "beside", "wide": True}


def _frames(results: Results) -> dict[str, Any] | None:
    told = results.get("single_shot_choices", {}).get("frames")
    return dict(told) if told else None


def _from(found: dict[str, Any]) -> str:
    sizes = f"`{found['model']}`, {found['fields']} fields of each density, {some(found['draws'], 'frame')} each"
    return source(_FILE, found, sizes, f"the fields of `single_shot.py`, ±{found['range_um']:g} µm", weights(found))


def _lines(found: dict[str, Any], part: str, x: str, wanted: Any) -> list[dict[str, Any]]:
    """A line for each density through the rows that are wanted."""
    return [
        {"name": words, "x": [row[x] for row in rows], "y": [row["mae_um"] for row in rows]}
        for density, words in DENSITIES.items()
        if (rows := [row for row in found[part].get(density, []) if wanted(row)])
    ]


def size(results: Results) -> Made:
    """Error and time by size of the patches."""
    found = _frames(results)
    if not found:
        return None
    by_size = found["ms"]["size"]
    most = {px: max(row["patches"] for row in found["size"]["all"] if row["size_px"] == px) for px in map(int, by_size)}
    much = lambda row: row["patches"] == most[row["size_px"]]  # noqa: E731
    ticks = [[int(px), px] for px in by_size if int(px) % _MARKED_PX == 0]
    axes = {"x": "side of a patch, px", "log_y": True, "ticks": ticks}
    times = {"name": "as much area", "x": [int(px) for px in by_size], "y": list(by_size.values())}
    alone = {
        "name": "one patch",
        "x": [int(px) for px in found["ms"]["one_patch"]],
        "y": [*found["ms"]["one_patch"].values()],
    }
    panels = [
        {
            "title": "as much area as 32 patches have",
            **axes,
            "y": _ERROR,
            "lines": _lines(found, "size", "size_px", much),
        },
        {
            "title": "the most important patch alone",
            **axes,
            "y": _ERROR,
            "lines": _lines(found, "size", "size_px", _one),
        },
        {"title": "time", **axes, "y": "ms a frame, one thread", "lines": [times, alone]},
    ]
    drawing = Drawing("evidence_size.svg", panels, columns=3)
    rows = [_size_row(found, px) for px in dict.fromkeys(row["size_px"] for row in found["size"]["all"])]
    pieces = {
        "figure": picture(drawing.file, "Error and time by size of the patches"),
        "table": table(["patch, px", "patches", *DENSITIES.values(), "ms"], rows),
        "taught": f"{found['taught_on_px']} px",
        "source": _from(found),
    }
    return pieces, [drawing]


def _one(row: dict[str, Any]) -> bool:
    return bool(row["patches"] == 1)


def _size_row(found: dict[str, Any], px: int) -> list[str]:
    most = max(row["patches"] for row in found["size"]["all"] if row["size_px"] == px)
    cells = [_cell(found["size"][density], size_px=px, patches=most) for density in DENSITIES]
    own = px == found["taught_on_px"]
    return [bold(str(px), own), str(most), *cells, count(found["ms"]["size"][str(px)])]


def _cell(rows: list[dict[str, Any]], **wanted: Any) -> str:
    fitting = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return um(fitting[0]["mae_um"]) if fitting else NONE


def number(results: Results) -> Made:
    """Error and time by number of patches."""
    found = _frames(results)
    if not found:
        return None
    own, axes = found["own_pooling"], {"x": "patches", "log_x": True, "log_y": True}
    lines = _lines(found, "number", "patches", lambda row: row["pooling"] == own)
    ms = found["ms"]["number"]
    times = [{"name": "the defocus network", "x": [int(n) for n in ms], "y": list(ms.values())}]
    panels = [
        {"title": f"pooled by their {POOLINGS[own]}", **axes, "y": _ERROR, "lines": lines},
        {"title": "time", **axes, "y": "ms a frame, one thread", "lines": times},
    ]
    drawing = Drawing("evidence_number.svg", panels)
    numbers = dict.fromkeys(row["patches"] for row in found["number"]["all"])
    rows = [_number_row(found, patches, own) for patches in numbers]
    pieces = {
        "figure": picture(drawing.file, "Error and time by number of patches"),
        "table": table(["patches", *DENSITIES.values(), "ms"], rows),
        "source": _from(found),
    }
    return pieces, [drawing]


def _number_row(found: dict[str, Any], patches: int, pooling: str) -> list[str]:
    cells = [_cell(found["number"][density], patches=patches, pooling=pooling) for density in DENSITIES]
    return [str(patches), *cells, count(found["ms"]["number"][str(patches)])]


def pooling(results: Results) -> Made:
    """Error by pooling and number of patches."""
    found = _frames(results)
    if not found:
        return None
    panels = [_poolings(found["number"][density], words) for density, words in DENSITIES.items()]
    drawing = Drawing("evidence_pooling.svg", panels, columns=3)
    rows = [
        [
            words,
            *(
                _cell(found["number"][density], patches=patches, pooling=kind)
                for patches in (4, 32)
                for density in DENSITIES
            ),
        ]
        for kind, words in POOLINGS.items()
    ]
    headings = ["", *(f"{patches} patches, {words}" for patches in (4, 32) for words in DENSITIES.values())]
    pieces = {
        "figure": picture(drawing.file, "Error by number of patches, a line for each pooling"),
        "table": table(headings, rows),
        "source": _from(found),
    }
    return pieces, [drawing]


def _poolings(rows: list[dict[str, Any]], title: str) -> Panel:
    lines = []
    for kind, words in POOLINGS.items():
        told = [row for row in rows if row["pooling"] == kind]
        lines.append({"name": words, "x": [row["patches"] for row in told], "y": [row["mae_um"] for row in told]})
    return {"title": title, "x": "patches", "y": _ERROR, "log_x": True, "log_y": True, "lines": lines}


def stains(results: Results) -> Made:
    """One model for all stains against one for each."""
    found = results.get("single_shot_choices", {}).get("stains")
    if not found or not found["rows"]:
        return None
    names = list(found["rows"][0]["by_stain"])
    rows = [
        [
            "all of them" if row["taught_on"] == "mixed" else STAINS[row["taught_on"]],
            *(_error(row, name) for name in names),
        ]
        for row in found["rows"]
    ]
    one = found["rows"][0]["all"]
    sizes = f"{count(found['samples'])} patches of {found['crop']} px each, `{found['backbone']}`"
    facts = (
        sizes,
        f"measured on {count(one['patches'])} patches of slides that none has seen, ± standard error over slides",
    )
    pieces = {
        "table": table(["taught on", *(STAINS[name] for name in names)], rows),
        "verdict": _mixed_verdict(found["rows"], names),
        "source": source(_FILE, found, *facts, f"seed {found['seed']}" if "seed" in found else ""),
    }
    return pieces, []


def _error(row: dict[str, Any], stain: str) -> str:
    figures = row["by_stain"][stain]
    return f"{um(figures['mae_um'])} ± {um(figures['standard_error_um'])}"


def _mixed_verdict(rows: list[dict[str, Any]], names: list[str]) -> str:
    by = {row["taught_on"]: row["by_stain"] for row in rows}
    if "mixed" not in by:
        return ""
    told = [name for name in names if name in by]
    better = [name for name in told if by["mixed"][name]["mae_um"] < by[name][name]["mae_um"]]
    return (
        f"At this budget the one taught on all stains is better than the one taught on a stain alone on"
        f" {len(better)} of {len(told)} stains, although it has seen a quarter as many patches of each."
    )
