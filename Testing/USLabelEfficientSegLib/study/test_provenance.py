"""What a damaged record of a training means: one sentence, whichever way it is damaged."""

import json
from pathlib import Path

import numpy as np
import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.study.provenance import images_added, labels_changed, read_settings, read_starts, start_run
from USLabelEfficientSegLib.study.settings import preset
from USLabelEfficientSegLib.study.study import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    (tmp_path / "images").mkdir()
    grid = Geometry((4, 5, 6), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    voxels = np.arange(120, dtype=np.uint8).reshape(4, 5, 6)
    write_volume(tmp_path / "images" / "a.nrrd", Scan(voxels, grid, "a"))
    study = Study.create(tmp_path / "study", tmp_path / "images")
    start_run(study, preset("quick"), "cpu", continued_from={"sha256": "0" * 64, "settings": {}})
    return study


def test_a_record_is_read_as_it_was_written(study: Study) -> None:
    assert read_settings(study) == preset("quick")
    (start,) = read_starts(study)
    assert start["device"] == "cpu" and start["versions"]["python"]
    assert not labels_changed(study) and not images_added(study)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.update(starts=[]),
        lambda record: record.update(starts=[5]),
        lambda record: record.update(starts={"versions": {}}),
        lambda record: record["starts"][0].update(versions="new"),
        lambda record: record["starts"][0].pop("versions"),
        lambda record: record.update(data=[]),
        lambda record: record["data"].update(images={"a": 5}),
        lambda record: record["data"].update(labels="none"),
        lambda record: record.update(settings=None),
        lambda record: record.update(continued_from={"sha256": None}),
        lambda record: record.update(more=float("nan")),
    ],
)
def test_a_damaged_record_is_one_sentence(study: Study, change) -> None:
    path = study.run_folder / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    change(record)
    path.write_text(json.dumps(record), encoding="utf-8")

    for read in (read_settings, read_starts, labels_changed, images_added):
        with pytest.raises(InputError, match=r"run\.json: is damaged; train anew with --restart"):
            read(study)


@pytest.mark.parametrize("data", [b"", b"{", b"\x93\xff", b"[" * 100_000, b"[]"])
def test_a_record_that_is_no_json_is_one_sentence(study: Study, data: bytes) -> None:
    (study.run_folder / "run.json").write_bytes(data)
    with pytest.raises(InputError, match="is damaged"):
        read_settings(study)


def test_a_setting_of_a_record_out_of_bounds_is_named(study: Study) -> None:
    path = study.run_folder / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    for section, name, value in (("student", "window", 10**6), ("student", "widths", [8] * 10**4)):
        changed = {**record, "settings": {**record["settings"], section: {name: value}}}
        path.write_text(json.dumps(changed), encoding="utf-8")
        with pytest.raises(InputError, match=f"'{section}.{name}'"):
            read_settings(study)
