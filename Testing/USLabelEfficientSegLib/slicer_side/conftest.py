"""A worker without networks: it answers `segment` in a second, so that what happens around it can be tested."""

import sys

import pytest

from USLabelEfficientSegLib.slicer_side.processes import worker as worker_module

PROGRAM = """
import json, sys, time
from pathlib import Path
sys.path[:0] = {path!r}
from USLabelEfficientSegLib.imaging.files import find_images, read_volume, write_label_map, write_map
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.measurement.measuring import write_measurements_of
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.measurement.organ import OrganMeasurement
def measurement(label, organ, count, ml, **more):
    shape = dict(surface_volume_ml=ml, surface_area_mm2=1.0, axes_mm=(1.0, 1.0, 1.0), extents_ras_mm=(1.0, 1.0, 1.0))
    more = dict(max_diameter_mm=1.0, centroid_ras_mm=None, ellipsoid_volume_ml=ml) | more
    return OrganMeasurement(name, organ, count, 1.01 * ml, ml, True, label=label, **shape, **more)
command, model, images, *options = sys.argv[3:]
if Path(model).read_text() == "damaged":
    print("uslabelseg: error: model: is damaged; train it again.")
    sys.exit(2)
output = Path(options[options.index("--output") + 1])
output.mkdir()
for number, (name, path) in enumerate(sorted(find_images(Path(images)).items())):
    if number:  # the first result is there while the second is still made
        while not Path(model).with_name("go on").exists():
            time.sleep(0.02)
    volume = read_volume(path)
    bright = (volume.voxels > 100).astype("uint8")
    write_map(output / f"{{name}}_uncertainty.nrrd", bright * 0.25 + 0.1, volume.geometry)
    write_label_map(output / f"{{name}}.nrrd", LabelMap(bright, volume.geometry, name))
    ml = float(bright.sum()) * volume.geometry.voxel_volume_ml
    interval = dict(interval_ml=(0.9 * ml, 1.2 * ml), interval_method="made up", flags=(Flag.CUT_BY_EDGE, Flag.HOLES))
    rows = [measurement(1, "liver", int(bright.sum()), ml, **interval)]
    rows.append(measurement(2, "bladder", 0, 0.0, flags=(Flag.EMPTY,)))
    file = output / f"{{name}}.nrrd"
    write_label_map(file, LabelMap(bright, volume.geometry, name))
    write_measurements_of(file, rows)
    print(json.dumps({{"file": str(file), "volumes_ml": {{row.organ: row.volume_ml for row in rows}}}}), flush=True)
"""


@pytest.fixture
def quick_model(tmp_path, monkeypatch):
    """A model file that the worker without networks takes; it waits before its second volume for `go_on`."""
    script = tmp_path / "quick_python"
    script.write_text(f"#!{sys.executable}\n" + PROGRAM.format(path=[p for p in sys.path if p]))
    script.chmod(0o755)
    monkeypatch.setattr(worker_module, "python_executable", lambda: str(script))
    model = tmp_path / "model.safetensors"
    model.write_text("good")
    return model


@pytest.fixture
def go_on(tmp_path):
    """Lets the worker without networks go on to its second volume."""
    return lambda: (tmp_path / "go on").write_text("")
