from pathlib import Path

import numpy as np
import pytest

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.evaluation.case_metrics import evaluate_case
from USLabelEfficientSegLib.imaging.file_formats.segmentation import fitted
from USLabelEfficientSegLib.imaging.files import find_images, image_name, read_label_map, read_volume, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.measurement.flags import Flag
from USLabelEfficientSegLib.measurement.measuring import measure_files
from USLabelEfficientSegLib.measurement.organ import OrganMeasurement

SHAPE = (12, 10, 8)
# As Slicer has it: RAS, here i along -R, j along -A.
IMAGE = Geometry(SHAPE, (0.3, 0.4, 0.5), (1.0, 2.0, 3.0), np.eye(3))


def segmentation(
    path: Path,
    layers: np.ndarray,
    segments: list[dict[str, object]],
    first: tuple[int, int, int] = (0, 0, 0),
    whole: bool = True,
    kind: str = "list",
) -> Path:
    """A segmentation (layers, I, J, K) as Slicer stores it: from the voxel `first` of the image on."""
    single = len(layers) == 1
    array = layers[0] if single else layers
    x, y, z = IMAGE.index_to_physical(first)
    lines = [
        "NRRD0004", "type: unsigned char", f"dimension: {array.ndim}", f"sizes: {' '.join(map(str, array.shape))}",
        "space: left-posterior-superior", "encoding: raw", f"space origin: ({x},{y},{z})",
        f"kinds: {'' if single else kind + ' '}domain domain domain",
        f"space directions: {'' if single else 'none '}(0.3,0,0) (0,0.4,0) (0,0,0.5)",
        "Segmentation_MasterRepresentation:=Binary labelmap",
    ]  # fmt: skip
    if whole:
        matrix = "-0.3;0;0;-1;0;-0.4;0;-2;0;0;0.5;3;0;0;0;1"
        extent = ";".join(f"0;{size - 1}" for size in SHAPE)
        parameters = f"Collapse labelmaps|1|Merge the labelmaps&Reference image geometry|{matrix};{extent};|Image&"
        lines.append(f"Segmentation_ConversionParameters:={parameters}")
    for number, fields in enumerate(segments):
        lines += [f"Segment{number}_{name}:={value}" for name, value in fields.items()]
    path.write_bytes(("\n".join(lines) + "\n\n").encode() + array.astype(np.uint8).tobytes(order="F"))
    return path


def named(name: str, value: int = 1, layer: int | None = None) -> dict[str, object]:
    fields: dict[str, object] = {"ID": f"Segment_{name}", "Name": name, "LabelValue": value}
    return fields if layer is None else {**fields, "Layer": layer}


def box(start: int, stop: int) -> np.ndarray:
    voxels = np.zeros(SHAPE, np.uint8)
    voxels[start:stop, 2:5, 3:6] = 1
    return voxels


def test_a_segmentation_has_the_name_of_its_image(tmp_path: Path) -> None:
    path = segmentation(tmp_path / "case 1.seg.nrrd", box(2, 5)[None], [named("prostate")])

    assert image_name(path) == "case 1" == read_label_map(path).name
    assert find_images(tmp_path) == {"case 1": path}


def test_in_one_folder_the_image_is_the_image_and_the_segmentation_the_label(tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).integers(0, 9, SHAPE).astype(np.uint8)
    write_volume(tmp_path / "a.nrrd", Scan(voxels, IMAGE, "a"))
    path = segmentation(tmp_path / "A.SEG.NRRD".replace("A", "a", 1), box(2, 5)[None], [named("prostate")])

    assert find_images(tmp_path) == {"a": tmp_path / "a.nrrd"}
    assert find_images(tmp_path, labels=True) == {"a": path}
    with pytest.raises(InputError, match="is a segmentation, not an image"):
        read_volume(path)


def test_names_and_values_come_from_the_file(tmp_path: Path) -> None:
    labels = box(2, 5) * 7 + box(6, 8) * 3
    path = segmentation(tmp_path / "a.seg.nrrd", labels[None], [named("bladder é", 7), named("prostate", 3)])

    label_map = read_label_map(path)

    assert label_map.segments == {3: "prostate", 7: "bladder é"}
    np.testing.assert_array_equal(label_map.voxels, labels)


@pytest.mark.parametrize("kind", ["list", "vector"])
def test_layers_become_one_label_map(tmp_path: Path, kind: str) -> None:
    layers = np.stack([box(2, 5), box(6, 8) + 2 * box(9, 11)])
    segments = [named("prostate", 1, 0), named("bladder", 1, 1), named("cyst", 2, 1)]

    label_map = read_label_map(segmentation(tmp_path / "a.seg.nrrd", layers, segments, kind=kind))

    assert label_map.segments == {1: "prostate", 2: "bladder", 3: "cyst"}
    np.testing.assert_array_equal(label_map.voxels, box(2, 5) + 2 * box(6, 8) + 3 * box(9, 11))


def test_layers_keep_values_of_their_own(tmp_path: Path) -> None:
    layers = np.stack([box(2, 5) * 4, box(6, 8) * 9])

    label_map = read_label_map(segmentation(tmp_path / "a.seg.nrrd", layers, [named("a", 4, 0), named("b", 9, 1)]))

    assert label_map.segments == {4: "a", 9: "b"} and set(np.unique(label_map.voxels)) == {0, 4, 9}


def test_segments_of_old_files_are_layers(tmp_path: Path) -> None:
    segments: list[dict[str, object]] = [{"ID": "p", "Name": "prostate"}, {"ID": "b", "Name": "bladder"}]

    label_map = read_label_map(segmentation(tmp_path / "a.seg.nrrd", np.stack([box(2, 5), box(6, 8)]), segments))

    assert label_map.segments == {1: "prostate", 2: "bladder"}
    np.testing.assert_array_equal(label_map.voxels, box(2, 5) + 2 * box(6, 8))


def test_segments_that_overlap_are_refused_with_both_names(tmp_path: Path) -> None:
    layers = np.stack([box(2, 6), box(5, 8)])
    path = segmentation(tmp_path / "a.seg.nrrd", layers, [named("prostate", 1, 0), named("bladder", 1, 1)])

    with pytest.raises(InputError, match=r"has segments that overlap \(prostate and bladder\)"):
        read_label_map(path)


def test_labels_that_no_segment_names_are_refused_in_layers(tmp_path: Path) -> None:
    layers = np.stack([box(2, 5), box(6, 8) * 5])
    path = segmentation(tmp_path / "a.seg.nrrd", layers, [named("prostate", 1, 0), named("bladder", 1, 1)])

    with pytest.raises(InputError, match="holds the label 5, which no segment names"):
        read_label_map(path)


@pytest.mark.parametrize(
    "segments",
    [
        [named("a", 1, 0), named("b", 1, 0)],
        [named("a", 1, 0), named("b", 1, 7)],
        [named("a", 1, 0), {"ID": "b", "LabelValue": "9" * 40, "Layer": "1"}],
        [named("a", 1, 0), {"ID": "b", "LabelValue": "x"}],
    ],
)
def test_segments_that_make_no_sense_are_refused(tmp_path: Path, segments: list[dict[str, object]]) -> None:
    with pytest.raises(InputError, match=r"same voxels|layer 7|is damaged"):
        read_label_map(segmentation(tmp_path / "a.seg.nrrd", np.stack([box(2, 5), box(6, 8)]), segments))


def test_the_box_that_slicer_stores_is_put_on_the_grid_of_the_image(tmp_path: Path) -> None:
    part = box(2, 5)[2:5, 2:5, 3:6]
    path = segmentation(tmp_path / "a.seg.nrrd", part[None], [named("prostate")], first=(2, 2, 3))

    label_map = read_label_map(path)

    assert label_map.geometry.same_grid(IMAGE, 1e-9)
    np.testing.assert_array_equal(label_map.voxels, box(2, 5))
    assert label_map.segments == {1: "prostate"}


def test_a_box_that_does_not_tell_its_image_is_put_on_the_grid_of_the_image_at_hand(tmp_path: Path) -> None:
    part = box(2, 5)[2:5, 2:5, 3:6]
    path = segmentation(tmp_path / "a.seg.nrrd", part[None], [named("prostate")], first=(2, 2, 3), whole=False)
    whole = LabelMap(box(2, 5), IMAGE, "a")

    label_map = read_label_map(path)

    assert label_map.geometry.shape == (3, 3, 3)
    np.testing.assert_array_equal(fitted(label_map, IMAGE).voxels, box(2, 5))
    for pair in ((label_map, whole), (whole, label_map)):
        assert evaluate_case(*pair, ["prostate"])[0].dice == 1


def test_a_box_beside_its_image_is_put_on_the_grid_of_the_image(tmp_path: Path) -> None:
    part = box(2, 5)[2:5, 2:5, 3:6]
    path = segmentation(tmp_path / "a.seg.nrrd", part[None], [named("prostate")], first=(2, 2, 3), whole=False)
    write_volume(tmp_path / "a.mha", Scan(np.arange(960, dtype=np.uint16).reshape(SHAPE), IMAGE, "a"))

    np.testing.assert_array_equal(read_label_map(path).voxels, box(2, 5))


def test_an_organ_in_a_stored_box_does_not_reach_the_edge_of_the_image(tmp_path: Path) -> None:
    part = box(2, 5)[2:5, 2:5, 3:6]
    path = segmentation(tmp_path / "a.seg.nrrd", part[None], [named("prostate")], first=(2, 2, 3))

    (row,) = measure_files([path])

    assert isinstance(row, OrganMeasurement)
    assert row.organ == "prostate" and row.voxel_count == 27
    assert Flag.CUT_BY_EDGE not in row.flags


def test_label_maps_without_names_and_other_places_stay_as_they_are() -> None:
    inside = Geometry((3, 3, 3), IMAGE.spacing, tuple(IMAGE.index_to_physical((2, 2, 3))), IMAGE.direction)
    between = Geometry((3, 3, 3), IMAGE.spacing, tuple(IMAGE.index_to_physical((2.5, 2, 3))), IMAGE.direction)
    outside = Geometry((3, 3, 3), IMAGE.spacing, tuple(IMAGE.index_to_physical((-1, 2, 3))), IMAGE.direction)
    ones = np.ones((3, 3, 3), np.uint8)

    for label_map in (
        LabelMap(ones, inside, "sparse"),
        LabelMap(ones, between, "between", {1: "a"}),
        LabelMap(ones, outside, "outside", {1: "a"}),
    ):
        assert fitted(label_map, IMAGE) is label_map


def test_a_small_file_does_not_claim_a_huge_image(tmp_path: Path) -> None:
    path = segmentation(tmp_path / "a.seg.nrrd", box(2, 5)[None], [named("prostate")])
    path.write_bytes(path.read_bytes().replace(b"0;11;0;9;0;7;", b"0;9999;0;9999;0;9999999999999999999;"))

    assert read_label_map(path).geometry.shape == SHAPE
