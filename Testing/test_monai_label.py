"""The app of MONAI Label, asked over its server's REST interface.

MONAI Label needs an environment of its own: MONAI_LABEL_PYTHON names its Python, else these tests are skipped.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from USLabelEfficientSegLib.imaging.files import read_label_map, write_label_map, write_volume
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.study.study import Study

ROOT = Path(__file__).parents[1]
PYTHON = os.environ.get("MONAI_LABEL_PYTHON")
TINY = (
    "working_grid.max_voxels=32 teacher.slice_size=32 teacher.steps=2 teacher.batch_size=2 teacher.local_crops=1 "
    "slice_head.steps=2 slice_head.views=1 pseudo_labels.views=1 slice_network.steps=0 student.window=32 "
    "student.widths=[8,8,8] student.steps=2 student.label_steps=2 student.label_steps_from=1 student.members=1 "
    "student.rounds=1"
)

needs_server = pytest.mark.skipif(PYTHON is None, reason="MONAI_LABEL_PYTHON names no Python with monailabel")
sys.path.append(str(ROOT / "monai_label"))  # as the server does

from painted_slices import painted_slices, write_sparse  # noqa: E402
from submitted_labels import take_submitted  # noqa: E402


def cross(*places, shape=(20, 24, 16)):
    """An ellipsoid of which only some slices are painted."""
    i, j, k = (np.linspace(-1, 1, n) for n in shape)
    organ = i[:, None, None] ** 2 + j[:, None] ** 2 + k**2 < 0.6
    painted = np.zeros_like(organ)
    for axis, index in places:
        where = (slice(None),) * axis + (index,)
        painted[where] = organ[where]
    return painted


@pytest.mark.parametrize(
    "places",
    [
        [(2, 8)],
        [(2, 4), (2, 8), (2, 9)],
        [(0, 10)],
        [(0, 10), (1, 12)],
        [(0, 9), (2, 7), (2, 8)],
        [(2, k) for k in range(16)],
    ],
)
def test_painted_slices_of_every_axis_are_found(places):
    shown = [place for place in places if cross(place).any()]

    assert sorted(painted_slices(cross(*places), axis=2)) == sorted(shown)


def test_a_client_s_label_map_becomes_sparse_labels(folder, tmp_path):
    (drawn,) = (folder / "drawn").iterdir()
    given = read_label_map(drawn)
    across = np.zeros_like(given.voxels)
    index = int((given.voxels == 1).sum(axis=(1, 2)).argmax())
    across[index] = simulate_volume(2, shape=(24, 24, 16), spacing=(3.3, 3.3, 4.0)).label_map.voxels[index]
    write_label_map(tmp_path / "across.nrrd", replace(given, voxels=across))

    write_sparse(tmp_path / "across.nrrd", tmp_path / "sparse.nrrd", axis=2)

    sparse = read_label_map(tmp_path / "sparse.nrrd")
    assert sparse.geometry.same_grid(given.geometry)
    assert (sparse.voxels[index] == across[index]).all() and across[index].any()
    assert (np.delete(sparse.voxels, index, axis=0) == 255).all()


@pytest.mark.parametrize("value", [0.5, 255, -1])
def test_what_is_no_label_map_is_refused_in_a_sentence(tmp_path, value):
    voxels = np.zeros((4, 4, 4), np.float32)
    voxels[1] = value
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels), str(tmp_path / "odd.nrrd"))

    with pytest.raises(ValueError, match=r"odd.nrrd: is no label map of a volume; save whole numbers"):
        write_sparse(tmp_path / "odd.nrrd", tmp_path / "sparse.nrrd", axis=2)
    assert not (tmp_path / "sparse.nrrd").exists()


def by_command(study):
    """Gives a study the label maps in a folder, as the app does."""

    def take(folder):
        words = ["study", "label", str(study), "--labels", str(folder)]
        done = subprocess.run(
            [sys.executable, "-m", "USLabelEfficientSegLib.cli", *words], capture_output=True, text=True
        )
        if done.returncode:
            raise ValueError(done.stderr.strip().splitlines()[-1].removeprefix("uslabelseg: error: "))
        return done.stdout.splitlines()

    return take


def test_label_maps_that_do_not_fit_are_set_aside_and_the_others_are_taken(folder, tmp_path):
    study = Path(shutil.copytree(folder / "study", tmp_path / "study"))
    (drawn,) = (folder / "drawn").iterdir()
    others = sorted({case.name for case in Study.open(study).cases} - {drawn.stem})
    damaged, small = (tmp_path / f"{name}.nrrd" for name in others)
    damaged.write_bytes(drawn.read_bytes()[:200])
    voxels = np.zeros((5, 5, 5), np.uint8)
    voxels[2] = 1
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels), str(small))
    pairs = [(path.stem, path) for path in (damaged, drawn, small)]

    lines, refused = take_submitted(pairs, study, 2, by_command(study))

    assert Study.open(study).read_labels(drawn.stem) is not None
    assert [case.name for case in Study.open(study).cases if case.labels] == [drawn.stem]
    assert lines[0].startswith(f"{drawn.stem}: labelled axial, slice")
    assert len(refused) == 2 and damaged.name in refused[0] and small.name in refused[1]
    for sentence, source in zip(refused, (damaged, small), strict=True):
        kept = study / "set_aside" / source.name
        assert sentence.endswith(f"It is not trained with; a copy is in {kept}.")
        assert kept.read_bytes() == source.read_bytes()


def test_only_bad_label_maps_leave_the_study_as_it_was(folder, tmp_path):
    study = Path(shutil.copytree(folder / "study", tmp_path / "study"))
    bad = tmp_path / "simulated_0000.nrrd"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.full((4, 4, 4), 0.5, np.float32)), str(bad))

    lines, (sentence,) = take_submitted([(bad.stem, bad)], study, 2, lambda _folder: pytest.fail("nothing to take"))

    assert not lines and "is no label map of a volume; save whole numbers" in sentence
    assert not any(case.labels for case in Study.open(study).cases)


class Server:
    """A client of the server at a port."""

    def __init__(self, port):
        self._url = f"http://127.0.0.1:{port}"

    def ask(self, method, path, value=None, files=None):
        """The JSON, or the bytes, with which the server answers."""
        body, headers = None, {}
        if value is not None:
            body, headers = json.dumps(value).encode(), {"Content-Type": "application/json"}
        if files is not None:
            edge = uuid.uuid4().hex
            parts = [
                f'--{edge}\r\nContent-Disposition: form-data; name="{name}"; filename="{file.name}"\r\n\r\n'.encode()
                + file.read_bytes()
                for name, file in files.items()
            ]
            body = b"\r\n".join([*parts, f"--{edge}--\r\n".encode()])
            headers = {"Content-Type": f"multipart/form-data; boundary={edge}"}
        request = urllib.request.Request(self._url + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=300) as answer:
            data = answer.read()
            return json.loads(data) if "json" in answer.headers.get_content_type() else data


def wait_for(condition, process):
    end = time.monotonic() + 600
    while True:
        with contextlib.suppress(OSError, urllib.error.URLError):
            if found := condition():
                return found
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three volumes, a study of them without labels, and labels of two slices of one, as a client sends them."""
    folder = tmp_path_factory.mktemp("monai label")
    for name in ("images", "drawn"):
        (folder / name).mkdir()
    for seed in range(3):
        case = simulate_volume(seed, shape=(24, 24, 16), spacing=(3.3, 3.3, 4.0))
        write_volume(folder / "images" / f"{case.volume.name}.nrrd", case.volume)
    shown = case.label_map.voxels
    slices = [int((shown == organ).sum(axis=(0, 1)).argmax()) for organ in (1, 2)]
    voxels = np.zeros_like(shown)
    voxels[..., slices] = shown[..., slices]
    write_label_map(folder / "drawn" / f"{case.volume.name}.nrrd", replace(case.label_map, voxels=voxels))
    Study.create(folder / "study", folder / "images", organs=["solid", "fluid"])
    program = folder / "uslabelseg"
    words = f'PYTHONPATH="{ROOT / "USLabelEfficientSeg"}" exec "{sys.executable}" -m USLabelEfficientSegLib.cli "$@"'
    program.write_text(f"#!/bin/sh\n{words}\n")
    program.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def server(folder):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    app = shutil.copytree(ROOT / "monai_label", folder / "app")  # the server writes beside its app
    words = ["--app", app, "--studies", folder / "images", "--host", "127.0.0.1", "--port", port]
    conf = ["--conf", "study", folder / "study", "--conf", "program", folder / "uslabelseg"]
    command = [PYTHON, "-m", "monailabel.main", "start_server", *words, *conf, "--conf", "device", "cpu"]
    environment = {**os.environ, "MONAI_LABEL_DATASTORE_FILE_EXT": '["*.nrrd"]'}
    environment.pop("PYTHONPATH", None)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, env=environment)
    try:
        server = Server(port)
        wait_for(lambda: server.ask("GET", "/info/"), process)
        yield server
    finally:
        process.terminate()
        process.wait(20)


@needs_server
def test_a_client_labels_trains_and_segments(server, folder):
    info = server.ask("GET", "/info/")
    assert info["labels"] == ["solid", "fluid"]
    assert list(info["models"]) == list(info["trainers"]) == ["organs"] and list(info["strategies"]) == ["suggest"]

    found = server.ask("POST", "/activelearning/suggest", {})
    assert found["id"].startswith("simulated_") and found["axis"] == 2 and 0 <= found["slice"] < 16

    (drawn,) = (folder / "drawn").iterdir()
    server.ask("PUT", f"/datastore/label?image={drawn.stem}", files={"label": drawn})
    trained = server.ask("POST", "/train/organs?run_sync=true", {"preset": "quick", "settings": TINY})
    study = Study.open(folder / "study")
    labels = study.read_labels(drawn.stem)
    assert labels is not None
    marked = read_label_map(drawn).voxels
    shown = np.flatnonzero(marked.any(axis=(0, 1))).tolist()
    assert [one.index for one in labels.labelled_slices(2)] == shown
    assert (labels.voxels[labels.voxels != 255] == marked[labels.voxels != 255]).all()
    assert (study.run_folder / "model.safetensors").exists()
    (line,) = trained["labels"][:1]
    assert line.startswith(f"{drawn.stem}: labelled axial, slice")
    again = server.ask("POST", "/train/organs?run_sync=true", {"preset": "quick", "settings": TINY})
    assert again["labels"] == ["no slice is new"]

    answer = server.ask("POST", "/infer/organs?image=simulated_0000&output=image", {})
    (folder / "answer.nrrd").write_bytes(answer)
    segmentation = read_label_map(folder / "answer.nrrd")
    assert segmentation.geometry.same_grid(study.read_scan("simulated_0000").geometry)
    assert set(np.unique(segmentation.voxels)) <= {0, 1, 2}
