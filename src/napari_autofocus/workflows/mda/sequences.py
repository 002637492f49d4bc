"""What an acquisition plans: at which place an event is, where its focus is meant to be, and how far off a frame is.

A z-stack is taken around the focus of its place. useq says where each frame lies and not where that focus is, which is
what an autofocus finds; it is worked out here. Positions that state no z lie where the drive stood at the start.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from useq import AxesBasedAF, HardwareAutofocus, MDAEvent, MDASequence, ZRelativePositions

from napari_autofocus.errors import InputError
from napari_autofocus.io.care.yaml_values import read_yaml_values
from napari_autofocus.plain_json import UNUSABLE, read_plain_json
from napari_autofocus.workflows.mda.places import XY, Place

ABSOLUTE = (
    "This acquisition takes its planes at absolute heights, which leaves nothing to focus; take them relative to the"
    " focus of each position, as relative_to_focus(sequence) does, or choose a range around the position."
)


def is_autofocus(event: MDAEvent) -> bool:
    """Whether an event asks for an autofocus."""
    return isinstance(event.action, HardwareAutofocus)


def is_frame(event: MDAEvent) -> bool:
    """Whether an event is to be acquired."""
    return event.action is None or getattr(event.action, "type", "") == "acquire_image"


def place_of(event: MDAEvent) -> Place:
    """The place of the slide that an event is at."""
    return event.index.get("p"), event.index.get("g")


def xy_of(event: MDAEvent) -> XY:
    """Where it is, µm; NaN where the event does not say."""
    return (
        math.nan if event.x_pos is None else float(event.x_pos),
        math.nan if event.y_pos is None else float(event.y_pos),
    )


def planned_focus_um(event: MDAEvent) -> float | None:
    """Where the acquisition itself puts the focus of this place, µm; None where it does not say."""
    sequence = event.sequence
    if sequence is None:
        return event.z_pos
    number = event.index.get("p")
    if number is None or number >= len(sequence.stage_positions):
        return None
    z_um = sequence.stage_positions[number].z
    return None if z_um is None else float(z_um)


def beside_focus_um(event: MDAEvent) -> float:
    """How far a frame lies from the focus of its place, µm: plane of the stack and offset of its channel."""
    if event.z_pos is None or event.sequence is None:
        return 0.0
    return float(event.z_pos) - (planned_focus_um(event) or 0.0)


def has_autofocus(sequence: MDASequence) -> bool:
    """Whether an acquisition, or one of its positions, has an autofocus plan of its own."""
    own = any(
        position.sequence is not None and position.sequence.autofocus_plan is not None
        for position in sequence.stage_positions
    )
    return sequence.autofocus_plan is not None or own


def afresh(sequence: MDASequence) -> Iterator[MDAEvent]:
    """The events of an acquisition, by autofocus plans that have not run yet.

    A plan of useq remembers the last event that it saw, beyond the end of a run: an acquisition of one position that is
    run twice would be focused in its first run only.
    """
    if all(position.sequence is None for position in sequence.stage_positions):
        yield from _with_new_plan(sequence)
        return
    positions = [
        position
        if position.sequence is None
        else position.model_copy(update={"sequence": _with_new_plan(position.sequence)})
        for position in sequence.stage_positions
    ]
    # Not by model_copy: useq remembers positions by the uid, which a copy would share.
    for event in _with_new_plan(sequence).replace(stage_positions=positions):
        yield event.model_copy(update={"sequence": sequence})


def _with_new_plan(sequence: MDASequence) -> MDASequence:
    plan = sequence.autofocus_plan
    if plan is None:
        return sequence
    return sequence.model_copy(update={"autofocus_plan": type(plan)(**plan.model_dump())})


def with_autofocus(events: Iterable[MDAEvent], axes: tuple[str, ...]) -> Iterator[MDAEvent]:
    """Put an autofocus before every frame at which one of these axes has changed."""
    plan = AxesBasedAF(axes=axes)
    for event in events:
        if is_frame(event) and plan.should_autofocus(event):
            yield event.model_copy(update={"action": plan.as_action()})
        yield event


def has_absolute_planes(sequence: MDASequence) -> bool:
    """Whether an acquisition, or one of its positions, takes planes at absolute heights."""
    own = [position.sequence for position in sequence.stage_positions if position.sequence is not None]
    plans = (each.z_plan for each in (sequence, *own))
    return any(plan is not None and bool(list(plan)) and not plan.is_relative for plan in plans)


def relative_to_focus(sequence: MDASequence | Any, *, axes: tuple[str, ...] = ("p",)) -> MDASequence:
    """The same acquisition with its planes around the focus of each position, and an autofocus plan.

    Absolute heights become distances from their middle. That middle becomes the z of positions that state none, and is
    where the search for focus begins. useq refuses absolute heights together with an autofocus plan.

    Parameters
    ----------
    sequence : MDASequence or mapping
        An acquisition, or what one would be made of (which useq may refuse).
    axes : tuple of str
        Focus whenever one of these axes changes, unless the acquisition has a plan of its own.

    Raises
    ------
    InputError
        If it is no acquisition.
    """
    given = sequence.model_dump(mode="python", exclude_unset=True) if isinstance(sequence, MDASequence) else sequence
    values = dict(given)
    plan = values.pop("autofocus_plan", None) or AxesBasedAF(axes=axes)
    try:
        plain = MDASequence(**values)
        if plain.z_plan is not None and list(plain.z_plan) and not plain.z_plan.is_relative:
            plain = _around_middle(plain)
        return plain.replace(autofocus_plan=plan)
    except (ValueError, TypeError) as error:
        raise InputError(f"This is no acquisition that could be focused: {_first_line(error)}.") from error


def _around_middle(sequence: MDASequence) -> MDASequence:
    """Planes relative to their middle, which positions without a z take over."""
    heights_um = [float(z_um) for z_um in sequence.z_plan or ()]
    middle_um = (min(heights_um) + max(heights_um)) / 2
    positions: list[Any] = [
        position if position.z is not None else position.model_copy(update={"z": middle_um})
        for position in sequence.stage_positions
    ] or [{"z": middle_um}]
    plan = ZRelativePositions(relative=[z_um - middle_um for z_um in heights_um])
    return sequence.replace(z_plan=plan, stage_positions=positions)


def _first_line(error: Exception) -> str:
    """The first thing that pydantic complains of, without its headings."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 2 and "validation error" in lines[0]:
        return f"{lines[1]}, {lines[2].partition(' [type=')[0].rstrip('.').lower()}"
    return lines[0].rstrip(".") if lines else "unreadable"


def _values(path: Path) -> Any:
    if path.suffix.lower() not in (".yaml", ".yml", ".json"):
        raise ValueError(f"its ending is {path.suffix or 'missing'}, and .yaml and .json are read")
    text = path.read_text(encoding="utf-8-sig")
    return read_plain_json(text) if path.suffix.lower() == ".json" else read_yaml_values(text)


def read_sequence(path: Any) -> MDASequence:
    """An acquisition from a YAML or JSON file of useq.

    Raises
    ------
    InputError
        If the file cannot be read or is no acquisition; absolute planes with an autofocus plan are explained.
    """
    try:
        return MDASequence.model_validate(_values(Path(path)))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}).") from error
    except UNUSABLE as error:
        if "Absolute Z positions" in str(error):
            raise InputError(f"{path}: {ABSOLUTE}") from error
        raise InputError(f"{path} is not an acquisition that useq can read: {_first_line(error)}.") from error
