"""The 2-D networks of a model of volumes: each votes on slices along an axis, on a grid finer than the students'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..slice_network.adaptation import adapted
from ..slice_network.fine_volume import FineVolume
from ..slice_network.network import WIDTHS, SliceUNet
from ..slice_network.prediction import agreed_with_neighbours, predict_slices
from .model_description import SliceVoterDescription, SliceVotersDescription, check_weights

_PREFIX = "slices"  # of the weights' names


@dataclass(frozen=True)
class SliceVoter:
    """A trained 2-D network.

    Attributes:
        network: a `SliceUNet`.
        axis: of the slices, in the order of axes in which the model sees volumes.
        size: longer side of a slice in pixels, at which the network was trained.
    """

    network: nn.Module
    axis: int
    size: int

    def network_of(self, volume: FineVolume, share: float, device: torch.device) -> nn.Module:
        """The network for one volume, with its `share` in the levels."""
        # Channels last, as it was trained: faster, and a loaded model rounds like the one that was saved.
        network = self.network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        return adapted(network, volume.grey, volume.spacing, self.axis, self.size, share=share)


@dataclass(frozen=True)
class SliceVoters:
    """All 2-D networks of a model.

    Attributes:
        voters: at least one; several may look along the same axis.
        max_voxels: most voxels along an axis of the fine grid, see `fine_volume`.
        widths: channels of the levels of each network.
        adaptation: share of a volume's own slices in the networks' levels, see `slice_network.adaptation`.
        ends: share of the vote on where organs end along the only axis of the networks, see `organ_ends`.
    """

    voters: tuple[SliceVoter, ...]
    max_voxels: int
    widths: tuple[int, ...] = WIDTHS
    adaptation: float = 0.0
    ends: float = 0.0

    def votes(self, volume: FineVolume, mirrored_axes: Sequence[int], device: torch.device) -> Iterator[Tensor]:
        """Class probabilities (C, I, J, K) that each network gives a volume, float32 on the CPU, one after the other.

        Args:
            volume: on the grid of at most `max_voxels` voxels an axis.
            mirrored_axes: of the volume, along which mirror images are as plausible.
            device: where the networks run.
        """
        for voter in self.voters:
            own = voter.network_of(volume, self.adaptation, device)
            alone = predict_slices(
                own, volume.grey, volume.spacing, voter.axis, voter.size, mirrored_axes=mirrored_axes
            )
            yield agreed_with_neighbours(alone, voter.axis)

    def weights(self) -> dict[str, Tensor]:
        """Of the networks, by their names in a model's file."""
        return {
            f"{_PREFIX}/{number}/{name}": tensor
            for number, voter in enumerate(self.voters)
            for name, tensor in voter.network.state_dict().items()
        }

    def description(self) -> SliceVotersDescription:
        """What a model's file tells of them beside the weights."""
        voters = tuple(SliceVoterDescription(axis=voter.axis, size=voter.size) for voter in self.voters)
        return SliceVotersDescription(
            voters=voters,
            max_voxels=self.max_voxels,
            widths=self.widths,
            adaptation=self.adaptation,
            ends=self.ends,
        )


def loaded_slice_voters(
    description: SliceVotersDescription, classes: int, tensors: Mapping[str, Tensor]
) -> SliceVoters:
    """The 2-D networks of a file with its weights, built only when these fit. Raises `ValueError` if they do not.

    Args:
        description: of them, in the file.
        classes: organs + 1.
        tensors: of the file.
    """
    with torch.device("meta"):  # costs nothing, whatever the description asks for
        meta = SliceUNet(classes, widths=description.widths)
    expected = {name: tensor.shape for name, tensor in meta.state_dict().items()}
    voters = []
    for number, voter in enumerate(description.voters):
        prefix = f"{_PREFIX}/{number}/"
        weights = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        check_weights(weights, expected)
        network = SliceUNet(classes, widths=description.widths)
        network.load_state_dict(weights)
        voters.append(SliceVoter(network.eval(), voter.axis, voter.size))
    return SliceVoters(
        tuple(voters), description.max_voxels, description.widths, description.adaptation, description.ends
    )
