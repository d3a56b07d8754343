"""A sequence whose frames were not found when its scene was opened."""

from types import SimpleNamespace

import pytest

LOST = SimpleNamespace(
    IsA=lambda name: name == "vtkMRMLSequenceNode",
    GetName=lambda: "sweep",
    GetNumberOfDataNodes=lambda: 2,
    GetNthDataNode=lambda index: None,
)


def test_a_sequence_without_its_frames_is_no_sequence_of_images_and_is_refused_by_name(host):
    from USLabelEfficientSegLib.errors import InputError
    from USLabelEfficientSegLib.slicer_side.nodes.sequences import isImageSequence, sequenceFrames

    assert not isImageSequence(LOST)
    with pytest.raises(InputError, match="sweep: is no sequence"):
        sequenceFrames(LOST)
