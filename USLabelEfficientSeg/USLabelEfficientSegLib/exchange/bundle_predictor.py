"""What a MONAI bundle of this program runs: `python -m monai.bundle run --config_file configs/inference.json`."""

from __future__ import annotations

from pathlib import Path

from ..imaging.pixel_sizes import read_pixel_sizes
from ..imaging.scan_files import images_by_name
from ..measurement.segmenting import segment_and_measure
from ..segmentation.loading import load_model
from ..segmentation.model import choose_device
from ..training.memory import tune_memory


class BundlePredictor:
    """The model of a bundle, with all that comes before and after its networks: the same as `uslabelseg segment`.

    Args:
        bundle: its folder.
        device: auto, cpu, cuda, cuda:N or mps.

    Raises:
        InputError: a bundle of another program, a damaged model, no such device.

    Examples:
        >>> from USLabelEfficientSegLib.exchange.exporting import export_model
        >>> graphs = export_model(Path("my-study"), Path("my-bundle"), "monai-bundle")
        >>> files = BundlePredictor("my-bundle", "cpu").segment("images", "segmented")
        >>> [Path(file).name for file in files]
        ['simulated_0000.nrrd', 'simulated_0001.nrrd', 'simulated_0002.nrrd']
    """

    def __init__(self, bundle: str, device: str = "auto") -> None:
        self.model = load_model(Path(bundle))
        self.device = choose_device(device)
        tune_memory()

    def segment(
        self, images: str, output: str, label_format: str = "nrrd", pixel_size: float | None = None
    ) -> list[str]:
        """Segment and measure all images in a folder, or one file; returns the label maps' files.

        Args:
            images: folder or file; formats as of `uslabelseg segment`.
            output: folder of the results, made if need be.
            label_format: nrrd, seg.nrrd or nii.gz.
            pixel_size: in mm, of 2-D images whose files do not tell it.

        Raises:
            InputError: an image that cannot be read, a result that may not be replaced.
        """
        made = segment_and_measure(
            self.model,
            images_by_name([Path(images)], self.model.dimension),
            Path(output),
            self.device,
            pixel_sizes=read_pixel_sizes(None, pixel_size),
            suffix=f".{label_format}",
        )
        return [str(result.path) for result in made]
