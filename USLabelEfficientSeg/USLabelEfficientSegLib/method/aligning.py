"""Lines up the anatomy of all volumes of a run, see `anatomy.alignment`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..anatomy.alignment import Template, align_group
from ..disk.study_layout import ALIGNMENT_NAME
from ..errors import InputError, Notice
from ..imaging.normalisation import AnatomicalFrame
from ..study.events import ALREADY_TRAINED
from ..study.stages import Stage
from ..training.checkpoint import load_checkpoint, save_checkpoint
from .run import Run, stop_if


def aligned(run: Run) -> Run:
    """The run with the anatomy of its volumes lined up, see `anatomy.alignment`.

    Without a location prior positions need not agree, and nothing is aligned. The frame of an earlier model stays.
    """
    if not run.settings.location_prior or not run.settings.alignment:
        return run
    path = run.folder / ALIGNMENT_NAME
    stored = _stored_alignment(path, run)
    if stored is not None:
        run.study.events.emit(Stage.ALIGNMENT, 1, 1, message=ALREADY_TRAINED)
        return _in_frames(run, *stored)

    def progress(step: int, steps: int) -> None:
        stop_if(run.computing.cancelled, f"alignment stopped after {step - 1} of {steps} steps")
        run.study.events.emit(Stage.ALIGNMENT, step, steps)

    earlier = run.learnt.model
    if earlier is not None and earlier.model.template is not None:
        frames, template = [], earlier.model.template
        for number, volume in enumerate(run.volumes, start=1):
            progress(number, len(run.volumes))
            frames.append(template.frame_of(volume.grey))
    else:
        assert run.location_prior is not None
        frames, template = align_group(run.greys, run.location_prior, progress)
    record = {"run": run.identity, "frames": [[frame.shift, frame.scale] for frame in frames]}
    save_checkpoint(path, {"edges": template.edges, "window": template.window}, record)
    return _in_frames(run, frames, template)


def _stored_alignment(path: Path, run: Run) -> tuple[list[AnatomicalFrame], Template] | None:
    """The frames of the volumes and their template in a file of this run; None if they must be found anew."""
    if not path.exists():
        return None
    try:
        tensors, metadata = load_checkpoint(path)
        if metadata["run"] != run.identity:
            return None
        frames = [_frame(*(tuple(map(float, part)) for part in bounds)) for bounds in metadata["frames"]]
        template = Template(tensors["edges"], tensors["window"])
        if len(frames) == len(run.volumes) and template.is_valid():
            return frames, template
    except (InputError, KeyError, TypeError, ValueError, IndexError):
        pass
    warnings.warn(Notice(path, "was damaged and is made again"), stacklevel=2)
    return None


def _in_frames(run: Run, frames: Sequence[AnatomicalFrame], template: Template) -> Run:
    volumes = [replace(volume, frame=frame) for volume, frame in zip(run.volumes, frames, strict=True)]
    return replace(run, volumes=volumes, template=template)


def _frame(shift: Sequence[float], scale: Sequence[float]) -> AnatomicalFrame:
    return AnatomicalFrame((shift[0], shift[1], shift[2]), (scale[0], scale[1], scale[2]))
