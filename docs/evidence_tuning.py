"""The page of evidence on tuning: what population-based training found, and whether it beats the recipe's settings."""

from __future__ import annotations

from typing import Any

from evidence_figures import Drawing
from evidence_words import bold, count, picture, share, source, table, um

Made = tuple[dict[str, str], list[Drawing]] | None
_TAUGHT = {
    "recipe_as_long_as_one_member": "the recipe's settings, as long as one member",
    "recipe_other_seed": "the same, from other first weights",
    "found_taught_anew_other_seed": "the settings found, taught anew from these",
    "recipe_as_long_as_the_population": "the recipe's settings, as long as the whole population",
}


def tuning(results: dict[str, Any]) -> Made:
    """Settings found and how they do, beside the recipe's at equal cost."""
    told = results.get("tuning")
    if not told:
        return None
    found = told["found"]
    rows = [
        [
            f"the best of a population of {len(found['population'])}",
            count(found["samples"]),
            *_figures(found["measured"]),
        ]
    ]
    rows += [
        [words, count(told[key]["samples"]), *_figures(told[key])] for key, words in _TAUGHT.items() if key in told
    ]
    drawing = Drawing("evidence_tuning.svg", [_population(found)], columns=1)
    facts = (f"seed {told['seed']}", "measured on slides that neither taught nor chose")
    pieces = {
        "table": table(["taught with", "patches shown to it", "mean error, µm", "median, µm", "direction"], rows),
        "course": table(*_course(found)),
        "width": f"{found['width']:g}",
        "verdict": _verdict(told),
        "figure": picture(drawing.file, "Error of each member of the population after each generation"),
        "source": source("tuning.json", told, *facts),
    }
    return pieces, [drawing]


def _figures(row: dict[str, float]) -> list[str]:
    return [um(row.get("score")), um(row.get("median_um")), share(row.get("direction"))]


def _population(found: dict[str, Any]) -> dict[str, Any]:
    lines = []
    for member in found["population"]:
        scores = [(at + 1, score) for at, score in enumerate(member["scores_um"]) if score is not None]
        name = f"member {member['member']}, width {member['width']:g}" + (
            ": the best" if _is_best(found, member) else ""
        )
        lines.append({"name": name, "x": [at for at, _ in scores], "y": [score for _, score in scores]})
    axes = {"x": "generation", "y": "mean error of a patch, µm", "legend": "beside", "wide": True}
    return {"title": "the population, on the slides that choose", **axes, "lines": lines}


def _is_best(found: dict[str, Any], member: dict[str, Any]) -> bool:
    return bool(member["member"] == found["best"])


def _course(found: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    names = ("learning_rate", "momentum", "weight_decay", "dropout")
    rows = [[share(leg["until"]), *(f"{leg[name]:.3g}" for name in names)] for leg in found["course"]]
    return ["up to", *(name.replace("_", " ") for name in names)], rows


def _verdict(told: dict[str, Any]) -> str:
    """What taught as long, and what cost as much, say of the settings."""
    anew, other = (told.get(key, {}).get("score") for key in ("found_taught_anew_other_seed", "recipe_other_seed"))
    whole, best = told.get("recipe_as_long_as_the_population", {}).get("score"), told["found"]["measured"].get("score")
    said = []
    if anew is not None and other is not None:
        better, numbers = "better" if anew < other else "no better", f"{um(anew)} against {um(other)} µm"
        said.append(f"Taught as long, the settings found are {bold(better)} than the recipe's ({numbers}).")
    if whole is not None and best is not None:
        wins = "finding them" if best < whole else "teaching with the recipe's settings for as long"
        numbers = f"{um(best)}, {um(whole)} µm"
        said.append(f"For the cost of the whole search, {bold(wins)} gives the smaller error ({numbers}).")
    return " ".join([*said, "One training each: a small difference says nothing."] if said else [])
