"""What the training panel says of a data set, of the work and of what came of it. No Qt."""

from __future__ import annotations

from pathlib import Path

from napari_autofocus.widgets.parts.forms import Tone
from napari_autofocus.workflows.training.request import TrainingFolder
from napari_autofocus.workflows.training.steps import DatasetSeen, Learning, RefocuserMade, TrainingMade, Working

_STAGES = {
    "importance": "Learning where to look",
    "defocus": "Learning the defocus",
    "refocus": "Learning to recover the image in focus",
}
_DOING = {
    "starting": "Starting",
    "reading": "Reading the stacks",
    "storing": "Cutting patches",
    "calibrating": "Calibrating what it states of itself",
    "evaluating": "Measuring on stacks that were held out",
}
_BY = {"Brenner": "Brenner", "table": "a table", "label store": "people"}


def doing_words(step: Working | Learning) -> str:
    """What is being done."""
    doing = _DOING[step.doing] if isinstance(step, Working) else _STAGES[step.stage]
    if isinstance(step, Learning) and step.stage != "importance" and step.seconds_left <= 0:
        doing = "Putting the model together"
    return f"Cross-validation {step.fold} of {step.folds}: {_uncapitalised(doing)}" if step.fold else doing


def _uncapitalised(text: str) -> str:
    return text[0].lower() + text[1:]


def bar_of(step: Working) -> tuple[int, int, str]:
    """How far that is: value and maximum of a bar (0, 0: not known), and what stands in it."""
    if not step.total:
        return 0, 0, ""
    return step.done, step.total, f"{step.name} %p %" if step.doing == "reading" else "%v of %m"


def taught_bar(taught_s: float, left_s: float) -> tuple[int, int, str]:
    """The same of teaching: the time spent, over all stages and folds."""
    total_s = taught_s + left_s
    return round(taught_s), max(round(total_s), 1), f"{minutes(taught_s)} of {minutes(total_s)}"


def minutes(seconds: float) -> str:
    """A time that somebody waits for."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def learning_facts(step: Learning, dof_um: float | None, left_s: float) -> list[tuple[str, str]]:
    """Names and values to read beside the scatter while it learns."""
    facts = [("Loss", f"{step.loss:.3g}")]
    if step.score is not None and step.stage == "defocus":
        facts.append(("Error", _error(step.score, dof_um)))
        if step.direction is not None:
            facts.append(("Direction", percent(step.direction)))
    elif step.score is not None and step.stage == "refocus":
        facts.append(("Gain", f"{decibels(step.score)} over the sharper shot"))
    elif step.score is not None:
        facts.append(("Error", f"{step.score:.3f}"))
    facts.append(("Learning rate", _rate(step.learning_rate)))
    if step.retreats:
        facts.append(("Diverged", f"{step.retreats} × (went back)"))
    return [*facts, ("Time left", f"about {minutes(left_s)}")]


def _rate(rate: float) -> str:
    return f"{rate:.1e}".replace("e-0", "e-").replace("-", "−") if rate else "0"


def _error(error_um: float, dof_um: float | None) -> str:
    return f"{error_um:.2f} µm" + (f" ({error_um / dof_um:.2f} DOF)" if dof_um else "")


def decibels(gain_db: float) -> str:
    """A gain with its sign."""
    return f"{gain_db:+.2f} dB".replace("-", "−")


def percent(share: float) -> str:
    """Never rounded up to certainty."""
    return "100 %" if share >= 1 else f"{min(100 * share, 99.9):.1f} %"


def dataset_words(seen: DatasetSeen) -> tuple[str, Tone]:
    """A data set in a sentence or two."""
    by = ", ".join(f"{count} by {_BY.get(who, who)}" for who, count in sorted(seen.labelled_by.items()))
    stacks = f"{seen.stacks} stack{'s' * (seen.stacks != 1)}" + (f", labelled {by}" if by else "")
    if seen.refusal:
        return f"{stacks}. {in_the_panel(seen.refusal)}", "error"
    return f"{stacks}. {seen.summary}.", "plain"


def left_out_words(seen: DatasetSeen) -> str:
    """Title of the list of what is left out; empty where nothing is."""
    count = len(seen.left_out)
    return f"{count} stack{'s' * (count != 1)} set aside" if count else ""


def made_headline(made: TrainingMade) -> tuple[str, Tone]:
    """How good a model is, and whether to trust it."""
    if made.mae_um is None:
        return "It answered none of the frames that were held out: teach it longer, or add stacks.", "warning"
    error = f"Error {_error(made.mae_um, made.dof_um)}"
    if made.works is False:
        return f"{error}: do not trust it yet.", "warning"
    return f"{error}.", "good"


def made_facts(made: TrainingMade) -> list[tuple[str, str]]:
    """Names and values to read beside the scatter of a finished model."""
    facts = []
    if made.low_um is not None and made.high_um is not None:
        facts.append(("90 % interval", f"{made.low_um:.2f} to {made.high_um:.2f} µm"))
    if made.direction is not None:
        facts.append(("Direction", f"{percent(made.direction)} right"))
    facts.append(("Refused", percent(made.refused)))
    facts.append(("Range", f"±{made.range_um:g} µm"))
    return [*facts, ("Held out", f"{made.frames} frames of {made.stacks} stack{'s' * (made.stacks != 1)}")]


def refocuser_headline(made: RefocuserMade) -> tuple[str, Tone]:
    """What a virtual refocuser is worth on stacks that were held out, beside the model that it began with."""
    if made.gain_db is None:
        return "No pair of planes was there to measure it on: add stacks.", "warning"
    gain = f"{decibels(made.gain_db)} over the sharper shot"
    if made.base_gain_db is not None:
        gain += f" ({made.base} as it is: {decibels(made.base_gain_db)})"
    if made.base_gain_db is not None and made.gain_db < made.base_gain_db:
        return f"{gain}. Use {made.base}, teach longer, or add stacks.", "warning"
    if made.gain_db <= 0:
        return f"{gain}. Do not use it yet; teach it longer, or add stacks.", "warning"
    return f"{gain}.", "good"


def refocuser_facts(made: RefocuserMade) -> list[tuple[str, str]]:
    """Names and values to read beside the gains of a finished refocuser."""
    low, high = made.half_um
    facts = [(f"±{gain.half_um:g} µm", decibels(gain.recovered_db - gain.sharper_db)) for gain in made.gains]
    if made.doubtful is not None:
        facts.append(("Called doubtful", percent(made.doubtful)))
    facts.append(("Shots", f"±{low:.3g} to ±{high:.3g} µm"))
    return [*facts, ("Held out", f"{len(made.pairs)} pairs of {made.stacks} stack{'s' * (made.stacks != 1)}")]


def unfinished_words(folder: TrainingFolder, past: list[Learning]) -> str:
    """A training that can be taken up again."""
    spent: dict[tuple[int, str], float] = {step.part: step.seconds for step in past}
    taught = f"taught {minutes(sum(spent.values()))}" if spent else "not taught yet"
    return f"{folder.path.stem}: {taught}"


def folder_words(path: Path) -> str:
    """The end of a path, as much as tells folders apart."""
    return str(Path("…", *path.parts[-2:])) if len(path.parts) > 3 else str(path)


def in_the_panel(sentence: str) -> str:
    """A sentence that names options of the shell, with what they are called in the panel."""
    for option, words in {"--objective": "the objective", "--pixel-um": "the pixel size (under More)"}.items():
        sentence = sentence.replace(option, words)
    return sentence
