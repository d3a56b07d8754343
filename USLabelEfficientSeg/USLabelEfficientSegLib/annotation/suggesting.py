"""Which slices of volumes, or which 2-D images, to label next, from scans, labels and a model."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..imaging.resampling import resample_axes
from ..imaging.scan import Scan
from ..text.counting import counted
from .image_choice import appearance, choose_images
from .suggestion import Place, choose_slices
from .usable_slices import usable_slices

_LEAST_SHARE = 0.05  # of the mean over a volume: the model may be wrong
_IMAGE_PLACE = 2, 0  # the one slice of a 2-D image
Worth = dict[int, NDArray[np.floating]]  # for each slice axis (n,) the worth of its slices
Look = tuple[NDArray[np.floating], float]  # of an image its appearance and its weight


@dataclass(frozen=True)
class Suggestion:
    """A slice worth labelling: its volume, array axis and index, and why. A 2-D image is the slice (2, 0) of itself."""

    volume: str
    axis: int
    index: int
    reason: str


@dataclass(frozen=True)
class UnlabelledScan:
    """A scan to choose from.

    Attributes:
        name: of the scan.
        read: reads it.
        labelled: its labelled slices, as (axis, index).
    """

    name: str
    read: Callable[[], Scan]
    labelled: Sequence[Place] = ()


@dataclass(frozen=True)
class _Seen:
    """A volume that is looked through when its turn comes."""

    scan: UnlabelledScan
    known: MutableMapping[str, Worth]
    look: Callable[[Scan], Worth]

    @property
    def labelled(self) -> Sequence[Place]:
        """Slices that are labelled already."""
        return self.scan.labelled

    @property
    def worth(self) -> Worth:
        """Of its slices."""
        if self.scan.name not in self.known:
            self.known[self.scan.name] = self.look(self.scan.read())
        return self.known[self.scan.name]


def suggest_slices(
    volumes: Sequence[UnlabelledScan],
    count: int,
    slice_axis: int,
    *,
    organs: Callable[[Scan], NDArray[np.floating]] | None = None,
    seed: int = 0,
    of_one: bool = False,
    remembered: MutableMapping[str, Worth] | None = None,
) -> list[Suggestion]:
    """The slices of volumes most worth labelling next, most useful first; see `suggestion`.

    Before there is a model they lie around the middle of the volume, later around the middle of the predicted organs.
    A labelled slice is never suggested, nor one that shows less than a quarter of its volume's largest slice.

    Args:
        volumes: to choose from.
        count: how many; fewer when there are not so many left.
        slice_axis: along which the volumes were acquired.
        organs: a model's probabilities (organs, I, J, K) of each organ, on any grid; None before there is one.
        seed: of the order of the volumes.
        of_one: the volume was asked for, not drawn.
        remembered: worth of slices by volume, of the same `organs`: looked up, and filled in for the next time.

    Raises:
        InputError: no slice left, or a count below 1.
    """
    known = {} if remembered is None else remembered
    candidates = [_Seen(volume, known, lambda scan: slice_worth(scan, slice_axis, organs)) for volume in volumes]
    middle = "no model yet: the middle of" if organs is None else "the middle of what the model finds in"
    drawn = "this volume" if of_one else "a volume chosen at random"
    reason = f"{middle} {drawn}, in the direction with the fewest labels"
    chosen = choose_slices(candidates, count, seed=seed)
    return [Suggestion(volumes[number].name, *place, reason) for number, place in chosen]


def slice_worth(scan: Scan, slice_axis: int, organs: Callable[[Scan], NDArray[np.floating]] | None = None) -> Worth:
    """The worth of the slices of a volume, 0 where a slice shows too little; see `suggest_slices`."""
    alike: list[NDArray[np.floating]] = [np.ones(n) for n in scan.geometry.shape]
    worth = alike if organs is None else organ_shares(organs(scan), scan.geometry.shape)
    return {axis: shown * worth[axis] for axis, shown in usable_slices(scan, slice_axis).items()}


def suggest_images(
    images: Sequence[UnlabelledScan],
    count: int,
    *,
    uncertainty: Callable[[Scan], float] | None = None,
    seed: int = 0,
    remembered: MutableMapping[str, Look] | None = None,
) -> list[Suggestion]:
    """The 2-D images most worth labelling next, most useful first; see `image_choice`.

    Before there is a model, the most typical images are chosen among those unlike any labelled image; later, images
    that resemble most of what the model is unsure of.

    Args:
        images: to choose from; one that is labelled is never suggested.
        count: how many; fewer when there are not so many left.
        uncertainty: of a model about an image, 0 or more; None before there is a model.
        seed: of the images that stand for all, where there are very many.
        remembered: looks by image, of the same `uncertainty`: looked up, and filled in for the next time.

    Raises:
        InputError: no image left, or a count below 1.
    """
    known = {} if remembered is None else remembered
    for image in counted(images, "looking through images"):
        if image.name not in known:
            scan = image.read()
            known[image.name] = appearance(scan), 1.0 if uncertainty is None else uncertainty(scan)
    looks, weights = zip(*(known[image.name] for image in images), strict=True)
    labelled = np.array([len(image.labelled) > 0 for image in images])
    chosen = choose_images(np.array(looks), labelled, count, weights=np.array(weights), seed=seed)
    reason = (
        "no model yet: typical of images that look unlike any labelled one"
        if uncertainty is None
        else "the model is unsure of images that look like it"
    )
    return [Suggestion(images[number].name, *_IMAGE_PLACE, reason) for number in chosen]


def organ_shares(organs: NDArray[np.floating], shape: Sequence[int]) -> list[NDArray[np.floating]]:
    """For each axis (n,) how much of the organs its n slices hold, each organ alike.

    Args:
        organs: (organs, I, J, K) probabilities on any grid that covers the volume.
        shape: of the volume.
    """
    shares = (organs / organs.sum(axis=(1, 2, 3), keepdims=True).clip(1e-6)).sum(axis=0)
    worth = []
    for axis, n in enumerate(shape):
        along = shares.sum(axis=tuple(a for a in range(3) if a != axis))
        known = resample_axes(along[None, None], (1, 1, n))[0, 0]
        worth.append(known + max(_LEAST_SHARE * known.mean(), 1e-6))
    return worth
