"""Acquisitions with autofocus on the simulated microscope: where frames are taken, what fails and what is told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from pymmcore_plus.mda import MDAEngine, PMDAEngine
from useq import AxesBasedAF, MDASequence

from made_estimates import empty_estimate, made_estimate
from mda_finders import scripted_finder, truthful_finder
from napari_autofocus.errors import HardwareError, InputError
from napari_autofocus.microscope.edge import connect_directly
from napari_autofocus.microscope.faults import Fault
from napari_autofocus.microscope.simulated import SimulatedRig
from napari_autofocus.routines.refocus_config import RefocusConfig
from napari_autofocus.workflows.mda import (
    ArmedCore,
    MdaFocusConfig,
    MdaFocusRecord,
    acquire_with_autofocus,
    model_finder,
    read_frames,
)
from napari_autofocus.workflows.mda.engine import FocusEngine
from rigs import RigMaker, TextureScene
from truthful_model import TruthfulModel
from truthful_pair import TruthfulPair

AF = AxesBasedAF(axes=("t", "p"))


@dataclass
class Taken:
    """One acquired frame: where, and how far out of focus it truly is."""

    index: dict[str, int]
    z_um: float
    defocus_um: float
    told: dict[str, Any]


def watch(rig: SimulatedRig) -> list[Taken]:
    taken: list[Taken] = []

    def on_frame(_: Any, event: Any, metadata: Any) -> None:
        index = {str(axis): number for axis, number in event.index.items()}
        here_um = rig.microscope.focus.position_um()
        taken.append(Taken(index, here_um, rig.true_defocus_um(), metadata["autofocus"]))

    connect_directly(rig.core.mda, "frameReady", on_frame)
    return taken


def sequence(**settings: Any) -> MDASequence:
    defaults: dict[str, Any] = {
        "stage_positions": [(0, 0, 1), (300, 0, 2)],
        "z_plan": {"range": 2, "step": 1},
        "autofocus_plan": AF,
    }
    return MDASequence(**{**defaults, **settings})


@pytest.mark.parametrize("direction", [1, -1])
def test_planes_lie_around_the_focus_that_was_found(make_rig: RigMaker, direction: int) -> None:
    rig = make_rig(TextureScene(best_um=4.0), focus_direction=direction)
    taken = watch(rig)

    record = acquire_with_autofocus(rig.microscope, sequence(), truthful_finder(rig))

    assert [round(each.defocus_um, 2) for each in taken] == [-direction, 0, direction] * 2
    assert record.outcome == "done"
    assert [event.found_um for event in record.events] == pytest.approx([4.0 * direction] * 2, abs=0.05)


def test_what_the_last_frame_says_is_left_is_taken_out_of_the_planes(make_rig: RigMaker) -> None:
    """0.25 µm are too little to move for; the middle plane is taken where focus is all the same."""
    rig = make_rig(TextureScene(best_um=1.25))
    taken = watch(rig)

    acquire_with_autofocus(rig.microscope, sequence(stage_positions=[(0, 0, 1)]), truthful_finder(rig))

    assert [round(each.defocus_um, 2) for each in taken] == [-1, 0, 1]


def test_an_acquisition_that_is_run_twice_is_focused_twice(rig: SimulatedRig) -> None:
    """Plans of useq remember the end of the last run."""
    plan = sequence(stage_positions=[(0, 0, 1)])

    runs = [acquire_with_autofocus(rig.microscope, plan, scripted_finder(lambda _: 0.0)) for _ in range(2)]

    assert [len(record.events) for record in runs] == [1, 1]


def test_the_engine_of_the_core_is_put_back_after_a_run_and_after_a_failure(rig: SimulatedRig) -> None:
    before = rig.core.mda.engine

    acquire_with_autofocus(rig.microscope, sequence(), scripted_finder(lambda _: 0.0))
    assert rig.core.mda.engine is before

    with pytest.raises(InputError, match="optics"):
        acquire_with_autofocus(rig.microscope, sequence(), truthful_finder(rig, optics=None))
    assert rig.core.mda.engine is before
    assert type(before) is MDAEngine


def test_an_engine_set_by_somebody_else_meanwhile_is_left_alone(rig: SimulatedRig) -> None:
    armed = ArmedCore(rig.microscope, scripted_finder(lambda _: 0.0), MdaFocusConfig())
    other = MDAEngine(rig.core)
    rig.core.register_mda_engine(other)

    armed.disarm()

    assert rig.core.mda.engine is other
    assert not armed.is_armed


def test_our_engine_fulfils_the_protocol_and_answers_for_the_one_inside(rig: SimulatedRig) -> None:
    """All that is used of pymmcore-plus is its public protocol; a change of it fails here."""
    with ArmedCore(rig.microscope, scripted_finder(lambda _: 0.0), MdaFocusConfig()) as armed:
        assert isinstance(armed.engine, PMDAEngine)
        assert armed.engine.use_hardware_sequencing
        methods = {name for name in vars(PMDAEngine) if not name.startswith("_")}
        assert methods <= set(vars(FocusEngine))
        with pytest.raises(InputError, match="focused already"):
            ArmedCore(rig.microscope, scripted_finder(lambda _: 0.0), MdaFocusConfig())


def test_an_armed_core_focuses_what_others_run_on_it(make_rig: RigMaker) -> None:
    rig = make_rig(TextureScene(best_um=4.0))
    taken = watch(rig)
    records: list[MdaFocusRecord] = []

    with ArmedCore(rig.microscope, truthful_finder(rig), MdaFocusConfig(axes=("p",)), keep=records.append):
        rig.core.run_mda(sequence(autofocus_plan=None)).join()

    assert [round(each.defocus_um, 2) for each in taken] == [-1, 0, 1] * 2
    assert len(records) == 1
    assert records[0].frames == 6


def test_places_without_z_are_taken_around_where_the_drive_stood(rig: SimulatedRig) -> None:
    """useq counts such planes from zero, which may be far away."""
    rig.microscope.focus.move_to(20.0)
    taken = watch(rig)

    acquire_with_autofocus(rig.microscope, sequence(stage_positions=[(0, 0)]), scripted_finder(lambda _: 0.5))

    assert [each.z_um for each in taken] == pytest.approx([19.5, 20.5, 21.5])


def test_an_offset_of_the_first_channel_does_not_shift_the_search(make_rig: RigMaker) -> None:
    rig = make_rig(TextureScene(best_um=1.0))
    _define_channels(rig)
    taken = watch(rig)
    channels = [{"config": "Red", "z_offset": 2.0}, {"config": "Green"}]
    plan = sequence(stage_positions=[(0, 0, 1)], z_plan={"relative": [0.0, 1.0]}, channels=channels)

    record = acquire_with_autofocus(
        rig.microscope, plan, truthful_finder(rig), MdaFocusConfig(offsets_um={"Green": -0.5})
    )

    assert record.events[0].start_um == 1.0
    assert [each.z_um for each in taken] == pytest.approx([3.0, 4.0, 0.5, 1.5])


def _define_channels(rig: SimulatedRig) -> None:
    """Presets of a property that does not matter."""
    for preset, value in (("Red", "0.01"), ("Green", "0.02")):
        rig.core.defineConfig("Channel", preset, "Z", "Settling-s", value)
    rig.core.setChannelGroup("Channel")


def test_drift_is_followed_and_the_next_search_starts_where_it_leads(make_rig: RigMaker) -> None:
    scene = TextureScene(best_um=1.0)
    rig = make_rig(scene)
    taken = watch(rig)

    def drift(event: Any) -> None:
        scene.best_um = 1.0 + 0.5 * event.index.get("t", 0)

    connect_directly(rig.core.mda, "eventStarted", drift)
    plan = sequence(time_plan={"interval": 0, "loops": 4})
    record = acquire_with_autofocus(rig.microscope, plan, truthful_finder(rig))

    middle = [each for each in taken if each.index["z"] == 1]
    assert max(abs(each.defocus_um) for each in middle) < 0.05
    second = [event for event in record.events if event.index["p"] == 1][1:]
    assert [event.start_um for event in second] == pytest.approx([1.5, 2.0, 2.5], abs=0.05)


def test_every_nth_time_point_and_first_only(rig: SimulatedRig) -> None:
    plan = sequence(time_plan={"interval": 0, "loops": 4}, z_plan=None)

    every = acquire_with_autofocus(rig.microscope, plan, scripted_finder(lambda _: 0.0), MdaFocusConfig(every_n=3))
    first = acquire_with_autofocus(
        rig.microscope, plan, scripted_finder(lambda _: 0.0), MdaFocusConfig(first_only=True)
    )

    assert [(event.index["t"], event.index["p"]) for event in every.events] == [(0, 0), (0, 1), (3, 0), (3, 1)]
    assert [(event.index["t"], event.index["p"]) for event in first.events] == [(0, 0), (0, 1)]


def test_focusing_when_needed_waits_until_a_frame_is_out_of_focus(make_rig: RigMaker) -> None:
    scene = TextureScene(best_um=1.0)
    rig = make_rig(scene)

    def drift(event: Any) -> None:
        scene.best_um = 1.0 + 0.3 * event.index.get("t", 0)

    connect_directly(rig.core.mda, "eventStarted", drift)
    plan = sequence(stage_positions=[(0, 0, 1)], time_plan={"interval": 0, "loops": 6})
    record = acquire_with_autofocus(
        rig.microscope, plan, truthful_finder(rig), MdaFocusConfig(when="needed", needed_um=0.5)
    )

    assert [event.index["t"] for event in record.events] == [0, 3]


@pytest.mark.parametrize(
    ("policy", "used_um", "frames"), [("keep", 4.0, 6), ("map", 7.0, 6), ("skip", None, 3), ("stop", None, 3)]
)
def test_where_focusing_fails_the_policy_decides_and_is_told(
    rig: SimulatedRig, policy: Any, used_um: float | None, frames: int
) -> None:
    taken = watch(rig)
    height = (lambda x_um, _: 3.0 if x_um == 0 else 7.0) if policy == "map" else None
    finder = scripted_finder(lambda attempt: (0.0 if height else 2.0) if attempt == 0 else None)

    record = acquire_with_autofocus(
        rig.microscope, sequence(), finder, MdaFocusConfig(on_failure=policy), height=height
    )

    failed = record.events[1]
    assert (failed.policy, failed.outcome, failed.used_um) == (policy, "reverted", used_um)
    assert record.frames == len(taken) == frames
    assert taken[-1].told["policy"] == (policy if used_um else "")
    assert record.outcome == ("stopped" if policy == "stop" else "done")
    assert record.missing == (3 if policy == "skip" else 0)
    if used_um is not None:
        assert [each.z_um for each in taken[3:]] == pytest.approx([used_um - 1, used_um, used_um + 1])


def test_a_skipped_place_is_taken_again_once_it_is_focused(rig: SimulatedRig) -> None:
    finder = scripted_finder(lambda attempt: None if attempt == 0 else 0.0)
    plan = sequence(stage_positions=[(0, 0, 1)], time_plan={"interval": 0, "loops": 2})

    record = acquire_with_autofocus(rig.microscope, plan, finder, MdaFocusConfig(on_failure="skip"))

    assert (record.frames, record.missing) == (3, 3)
    assert [skipped.index["t"] for skipped in record.skipped] == [0, 0, 0]


def test_a_failing_device_is_tried_again_and_then_recorded(rig: SimulatedRig) -> None:
    finder = scripted_finder(lambda attempt: "The stage answered with error 42." if attempt < 3 else 0.0)

    record = acquire_with_autofocus(rig.microscope, sequence(), finder)

    assert [event.outcome for event in record.events] == ["failed", "focused"]
    assert "error 42" in record.events[0].reason
    assert record.frames == 6


def test_an_empty_place_takes_the_correction_of_its_neighbour(make_rig: RigMaker) -> None:
    rig = make_rig(TextureScene(best_um=4.0))
    taken = watch(rig)
    model = TruthfulModel(rig)
    model.answer = lambda shape, um: (
        empty_estimate(shape) if rig.microscope.xy_um()[0] > 100 else made_estimate(shape, um)
    )

    record = acquire_with_autofocus(rig.microscope, sequence(), model_finder(model, RefocusConfig(insist=True)))

    assert [event.outcome for event in record.events] == ["focused", "skipped_no_content"]
    assert [each.z_um for each in taken[3:]] == pytest.approx([4.0, 5.0, 6.0], abs=0.05)
    assert "no_content" in taken[3].told["verdict"]


def test_every_frame_tells_of_its_focus(make_rig: RigMaker) -> None:
    rig = make_rig(TextureScene(best_um=4.0))
    taken = watch(rig)

    acquire_with_autofocus(rig.microscope, sequence(stage_positions=[(0, 0, 1)]), truthful_finder(rig))

    told = taken[0].told
    assert told["z_um"] == pytest.approx(3.0, abs=0.05)
    assert told["focus_um"] == pytest.approx(4.0, abs=0.05)
    assert told["beside_focus_um"] == pytest.approx(-1.0)
    assert told["defocus_um"] == pytest.approx(-3.0, abs=0.05)
    assert (told["outcome"], told["verdict"], told["policy"]) == ("focused", "flat", "")
    assert (told["model"], told["fingerprint"]) == ("tiny-20x", "f" * 64)
    json.dumps(told)


def test_the_record_comes_back_from_json(rig: SimulatedRig) -> None:
    record = acquire_with_autofocus(rig.microscope, sequence(), scripted_finder(lambda _: None))

    assert MdaFocusRecord.from_json(record.to_json()) == record
    assert "2 by the policy for failures (keep)" in record.summary()
    with pytest.raises(InputError, match="not the record"):
        MdaFocusRecord.from_json("{}")


@pytest.mark.parametrize(
    ("changes", "config", "message"),
    [
        ({"stage_positions": [(0, 0, 400)]}, {}, "a plane at z 399.0"),
        ({"stage_positions": [(50_000, 0, 1)]}, {}, "another microscope"),
        ({"autofocus_plan": None}, {}, "no autofocus plan"),
        ({"autofocus_plan": None, "z_plan": {"top": 2, "bottom": 0, "step": 1}}, {"axes": ("p",)}, "absolute heights"),
        ({}, {"on_failure": "map"}, "no focus map"),
        ({}, {"when": "needed"}, "cannot judge"),
    ],
)
def test_what_cannot_be_focused_is_refused_before_anything_moves(
    rig: SimulatedRig, changes: dict[str, Any], config: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        acquire_with_autofocus(
            rig.microscope, sequence(**changes), scripted_finder(lambda _: 0.0), MdaFocusConfig(**config)
        )
    assert rig.z_stage.commands_um == []


@pytest.mark.parametrize(
    "wrong", [{"on_failure": "hope"}, {"axes": ("q",)}, {"every_n": 0}, {"needed_um": float("nan")}, {"when": "never"}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        MdaFocusConfig(**wrong)


def test_a_search_beyond_the_limits_moves_nothing_and_is_recorded(rig: SimulatedRig) -> None:
    finder = scripted_finder(lambda attempt: 40.0 if attempt == 0 else 0.0)
    rig.microscope.focus.set_limits(-50.0, 45.0)
    plan = sequence(stage_positions=[(0, 0, 1), (300, 0, 20)])

    record = acquire_with_autofocus(rig.microscope, plan, finder)

    assert [event.outcome for event in record.events] == ["refused", "focused"] or record.events[1].outcome == "refused"
    assert max(rig.z_stage.commands_um) <= 45.0


def test_frames_beyond_the_limits_are_left_out_and_named(rig: SimulatedRig) -> None:
    rig.microscope.focus.set_limits(-50.0, 2.5)

    record = acquire_with_autofocus(
        rig.microscope, sequence(stage_positions=[(0, 0, 1)]), scripted_finder(lambda _: 1.0)
    )

    assert (record.frames, record.missing) == (2, 1)
    assert "limits" in record.skipped[0].reason


def test_a_stage_that_fails_between_frames_costs_one_frame(make_rig: RigMaker) -> None:
    rig = make_rig(faults=[Fault("stage-raises", at=5)])

    record = acquire_with_autofocus(rig.microscope, sequence(), scripted_finder(lambda _: 0.0))

    assert record.frames + record.missing == 6
    assert record.missing == 1
    assert "error 42" in record.skipped[0].reason


def test_cancelling_while_it_focuses_ends_the_run_and_says_so(rig: SimulatedRig) -> None:
    def cancel(_: int) -> float:
        rig.core.mda.cancel()
        return 3.0

    record = acquire_with_autofocus(rig.microscope, sequence(), scripted_finder(cancel))

    assert (record.outcome, record.reasons) == ("cancelled", ("It was cancelled before its last frame.",))
    assert record.frames == 0
    assert record.events[0].outcome == "cancelled"


def test_a_full_disk_ends_the_run_with_a_sentence(rig: SimulatedRig, tmp_path: Any, monkeypatch: Any) -> None:
    from napari_autofocus.workflows.mda import saving

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving._Image, "write", full)
    kept: list[MdaFocusRecord] = []
    with pytest.raises(InputError, match="make room"):
        acquire_with_autofocus(
            rig.microscope, sequence(), scripted_finder(lambda _: 0.0), out=tmp_path / "run", keep=kept.append
        )
    assert kept[0].outcome == "failed"
    assert "make room" in kept[0].reasons[0]
    assert kept[0].frames == 0  # none of them is on the disk


def test_frames_and_metadata_are_complete_on_the_disk(make_rig: RigMaker, tmp_path: Any) -> None:
    import zarr

    rig = make_rig(TextureScene(best_um=4.0))
    plan = sequence(time_plan={"interval": 0, "loops": 2})

    acquire_with_autofocus(rig.microscope, plan, truthful_finder(rig), out=tmp_path / "run")

    frames = read_frames(tmp_path / "run")
    assert [frame["index"] for frame in frames] == [
        {"t": t, "p": p, "z": z} for t in range(2) for p in range(2) for z in range(3)
    ]
    assert all(frame["autofocus"]["model"] == "tiny-20x" for frame in frames)
    image = np.asarray(zarr.open_array(str(tmp_path / "run" / "p001.zarr" / "0"), mode="r"))
    assert image.shape == (2, 3, 3, 64, 80)
    assert image.any(axis=(3, 4)).all()
    assert MdaFocusRecord.from_json((tmp_path / "run" / "autofocus.json").read_text()).frames == 12
    with pytest.raises(InputError, match="not overwritten"):
        acquire_with_autofocus(rig.microscope, plan, truthful_finder(rig), out=tmp_path / "run")


def test_a_hardware_error_outside_of_focusing_reaches_the_caller(rig: SimulatedRig, monkeypatch: Any) -> None:
    def broken(_: Any) -> None:
        raise RuntimeError("the turret is stuck")

    monkeypatch.setattr(rig.core.mda.engine, "setup_event", broken)
    with pytest.raises(HardwareError, match="turret"):
        acquire_with_autofocus(rig.microscope, sequence(), scripted_finder(lambda _: 0.0))


def test_a_model_of_two_shots_focuses_too(make_rig: RigMaker) -> None:
    rig = make_rig(TextureScene(best_um=4.0))
    taken = watch(rig)
    pair: Any = TruthfulPair(rig)

    acquire_with_autofocus(rig.microscope, sequence(), model_finder(pair, RefocusConfig(insist=True)))

    assert [round(each.defocus_um, 1) for each in taken] == [-1, 0, 1] * 2
