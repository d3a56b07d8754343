"""Studies of many tiny volumes, open in the panel."""

from pathlib import Path
from typing import Any

import numpy as np
import slicer_host as host
from random_user import MODULE, NAME


def open_large_study(folder: Path, volumes: int) -> Any:
    """The module's widget with a study of many volumes: all loaded and segmented, slices of every tenth labelled."""
    import slicer

    from USLabelEfficientSegLib.slicer_side.nodes.study_nodes import CASE, RESULT, STUDY, attach
    from USLabelEfficientSegLib.slicer_side.nodes.volume_nodes import nodeFromVoxels

    study = make_large_study(folder / "study", volumes)
    created = study.summary()["created"]
    scan = study.read_scan(study.cases[0].name)
    for case in study.cases:
        node = nodeFromVoxels(case.name, scan.voxels, scan.geometry)
        node.SetAttribute(CASE, case.name)
        node.SetAttribute(STUDY, created)
        result = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{case.name} segmentation")
        attach(result, node, RESULT)
    widget = host.load_module(MODULE)
    slicer.util.selectModule(NAME)
    widget.panel.data.open(study.folder, load=False)
    while widget.panel.runner.busy:
        host.process_events(0.01)
    slicer.mrmlScene.StartState(slicer.mrmlScene.BatchProcessState)
    for case in study.cases[::10]:
        widget.panel.session.labels.of(case.name)
    slicer.mrmlScene.EndState(slicer.mrmlScene.BatchProcessState)
    host.process_events(0.05)
    return widget


def make_large_study(folder: Path, volumes: int) -> Any:
    """A study of many volumes of a few voxels, with a labelled slice in every tenth."""
    from USLabelEfficientSegLib.imaging.files import write_label_map, write_volume
    from USLabelEfficientSegLib.imaging.geometry import Geometry
    from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
    from USLabelEfficientSegLib.study.study import Study

    images, labels = folder.with_name("images"), folder.with_name("labels")
    images.mkdir()
    labels.mkdir()
    geometry = Geometry((4, 4, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    voxels = np.arange(64, dtype=np.uint8).reshape(4, 4, 4)
    for number in range(volumes):
        name = f"volume_{number:04d}"
        write_volume(images / f"{name}.nrrd", Scan(voxels, geometry, name))
        if number % 10 == 0:
            painted = np.full((4, 4, 4), 255, dtype=np.uint8)
            painted[:, :, 2] = voxels[:, :, 2] % 2
            write_label_map(labels / f"{name}.nrrd", LabelMap(painted, geometry, name))
    return Study.create(folder, images, labels, organs=["organ"])
