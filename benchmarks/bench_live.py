"""The panel at work: rates, stalls and clicks of ``live.py`` in short, beside napari showing the same frames alone."""

from __future__ import annotations

import argparse
import time
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QTimer

import live
from bench_rows import Findings, Limit, Row
from live_rig import EXPOSURE_MS, OBJECTIVE, Heartbeat, let_pass, replaying_rig
from napari_autofocus.models.predictor import load_model
from napari_autofocus.optics import Objective
from napari_autofocus.widgets.session import Connection, Session

MINUTES, QUICK_MINUTES = 0.5, 0.1
IDLE_S, QUICK_IDLE_S = 10.0, 2.0
CLICKS, QUICK_CLICKS = 8, 2
BARE_S = 10.0
FRAMES = 24
A_SECOND = "a second"
_SOFTWARE = (
    "without a graphics card a redraw with the overlays takes most of a core, the estimates the other; frames that"
    " cannot be shown in time are dropped, never queued"
)


def measure(quick: bool, threads: int) -> Findings:
    """All rows of this subject."""
    bare = _napari_alone(BARE_S / 4 if quick else BARE_S)
    told = _panel(quick)
    found = Findings(facts={"threads": threads, **{part: told[part] for part in ("idle", "live", "click_to_focus")}})
    camera = Limit(1000 / EXPOSURE_MS, "the camera's frames", _SOFTWARE)
    seen = told["live"]
    for name, figure, limit in (
        ("frames shown, with estimates and overlays", "displayed_per_s", camera),
        ("estimates of live frames", "estimates_per_s", camera),
    ):
        against = {"napari showing the same frames, nothing else": bare["shown_per_s"]} if "shown" in name else {}
        found.rows.append(
            Row.of_values(name, A_SECOND, [seen[figure]], against=against, limit=limit, more_is_better=True)
        )
    alone = {"napari showing the same frames, nothing else": bare["longest_ms"]}
    found.rows.append(Row.of_values("longest stall of the event loop", "ms", [seen["longest_stall_ms"]], against=alone))
    alone = {"napari showing the same frames, nothing else": bare["high_ms"]}
    found.rows.append(
        Row.of_values("stall that 99.9 % of its ticks stay below", "ms", [seen["stalls_99_9_ms"]], against=alone)
    )
    clicks = told["click_to_focus"]
    if clicks["median_ms"] is not None:
        two_ms = 2 * _estimate_ms(told["frame"])
        estimates = Limit(two_ms, "two estimates, one before and one after the move", _CLICK_BEYOND)
        found.rows.append(
            Row.of_values("click to focus, less camera and drive", "ms", [clicks["median_ms"]], limit=estimates)
        )
    return found


_CLICK_BEYOND = (
    "the run passes between two threads at every step, asks camera and drive and puts them back as they were; the first"
    " frame is drawn while the drive moves, the last one after the record is told, yet drawing shares two cores with"
    " the second estimate"
)


def _panel(quick: bool) -> dict[str, Any]:
    """``live.py`` in short."""
    options = argparse.Namespace(
        minutes=QUICK_MINUTES if quick else MINUTES,
        idle_seconds=QUICK_IDLE_S if quick else IDLE_S,
        clicks=QUICK_CLICKS if quick else CLICKS,
    )
    rig = replaying_rig()
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*live.WINDOW)
    session = Session.of(viewer)
    panel = live.open_panel(viewer, session, bare=False)
    told: dict[str, Any] = {"idle": live.idle(options.idle_seconds)}
    lens = Objective.parse(OBJECTIVE, pixel_size_um=rig.scene.pixel_size_um)
    session.connect(Connection("Replay", rig.microscope, rig.close, dof_um=lens.dof_um, objective=lens, rig=rig))
    session.focus.state_objective(lens)
    live.switch_everything_on(panel)
    told["live"] = live.live(viewer, session, options.minutes)
    told["click_to_focus"] = live.clicks(session, panel, rig, options.clicks)
    told["frame"] = rig.microscope.snap().image
    viewer.close()
    return told


def _napari_alone(seconds: float) -> dict[str, float]:
    """How fast napari shows new frames of that size in that window, and how long its event loop stands still."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*live.WINDOW)
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES, 1024, 1024, 3), np.uint8)
    layer = viewer.add_image(frames[0], rgb=True)
    state = {"given": 0, "shown": 0, "waits": False}

    def give() -> None:
        if not state["waits"]:
            state["given"] += 1
            state["waits"] = True
            layer.data = frames[state["given"] % FRAMES]

    def drawn(_: Any) -> None:
        state["shown"] += state["waits"]
        state["waits"] = False

    viewer.window._qt_viewer.canvas._scene_canvas.events.draw.connect(drawn)
    heart, timer = Heartbeat(), QTimer()
    timer.timeout.connect(give)
    timer.start(int(EXPOSURE_MS))
    let_pass(2)
    state["shown"] = 0
    heart.start()
    began_s = time.perf_counter()
    let_pass(seconds)
    passed_s = time.perf_counter() - began_s
    heart.stop()
    timer.stop()
    viewer.close()
    gaps = np.array(heart.gaps_ms)
    return {
        "shown_per_s": state["shown"] / passed_s,
        "longest_ms": float(gaps.max()),
        "high_ms": float(np.quantile(gaps, 0.999)),
    }


def _estimate_ms(frame: np.ndarray) -> float:
    """One estimate of that frame, nothing beside it."""
    model = load_model(live.MODEL)
    for _ in range(3):
        model.estimate(frame, insist=True)
    return 1000 * float(np.median([model.estimate(frame, insist=True).seconds for _ in range(7)]))
