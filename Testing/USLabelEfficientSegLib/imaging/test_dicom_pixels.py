"""From Pixel Data to grey values: every kind of pixels and compression gives the right grey, or is refused."""

import io
from dataclasses import replace

import numpy as np
import pytest
from dicom_files import ENHANCED_VOLUME, ULTRASOUND_IMAGE, dicom_image, enhanced, oblique, save
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.dicom import gdcm
from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume
from USLabelEfficientSegLib.imaging.image_files import read_image, read_image_labels
from USLabelEfficientSegLib.imaging.pixel_sizes import PixelSizes

GRID = oblique()
VOXELS = np.random.default_rng(0).integers(0, 256, GRID.shape).astype(np.uint8)
HALF_MM = PixelSizes(otherwise=0.5)
LUMINANCE = np.array([0.299, 0.587, 0.114])


def picture(size=(64, 48)):
    """Ultrasound as screens show it: smooth grey with a coloured Doppler box."""
    y, x = np.mgrid[: size[1], : size[0]]
    grey = 90 + 80 * np.sin(x / 11) * np.cos(y / 7)
    colours = np.repeat(grey[..., None], 3, axis=2)
    colours[10:26, 16:40] = (150, 60, 30)
    return colours.astype(np.uint8)


def jpeg(colours, *, markers=False, space="RGB", **options):
    """A JPEG stream, with or without the JFIF and Adobe markers that tell how colours are stored."""
    stream = io.BytesIO()
    Image.fromarray(colours, space).save(stream, "JPEG", quality=97, **options)
    content = stream.getvalue()
    if markers:
        return content
    kept, at = content[:2], 2
    while content[at + 1] != 0xDA:
        length = 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if content[at + 1] not in (0xE0, 0xEE):
            kept += content[at : at + length]
        at += length
    return kept + content[at:]


def frame_of(path, streams, photometric, syntax=JPEGBaseline8Bit, size=(64, 48), samples=3, **attributes):
    dataset = dicom_image(np.zeros((1, size[1], size[0], 3) if samples == 3 else (1, size[1], size[0]), np.uint8),
                          ULTRASOUND_IMAGE, "1.2.3")  # fmt: skip
    dataset.PhotometricInterpretation = photometric
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate(streams)
    dataset["PixelData"].is_undefined_length = True
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return save(dataset, path)


def grey_of(path):
    return read_image(path, HALF_MM).voxels[..., 0].T.astype(int)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("markers", [True, False])
def test_colours_of_a_jpeg_are_decided_by_its_stream(tmp_path, photometric, subsampling, markers):
    colours = picture()
    path = frame_of(tmp_path / "a.dcm", [jpeg(colours, markers=markers, subsampling=subsampling)], photometric)

    difference = np.abs(grey_of(path) - colours @ LUMINANCE)

    assert difference.mean() < 1.0
    assert np.percentile(difference, 95) <= 3  # of the loss at the edges of the box


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL_422"])
@pytest.mark.parametrize("markers", [True, False])
def test_a_jpeg_that_stores_red_green_and_blue_is_read_as_such(tmp_path, photometric, markers):
    colours = picture()
    # Said to be luminance and chroma, the parts are stored as they are.
    stream = jpeg(colours, space="YCbCr", subsampling="4:4:4", markers=False)
    if markers:
        stream = stream[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00" + stream[2:]

    difference = np.abs(grey_of(frame_of(tmp_path / "a.dcm", [stream], photometric)) - colours @ LUMINANCE)

    assert difference.mean() < 1.0 and np.percentile(difference, 95) <= 3


def test_a_grey_jpeg_of_many_frames_is_read(tmp_path):
    frames = [np.ascontiguousarray(picture()[..., 0] // (1 + number)) for number in range(3)]
    dataset = enhanced(np.zeros((64, 48, 3), np.uint8), replace(GRID, shape=(64, 48, 3)))
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([jpeg(frame, space="L") for frame in frames])
    dataset["PixelData"].is_undefined_length = True

    volume = read_volume(save(dataset, tmp_path / "a.dcm"))

    assert np.abs(volume.voxels.T.astype(int) - np.stack(frames)).max() <= 4


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_wrong_number_of_compressed_frames_is_refused(tmp_path, count):
    frame = jpeg(np.ascontiguousarray(picture()[..., 0]), space="L")
    dataset = enhanced(np.zeros((64, 48, 3), np.uint8), replace(GRID, shape=(64, 48, 3)))
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([frame] * count)
    dataset["PixelData"].is_undefined_length = True

    with pytest.raises(InputError, match="damaged or cut short"):
        read_volume(save(dataset, tmp_path / "a.dcm"))


def test_a_jpeg_of_another_size_is_refused(tmp_path):
    path = frame_of(tmp_path / "a.dcm", [jpeg(picture((640, 480)))], "RGB")

    with pytest.raises(InputError, match="a JPEG stream of 640 x 480 pixels"):
        read_image(path, HALF_MM)


def test_a_small_stream_cannot_ask_for_much_memory(tmp_path):
    path = frame_of(tmp_path / "a.dcm", [jpeg(picture())], "RGB", Rows=30_000, Columns=30_000)

    with pytest.raises(InputError, match=r"declares 2574 MB of pixels in \d+ compressed bytes"):
        read_image(path, HALF_MM)


@pytest.mark.parametrize("syntax", [JPEG2000, JPEG2000Lossless])
@pytest.mark.parametrize(
    ("photometric", "transformed"),
    [("RGB", True), ("YBR_FULL", True), ("YBR_RCT", True), ("RGB", False), ("YBR_RCT", False)],
)
def test_colours_of_jpeg_2000_are_decided_by_its_stream(tmp_path, syntax, photometric, transformed):
    stream = io.BytesIO()
    Image.fromarray(picture()).save(stream, "JPEG2000", no_jp2=True, mct=int(transformed), irreversible=False)

    path = frame_of(tmp_path / "a.dcm", [stream.getvalue()], photometric, syntax)

    assert np.abs(grey_of(path) - picture() @ LUMINANCE).max() <= 0.51


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16])
def test_compressions_without_loss_give_every_value(tmp_path, syntax, kind):
    pytest.importorskip("jpeg_ls") if syntax == JPEGLSLossless else None
    values = np.random.default_rng(1).integers(*((0, 8) if kind == np.uint8 else (-2000, 2000)), (5, 6, 7))
    values = (values if kind == np.int16 else np.abs(values)).astype(kind)
    dataset = enhanced(VOXELS, GRID)
    dataset.update(dicom_image(values, ENHANCED_VOLUME, dataset.SeriesInstanceUID))
    dataset.PixelRepresentation = int(kind == np.int16)
    if syntax == JPEG2000Lossless:
        streams = []
        for frame in values:
            if kind == np.int16:
                pytest.skip("Pillow writes no signed JPEG 2000")
            stream = io.BytesIO()
            Image.fromarray(frame).save(stream, "JPEG2000", no_jp2=True, irreversible=False)
            streams.append(stream.getvalue())
        dataset.file_meta.TransferSyntaxUID, dataset.PixelData = syntax, encapsulate(streams)
        dataset["PixelData"].is_undefined_length = True
    else:
        dataset.compress(syntax)

    np.testing.assert_array_equal(read_volume(save(dataset, tmp_path / "a.dcm")).voxels.T, values)


@pytest.mark.skipif(get_decoder(HTJ2K).is_available, reason="there is a decoder")
def test_a_compression_without_decoder_names_the_package(tmp_path):
    path = frame_of(tmp_path / "a.dcm", [b"\xff\x4f\xff\x51\0\0"], "RGB", HTJ2K)

    with pytest.raises(InputError, match=r"High-Throughput JPEG 2000.*pylibjpeg.*is missing; install it"):
        read_image(path, HALF_MM)


def test_a_video_is_refused(tmp_path):
    path = frame_of(tmp_path / "a.dcm", [bytes(100)], "YBR_PARTIAL_420", "1.2.840.10008.1.2.4.102")
    with pytest.raises(InputError, match="pixels of the kind YBR_PARTIAL_420"):
        read_image(path, HALF_MM)
    path = frame_of(tmp_path / "a.dcm", [bytes(100)], "RGB", "1.2.840.10008.1.2.4.102")
    with pytest.raises(InputError, match=r"in a transfer syntax that cannot be read .MPEG-4"):
        read_image(path, HALF_MM)


def test_dark_is_bright_in_monochrome_1_but_labels_stay(tmp_path):
    dataset = enhanced(VOXELS, GRID)
    dataset.PhotometricInterpretation = "MONOCHROME1"
    path = save(dataset, tmp_path / "a.dcm")

    np.testing.assert_array_equal(read_volume(path).voxels, 255 - VOXELS)
    np.testing.assert_array_equal(read_label_map(path).voxels, VOXELS)


def with_palette(path, indices, palette, bits, entry_type=np.uint16):
    dataset = dicom_image(indices[None], ULTRASOUND_IMAGE, "1.2.3")
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    for number, colour in enumerate(("Red", "Green", "Blue")):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [len(palette), 0, bits])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", palette[:, number].astype(entry_type).tobytes())
    return save(dataset, path)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_grey_palette_gives_its_grey(tmp_path, bits):
    ramp = np.linspace(2**bits - 1, 0, 256).astype(np.uint16)  # turned, so that the indices would be wrong
    palette = np.repeat(ramp[:, None], 3, axis=1)
    path = with_palette(tmp_path / "a.dcm", VOXELS[:, :, 0].T.copy(), palette, bits)

    np.testing.assert_array_equal(grey_of(path), ramp[VOXELS[:, :, 0].T])


def test_a_coloured_palette_gives_luminance_and_its_indices_are_labels(tmp_path):
    palette = np.random.default_rng(2).integers(0, 256, (256, 3))
    indices = (VOXELS[:, :, 0].T % 4).copy()
    path = with_palette(tmp_path / "a.dcm", indices, palette, 8)

    assert np.abs(grey_of(path) - (palette @ LUMINANCE)[indices]).max() <= 0.51
    np.testing.assert_array_equal(read_image_labels(path, None, HALF_MM).voxels[..., 0].T, indices)


@pytest.mark.parametrize("signed", [False, True])
def test_bits_that_are_not_stored_do_not_count(tmp_path, signed):
    values = np.random.default_rng(3).integers(-2048 if signed else 0, 2047 if signed else 4095, GRID.shape[::-1])
    stored = (values & 0x0FFF | 0xA000).astype(np.uint16)  # overlays above 12 bits
    dataset = enhanced(VOXELS, GRID)
    dataset.update(dicom_image(stored, ENHANCED_VOLUME, dataset.SeriesInstanceUID))
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, int(signed)

    np.testing.assert_array_equal(read_volume(save(dataset, tmp_path / "a.dcm")).voxels.T, values)


def test_rescale_is_applied_and_windows_are_not(tmp_path):
    dataset = enhanced(VOXELS, GRID)
    dataset.RescaleSlope, dataset.RescaleIntercept = "2", "-100"
    dataset.WindowCenter, dataset.WindowWidth = "40", "10"
    path = save(dataset, tmp_path / "a.dcm")

    np.testing.assert_array_equal(read_volume(path).voxels, VOXELS * 2.0 - 100)
    np.testing.assert_array_equal(read_label_map(path).voxels, VOXELS)


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_colours_by_pixel_or_by_plane(tmp_path, planar, photometric):
    colours = picture((8, 6))
    expected = colours @ LUMINANCE
    if photometric == "YBR_FULL":
        colours = np.asarray(Image.fromarray(colours).convert("YCbCr"))
    dataset = dicom_image(colours[None], ULTRASOUND_IMAGE, "1.2.3")
    dataset.PhotometricInterpretation, dataset.PlanarConfiguration = photometric, planar
    dataset.PixelData = (colours if planar == 0 else np.moveaxis(colours, 2, 0)).tobytes()

    assert np.abs(grey_of(save(dataset, tmp_path / "a.dcm")) - expected).max() <= 1.51


def test_uncompressed_chroma_of_half_the_resolution(tmp_path):
    parts = np.asarray(Image.fromarray(picture((8, 6))).convert("YCbCr"))
    stored = np.stack([parts[:, ::2, 0], parts[:, 1::2, 0], parts[:, ::2, 1], parts[:, ::2, 2]], axis=-1)
    dataset = dicom_image(parts[None], ULTRASOUND_IMAGE, "1.2.3")
    dataset.PhotometricInterpretation, dataset.PixelData = "YBR_FULL_422", stored.tobytes()

    assert np.abs(grey_of(save(dataset, tmp_path / "a.dcm")) - picture((8, 6)) @ LUMINANCE).mean() <= 1


def test_big_endian_is_read(tmp_path):
    deep = VOXELS.astype(np.uint16) * 200
    dataset = enhanced(deep, GRID)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset.PixelData = deep.T.astype(">u2").tobytes()
    path = tmp_path / "a.dcm"
    dataset.save_as(path, implicit_vr=False, little_endian=False)

    np.testing.assert_array_equal(read_volume(path).voxels, deep)


@pytest.mark.parametrize(
    "attribute", ["PhotometricInterpretation", "SamplesPerPixel", "PixelRepresentation", "BitsStored", "HighBit"]
)
def test_attributes_of_pixels_that_are_empty_are_the_usual_ones(tmp_path, attribute):
    dataset = enhanced(VOXELS, GRID)
    setattr(dataset, attribute, None)
    dataset.SeriesInstanceUID = generate_uid()

    np.testing.assert_array_equal(read_volume(save(dataset, tmp_path / "a.dcm")).voxels, VOXELS)


def test_a_decoder_that_crashes_is_a_sentence_and_the_next_file_is_decoded(tmp_path, monkeypatch):
    (tmp_path / "a.dcm").write_bytes(b"")
    monkeypatch.setattr(gdcm, "_processes", [])
    monkeypatch.setattr(gdcm, "_PROGRAM", "import os; input(); os.abort()")

    for _ in range(2):
        with pytest.raises(ValueError, match="compressed pixels that cannot be decoded"):
            gdcm.decode_with_gdcm(tmp_path / "a.dcm")
