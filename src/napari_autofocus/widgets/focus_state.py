"""What the panels of one viewer share about focus: the model, the optics stated, where to look, the newest estimate.

Lives on the GUI thread and computes nothing; ``estimate/estimating.py`` makes the estimates.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Layer
from psygnal import Signal

from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics
from napari_autofocus.focus.shot_pairs import takes_two_shots
from napari_autofocus.models.pair_predictor import PairModelPredictor
from napari_autofocus.models.predictor import ModelPredictor
from napari_autofocus.models.suggestion import Sight
from napari_autofocus.optics import Objective
from napari_autofocus.widgets.layers.stack_layer import METADATA_KEY

BoolImage = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Seen:
    """An image that an estimate is made of, and where it lies in the viewer.

    Parameters
    ----------
    image : np.ndarray, shape (Y, X) or (Y, X, 3)
        The pixels.
    source : str
        ``Camera``, or the name of the layer.
    scale, translate : tuple of float
        World size of a pixel along y and x, and world position of the centre of the first one.
    units : tuple
        Units of the two axes, as the layer has them.
    pixel_size_um : float or None
        Size of a pixel in the sample.
    z_um : float or None
        Position of the focus drive or of the plane.
    bit_depth : int or None
        Bits that the camera really uses.
    at_s : float
        When it was taken or looked at, ``time.monotonic()``.
    """

    image: npt.NDArray[Any] = field(repr=False)
    source: str
    scale: tuple[float, float] = (1.0, 1.0)
    translate: tuple[float, float] = (0.0, 0.0)
    units: tuple[Any, Any] = ("pixel", "pixel")
    pixel_size_um: float | None = None
    z_um: float | None = None
    bit_depth: int | None = None
    at_s: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, px."""
        return int(self.image.shape[0]), int(self.image.shape[1])


@dataclass(frozen=True, eq=False)
class Estimated:
    """An estimate and what it was made of; ``first`` is the shot that was read with it, where there were two."""

    seen: Seen
    estimate: FocusEstimate
    first: Seen | None = None


class FocusState:
    """Model, optics and region that every estimate of one viewer uses, and the newest estimate.

    A model of one shot is :attr:`model`, one of two shots :attr:`pair`; one of them at most is in use, the other None.
    What reads frames as they come (live estimates, a hold of focus) asks :attr:`model` only. A refocus by one shot asks
    the :attr:`fallback` where it is left in doubt. An objective that nobody has named is the :attr:`usual` one.

    Signals are emitted on the GUI thread: ``model_changed`` (ModelPredictor, PairModelPredictor or None),
    ``settings_changed`` (objective, insisting, direction, region or distance of two shots changed), ``estimated``
    (Estimated), ``refused`` (AutofocusError: no estimate of that image), ``cleared`` (there is no estimate any more),
    ``sight_changed`` (the images are of another colour or sample: another model may fit).
    """

    model_changed = Signal(object)
    settings_changed = Signal()
    sight_changed = Signal()
    estimated = Signal(object)
    refused = Signal(object)
    cleared = Signal()

    def __init__(self) -> None:
        self.model: ModelPredictor | None = None
        self.pair: PairModelPredictor | None = None
        self.fallback: PairModelPredictor | None = None
        self.dz_um: float | None = None
        self.first_shot: Layer | None = None
        self.objective: Objective | None = None
        self.usual: Objective | None = None
        self.seen_through: tuple[str, float] | None = None
        self._chosen: dict[tuple[str, float], Objective | None] = {}
        self.insist = False
        self.focus_direction = 0
        self.region: BoolImage | None = None
        self.left_out: tuple[tuple[int, int, int], ...] = ()
        self.newest: Estimated | None = None
        self.seen_mark: tuple[Any, ...] = ()
        self._seen = Sight()

    @property
    def sight(self) -> Sight:
        """What is known of the images that are looked at, by which a model is chosen."""
        return replace(self._seen, objective=self.objective)

    def see(self, mark: tuple[Any, ...], seen: Sight) -> None:
        """What the images look like from now on; ``mark`` says which images, so that each kind is judged once."""
        self.seen_mark = mark
        if replace(seen, objective=None) != self._seen:
            self._seen = replace(seen, objective=None)
            self.sight_changed.emit()

    @property
    def chosen(self) -> ModelPredictor | PairModelPredictor | None:
        """The model in use, of one shot or of two."""
        return self.model or self.pair

    def use_model(self, model: ModelPredictor | PairModelPredictor | None) -> None:
        """Estimate with this model from now on."""
        self.model, self.pair, self.dz_um = None, None, None
        if model is not None and takes_two_shots(model):
            self.pair = model
        else:
            self.model = model
        self.model_changed.emit(model)

    def set_two_shots(self, dz_um: float | None, first: Layer | None) -> None:
        """How far apart two shots are, µm (None: the model's own), and the layer of the first (None: that shown)."""
        self.dz_um, self.first_shot = dz_um, first
        self.settings_changed.emit()

    def state_objective(self, objective: Objective | None) -> None:
        """What the user or the microscope says of the objective; its pixel size gives way to the image's own."""
        self.objective = objective
        self.settings_changed.emit()

    def choose_objective(self, objective: Objective | None) -> None:
        """What the user says of the objective, in any panel (None: it is unknown).

        It is remembered for the microscope and pixel size that are :attr:`seen_through`, so that a turret that is
        turned back finds its own. The objective of the Preferences gives way to it until the window is closed.
        """
        if self.seen_through is not None:
            self._chosen[self.seen_through] = objective
        if objective is None or (self.seen_through is None and self.usual is not None):
            self.usual = objective
        self.state_objective(objective)

    def see_through(self, microscope: str, pixel_um: float) -> None:
        """A microscope that does not know its objective, by its name and pixel size, µm: take what was said of it."""
        self.seen_through = microscope, pixel_um
        self.state_objective(self._chosen.get(self.seen_through, self.usual))

    def set_insist(self, insist: bool) -> None:
        """Whether to estimate although the optics are unknown or unlike the model's."""
        self.insist = insist
        self.settings_changed.emit()

    def state_direction(self, focus_direction: int) -> None:
        """What the user says of a drive that does not know: +1 if a growing z brings sample and objective together."""
        self.focus_direction = focus_direction
        self.settings_changed.emit()

    def set_region(self, region: BoolImage | None, left_out: tuple[tuple[int, int, int], ...] = ()) -> None:
        """Let only patches inside count; shape (Y, X) of the image, None for all of it.

        ``left_out`` names the patches (y, x, size in px) that the user has cut out of it one by one.
        """
        self.region = region
        self.left_out = left_out
        self.settings_changed.emit()

    def optics_of(self, pixel_size_um: float | None) -> ImageOptics | None:
        """The optics of an image with this pixel size; None where the objective is not known."""
        if self.objective is None:
            return None
        lens = self.objective if pixel_size_um is None else self.objective.with_pixel_size(pixel_size_um)
        return ImageOptics(lens)

    def region_for(self, shape: tuple[int, int]) -> BoolImage | None:
        """The region, where it was drawn on an image of this shape; otherwise none applies."""
        return self.region if self.region is not None and self.region.shape == shape else None

    def tell(self, estimated: Estimated) -> None:
        """There is a new estimate."""
        self.newest = estimated
        self.estimated.emit(estimated)

    def tell_refused(self, error: Exception) -> None:
        """An image could not be read, or its optics were refused; the newest estimate no longer holds."""
        self.newest = None
        self.refused.emit(error)

    def clear(self) -> None:
        """Forget the newest estimate."""
        self.newest = None
        self.cleared.emit()


OVERLAY = {METADATA_KEY: {"overlay": "focus"}}
"""Metadata by which a layer of ours is told from the user's."""
