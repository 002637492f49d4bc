"""What the images that are looked at show of camera and sample, so that a model can be suggested for them."""

from __future__ import annotations

from napari.layers import Image
from qtpy.QtWidgets import QWidget

from napari_autofocus.microscope.protocol import Frame
from napari_autofocus.models.suggestion import Sight
from napari_autofocus.simulation.scene import Scene
from napari_autofocus.widgets.focus_state import Estimated, FocusState
from napari_autofocus.widgets.parts.forms import connect_while_alive
from napari_autofocus.widgets.session import Connection, Session

CAMERA, LAYER, READ = "camera", "layer", "read"
"""First parts of marks: frames of the camera, a layer of which nothing was read yet, and one that was."""


class SightWatch:
    """Tells the session's ``focus`` the colour of the images and, as far as can be seen, what the sample is.

    A frame is looked at only where it is of another shape or slide than those before.

    Parameters
    ----------
    session : Session
        Whose camera and estimates.
    owner : QWidget
        Listens as long as this lives.
    """

    def __init__(self, session: Session, owner: QWidget) -> None:
        self._session = session
        self._state = session.focus
        connect_while_alive(
            owner,
            [
                (session.connection_changed, self._on_connection_changed),
                (session.view.shown, self._on_frame),
                (self._state.estimated, self._on_estimated),
            ],
        )
        self._on_connection_changed(session.connection)

    @property
    def _scene(self) -> Scene | None:
        """The simulated slide, which says itself what it is."""
        connection = self._session.connection
        scene = connection.rig.scene if connection is not None and connection.rig is not None else None
        return scene if isinstance(scene, Scene) else None

    def _on_connection_changed(self, _: Connection | None) -> None:
        scene = self._scene
        if scene is not None and not _is_layers(self._state):
            self._state.see((CAMERA, scene), _sight_of_scene(scene))

    def _on_frame(self, frame: Frame) -> None:
        if _is_layers(self._state):
            return
        scene = self._scene
        mark = (CAMERA, frame.image.shape) if scene is None else (CAMERA, scene)
        if mark != self._state.seen_mark:
            seen = Sight.of(frame.image, None, frame.bit_depth) if scene is None else _sight_of_scene(scene)
            self._state.see(mark, seen)

    def _on_estimated(self, estimated: Estimated) -> None:
        seen = estimated.seen
        if self._state.seen_mark[:1] == (LAYER,):
            self._state.see((READ, seen.source), Sight.of(seen.image, None, seen.bit_depth))


def look_at(state: FocusState, source: object) -> None:
    """Another image is looked at: a layer says its colour at once, of the camera the next frame tells."""
    if isinstance(source, Image):
        state.see((LAYER, id(source)), Sight(colour="rgb" if source.rgb else "mono"))
    elif _is_layers(state):
        state.see((), state.sight)


def _is_layers(state: FocusState) -> bool:
    return state.seen_mark[:1] in ((LAYER,), (READ,))


def _sight_of_scene(scene: Scene) -> Sight:
    return Sight(colour=scene.camera.colour, stain=scene.specimen.stain)
