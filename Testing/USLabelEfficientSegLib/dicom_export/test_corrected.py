"""A corrected segmentation is exported with the volume that it has now."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from dicom_reports import content_of, evaluations_of
from pydicom.sr.codedict import codes

from USLabelEfficientSegLib.dicom_export.export import export_case
from USLabelEfficientSegLib.imaging.files import write_label_map
from USLabelEfficientSegLib.measurement.measuring import write_measurements_of
from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
from USLabelEfficientSegLib.report.cases_of_files import cases_of_files, open_segmentations
from USLabelEfficientSegLib.segmentation.segments import segment_metadata

ORGANS = ["Prostate", "Zyste, groß", "stone"]


def test_the_first_volume_of_a_corrected_organ_is_that_of_its_outline(scan, rows, tmp_path):
    scan.save_series(tmp_path / "images" / "scan")
    label_map, file = replace(scan.label_map, name="scan"), tmp_path / "segmentations" / "scan.nrrd"
    file.parent.mkdir()
    write_label_map(file, label_map, segment_metadata(label_map, ORGANS))
    write_measurements_of(file, rows)
    corrected = replace(label_map, voxels=label_map.voxels.copy())
    corrected.voxels[2:4][corrected.voxels[2:4] == 1] = 0
    write_label_map(file, corrected, segment_metadata(corrected, ORGANS))

    (case,) = cases_of_files(open_segmentations(file.parent, tmp_path / "images"), {"scan": "scan"})
    measured = cast("Sequence[OrganMeasurement]", case.rows)
    files = export_case(tmp_path / "images" / "scan", case.label_map, measured, tmp_path / "out")

    groups = content_of(files.report).get_volumetric_roi_measurement_groups()
    prostate, cyst = (group.get_measurements(name=codes.SCT.Volume)[0] for group in groups[:2])
    count = int(np.count_nonzero(corrected.voxels == 1))
    assert prostate.value == pytest.approx(count * label_map.geometry.voxel_volume_ml, rel=1e-6)
    assert prostate.method == codes.DCM.SumOfSegmentedVoxelMethodForVolume
    assert not [item for item in prostate[0].get("ContentSequence", []) if item.ValueType == "NUM"]  # no interval
    assert "Edited" in evaluations_of(groups[0])
    assert cyst.value == pytest.approx(rows[1].volume_ml, rel=1e-6)
