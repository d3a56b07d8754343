"""A worker without networks: it answers `segment` in a second, so that what happens around it can be tested."""

import sys

import pytest

from USLabelEfficientSegLib.slicer_side import worker as worker_module

PROGRAM = """
import json, sys, time
from pathlib import Path
sys.path[:0] = {path!r}
from USLabelEfficientSegLib.imaging.files import find_images, read_volume, write_label_map, write_map
from USLabelEfficientSegLib.imaging.volume import LabelMap
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
    ml = {{"liver": float(bright.sum()) * volume.geometry.voxel_volume_ml * 1.01, "bladder": 0.0}}
    print(json.dumps({{"file": str(output / f"{{name}}.nrrd"), "volumes_ml": ml}}), flush=True)
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
