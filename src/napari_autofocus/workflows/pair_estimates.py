"""Defocus from two shots in files: two images of one field, or two planes of one stack, a known distance apart."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_autofocus.errors import AutofocusError, InputError
from napari_autofocus.focus.estimate import FocusEstimate, ImageOptics, PairPredictor
from napari_autofocus.io.frames import Frame
from napari_autofocus.workflows.estimates import (
    EstimateResult,
    EstimateSettings,
    FrameEstimated,
    FrameFailed,
    read_frame,
)


@dataclass(frozen=True)
class ShotFiles:
    """Where two shots lie, and how far apart they are.

    Parameters
    ----------
    first, second : str
        Their files; the same one where both are planes of one stack.
    planes : tuple of int or None
        Which plane of the first and of the second file.
    dz_um : float or None
        Defocus of the second minus the first's, µm; None: as the files say.
    """

    first: str
    second: str
    planes: tuple[int | None, int | None] = (None, None)
    dz_um: float | None = None

    @classmethod
    def of(
        cls, images: Sequence[str | Path], plane: int | None, second_plane: int | None, dz_um: float | None
    ) -> ShotFiles:
        """Two images, or one stack of which two planes are named.

        Raises
        ------
        InputError
            If it is neither.
        """
        names = [str(image) for image in images]
        if len(names) == 2:
            planes = plane, plane if second_plane is None else second_plane
            return cls(names[0], names[1], planes, dz_um)
        if len(names) == 1 and plane is not None and second_plane is not None and plane != second_plane:
            return cls(names[0], names[0], planes=(plane, second_plane), dz_um=dz_um)
        raise InputError(
            f"A model of two shots takes two images of one field, found {len(names)}; name two files (and their"
            " distance, --dz-um), or one z-stack with two of its planes (--plane 3 --second-plane 5)."
        )


def estimate_shots(
    files: ShotFiles, predictor: PairPredictor, settings: EstimateSettings
) -> Generator[FrameEstimated | FrameFailed, None, EstimateResult]:
    """Tell the defocus of the second of two shots in files.

    Parameters
    ----------
    files : ShotFiles
        Where they lie.
    predictor : PairPredictor
        The model.
    settings : EstimateSettings
        How to open the files, and their optics; its ``plane`` does not count.

    Yields
    ------
    FrameEstimated or FrameFailed
        Once.

    Returns
    -------
    EstimateResult
    """
    try:
        frame, estimate, dz_um = estimate_pair(files, predictor, settings)
    except (AutofocusError, OSError) as error:
        failure = FrameFailed(files.second, str(error))
        yield failure
        return EstimateResult((), (failure,))
    yield FrameEstimated(files.second, frame, estimate, 1, 1)
    first, second = files.planes
    planes = {} if second is None else {"first_plane": first, "plane": second}
    return EstimateResult(((files.second, estimate),), (), {"first": files.first, **planes, "dz_um": dz_um})


def estimate_pair(
    files: ShotFiles, predictor: PairPredictor, settings: EstimateSettings
) -> tuple[Frame, FocusEstimate, float]:
    """The second shot, its estimate, and how far apart both were, µm.

    Raises
    ------
    InputError
        If a shot cannot be read, they do not belong together, their distance is unknown, or something is refused.
    """
    (first, one), (second, other) = (
        read_frame(path, settings, plane) for path, plane in zip((files.first, files.second), files.planes, strict=True)
    )
    if first.objective != second.objective:
        raise InputError(
            f"{first.source} and {second.source} do not state the same optics, so they are not two shots of one field;"
            " name two that are, or state the optics (--objective, --pixel-um)."
        )
    dz_um = _distance_um(first, second) if files.dz_um is None else files.dz_um
    optics = ImageOptics(second.objective)
    return second, predictor.estimate_pair(one, other, dz_um=dz_um, optics=optics, insist=settings.insist), dz_um


def _distance_um(first: Frame, second: Frame) -> float:
    """Defocus of the second minus the first's as the files state it, µm."""
    if first.z_um is None or second.z_um is None:
        unknown = first if first.z_um is None else second
        raise InputError(
            f"{unknown.source} does not say at which z it was taken, and a model of two shots has to know how far"
            " apart they are; give --dz-um (defocus of the second minus the first's, in µm)."
        )
    return second.focus_direction * (second.z_um - first.z_um)
