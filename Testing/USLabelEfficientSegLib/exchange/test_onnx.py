"""ONNX graphs give what the networks give, alone and in a whole segmentation."""

import json
import shutil
import sys
from dataclasses import replace
from importlib.util import find_spec
from types import ModuleType

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.anatomy.location_prior import LocationPrior
from USLabelEfficientSegLib.calibration.probability_scaling import ProbabilityScaling
from USLabelEfficientSegLib.disk.kinds import kind_of
from USLabelEfficientSegLib.divergence.unext import UNeXt
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.exchange import onnx_network
from USLabelEfficientSegLib.exchange.exporting import export_model
from USLabelEfficientSegLib.exchange.graphs import graphs_of
from USLabelEfficientSegLib.exchange.onnx_model import model_of_graphs
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.promptable_network.starter import load_starter
from USLabelEfficientSegLib.segmentation.image_model import ImageModel
from USLabelEfficientSegLib.segmentation.loading import load_model
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.segmentation.slice_voters import SliceVoter, SliceVoters
from USLabelEfficientSegLib.slice_network.network import SliceUNet
from USLabelEfficientSegLib.student.build import StudentDesign, build_student

CPU = torch.device("cpu")
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
needs_packages = pytest.mark.skipif(
    not all(map(find_spec, PACKAGES)), reason=f"needs {', '.join(PACKAGES)}: pip install .[exchange]"
)


def model_of_volumes(network="u-net"):
    """Students, 2-D networks, prior and scaling all vote."""
    torch.manual_seed(0)
    design = StudentDesign(network=network, classes=3, spacing=(3.3, 3.3, 4.0), slice_axis=2, widths=(4, 8, 8))
    prior = LocationPrior(2)
    prior.coefficients.copy_(torch.tensor([[0.5, 1, 0, 0, -4, -4, -4, 0, 0, 0], [0.2, -1, 0, 0, -4, -4, -4, 0, 0, 0]]))
    voters = SliceVoters((SliceVoter(SliceUNet(3, widths=(4, 8)).eval(), 2, 30),), 32, (4, 8))
    return SegmentationModel(
        (build_student(design).eval(),),
        design,
        ("solid", "fluid"),
        16,
        12,
        0.25,
        (0,),
        scaling=ProbabilityScaling(slopes=(1.0, 1.2, 0.9), offsets=(0.0, 0.1, -0.1)),
        prior=prior,
        weights=(0.3, 0.5, 0.2),
        slices=voters,
    )


@pytest.fixture(scope="module")
def model():
    return model_of_volumes()


@pytest.fixture(scope="module")
def exported(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("exported")
    model.save(folder / "model.safetensors")
    export_model(folder / "model.safetensors", folder / "graphs", "onnx")
    return folder / "graphs"


@needs_packages
def test_a_segmentation_by_graphs_is_that_of_the_model(exported, model):
    for seed, shape in ((0, (24, 24, 16)), (1, (21, 30, 17))):
        volume = simulate_volume(seed, shape=shape, spacing=(3.3, 3.3, 4.0)).volume

        expected, found = model.predict(volume, CPU), model_of_graphs(model, exported).predict(volume, CPU)

        assert len(np.unique(expected.labels().voxels)) > 1
        assert (expected.labels().voxels != found.labels().voxels).mean() <= 1e-4
        assert found.volumes_ml() == pytest.approx(expected.volumes_ml(), rel=1e-3)


@needs_packages
def test_a_folder_of_graphs_is_a_model_for_every_command(exported, model, tmp_path):
    assert kind_of(exported) == "a model"
    loaded = load_model(exported)

    assert loaded.digest() == model.digest() and loaded.organs == model.organs
    volume = simulate_volume(0, shape=(24, 24, 16), spacing=(3.3, 3.3, 4.0)).volume
    assert np.array_equal(loaded.predict(volume, CPU).probability, model.predict(volume, CPU).probability)

    shutil.copytree(exported, tmp_path / "graphs")
    (tmp_path / "graphs" / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"graphs: has ONNX graphs, but not the model itself; give one that"):
        load_model(tmp_path / "graphs")


def export_and_compare(model, other, folder):
    """Export a model as `graphs` of a folder; they segment as the model does, and the other model does not."""
    model.save(folder / "model.safetensors")
    export_model(folder / "model.safetensors", folder / "graphs", "onnx")
    volume = simulate_volume(0, shape=(24, 24, 27), spacing=(3.3, 3.3, 4.0)).volume

    expected = model.predict(volume, CPU).probability
    found = model_of_graphs(model, folder / "graphs").predict(volume, CPU).probability

    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(other.predict(volume, CPU).probability - expected).max() > 0.01


@needs_packages
def test_graphs_adapt_to_a_volume_as_the_model_does(tmp_path, model):
    alone = replace(model, networks=(), prior=None, weights=(), slices=replace(model.slices, adaptation=0.0))
    model = replace(alone, slices=replace(alone.slices, adaptation=0.8))
    export_and_compare(model, alone, tmp_path)
    told = json.loads((tmp_path / "graphs" / "slices_1.json").read_text())
    measured = json.loads((tmp_path / "graphs" / "levels_1.json").read_text())
    assert told["second input"]["name"] == measured["output"]["name"] == "levels"
    assert (measured["most slices"], measured["slices at once"]) == (24, 8)
    assert measured["checked"]["largest difference from the network"] <= 1e-4
    assert "run `levels_N.onnx` on 8 of them at a time" in (tmp_path / "graphs" / "README.md").read_text()


@needs_packages
def test_the_network_that_is_asked_where_organs_end_is_a_graph_as_well(tmp_path, model):
    alone = replace(model, networks=(), prior=None, weights=())
    asking = replace(alone, slices=replace(alone.slices, ends=0.4))
    export_and_compare(asking, alone, tmp_path)
    described = json.loads((tmp_path / "graphs" / "ends.json").read_text())
    assert (described["weight"], described["slice axis"]) == (0.4, 2)
    assert described["checked"]["largest difference from the network"] <= 1e-4
    assert "run it, and once more on a crop around the organ" in (tmp_path / "graphs" / "README.md").read_text()
    graph = onnx_network.OnnxNetwork(tmp_path / "graphs" / "ends.onnx", (16, 16, 16))
    cube = torch.randn(1, 5, 48, 48, 48, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(graph(cube), load_starter()(cube), atol=1e-3, rtol=1e-4)


@needs_packages
def test_each_graph_has_its_description_and_the_model_a_page(exported, model):
    described = json.loads((exported / "model.json").read_text())
    assert described["graphs"] == ["volume_1.onnx", "slices_1.onnx"]
    assert described["labels"] == {"0": "background", "1": "solid", "2": "fluid"}
    assert described["scaling"] == {"slopes": [1.0, 1.2, 0.9], "offsets": [0.0, 0.1, -0.1]}
    assert described["location prior"]["weight"] == 0.2
    assert np.array(described["location prior"]["coefficients of each organ"]).shape == (2, 10)
    of_slices = json.loads((exported / "slices_1.json").read_text())
    assert (of_slices["weight"], of_slices["slice axis"]) == (0.5, 2) and of_slices["mirrored too along"] == [0]
    assert (of_slices["input"]["mean"], of_slices["input"]["standard deviation"]) == (0.4, 0.15)
    assert of_slices["checked"]["largest difference from the network"] <= of_slices["checked"]["allowed"] == 1e-4
    assert json.loads((exported / "volume_1.json").read_text())["weight"] == 0.3
    page = (exported / "README.md").read_text()
    assert "## How to use it" in page and "- one 2-D network on slices" in page and "imaging.sector.sector_mask" in page
    assert {path.suffix for path in exported.iterdir()} == {".onnx", ".json", ".md", ".safetensors"}


@needs_packages
def test_a_network_of_images_reads_any_size(tmp_path):
    torch.manual_seed(0)
    model = ImageModel(UNeXt(2).eval(), ("head",), 48, True, zooms=(1.0, 0.8), zoom_margins=(1.3,))
    model.save(tmp_path / "model.safetensors")

    export_model(tmp_path / "model.safetensors", tmp_path / "graphs", "onnx")

    pixels = np.random.default_rng(0).integers(0, 255, (64, 50, 1)).astype(np.uint8)
    image = Scan(pixels, Geometry((64, 50, 1), (0.5, 0.6, 1.0), (0.0, 0.0, 0.0), np.eye(3)), "a")
    expected = model.predict(image, CPU).probability
    found = model_of_graphs(model, tmp_path / "graphs").predict(image, CPU).probability
    np.testing.assert_allclose(found, expected, atol=1e-4)


@needs_packages
def test_a_graph_that_differs_from_its_network_is_refused_and_nothing_is_left(tmp_path, model, monkeypatch):
    model = replace(model, networks=(), weights=(), prior=None)
    model.save(tmp_path / "model.safetensors")
    monkeypatch.setattr(onnx_network, "TOLERANCE", -1.0)

    with pytest.raises(InputError, match=r"slices_1.onnx: gives values that differ by .* from those of the network"):
        export_model(tmp_path / "model.safetensors", tmp_path / "graphs", "onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_missing_package_is_asked_for_in_one_sentence(tmp_path, model, monkeypatch, package):
    model.save(tmp_path / "model.safetensors")
    for name in PACKAGES:
        monkeypatch.setitem(sys.modules, name, None if name == package else ModuleType(name))

    with pytest.raises(InputError) as refusal:
        export_model(tmp_path / "model.safetensors", tmp_path / "graphs", "onnx")
    assert str(refusal.value) == (f"an export as ONNX: needs {package}; pip install us-label-efficient-seg[exchange].")
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_the_published_student_is_refused_with_the_way_out():
    with pytest.raises(InputError, match="export it with --format monai-bundle"):
        graphs_of(model_of_volumes("published"))
