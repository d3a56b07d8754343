"""A part of the families of DICOM files and pictures; the whole is `python -m robustness`."""

import pytest

from robustness.runner import run_family


@pytest.mark.parametrize(("family", "count"), [("dicom", 250), ("pictures", 400)])
def test_damaged_and_hostile_files_are_refused_or_read_rightly(family: str, count: int) -> None:
    checked, failures = run_family(family, count, seed=7)

    assert checked == count
    assert failures == {}
