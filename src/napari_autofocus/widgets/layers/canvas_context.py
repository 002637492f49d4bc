"""Removing layers without a crash: the canvas's own OpenGL context is current before anything of it is deleted.

When a layer goes, napari 0.9 deletes its shaders, textures and buffers at once (``_clean_and_update_scenegraph`` of its
canvas), in whichever context happens to be current. After a redraw that is not the canvas's, but the one in which Qt
puts the window together. The two share their objects, so the deletion works, but the canvas's context does not learn of
it: with Mesa the next picture of a live image crashed the process in ``glDrawArrays``.
``benchmarks/removed_layers.py`` shows it with napari alone.
"""

from __future__ import annotations

from contextlib import suppress
from weakref import WeakSet

from napari.components import ViewerModel

_kept: WeakSet[ViewerModel] = WeakSet()


def keep_context(viewer: ViewerModel) -> None:
    """Have the canvas's context made current before any layer of a viewer is removed, for as long as the viewer lives.

    It holds for layers that the user removes by hand, too, and for those that go as the viewer closes.
    """
    if viewer not in _kept:
        _kept.add(viewer)
        viewer.layers.events.removing.connect(lambda _: _make_current(viewer))


def _make_current(viewer: ViewerModel) -> None:
    # napari offers no public way to its canvas; a bare model has none.
    qt_viewer = getattr(getattr(viewer, "window", None), "_qt_viewer", None)
    if qt_viewer is not None:
        # Qt has deleted the window, and the canvas with it; or another napari calls its canvas by another name.
        with suppress(RuntimeError, AttributeError):
            qt_viewer.canvas._scene_canvas.set_current()
