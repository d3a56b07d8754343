"""Tiny studies that a random user opens."""

from pathlib import Path

from simulated_heads import write_heads

FOLDERS = ("volumes", "images", "new", "new images")


def make_study(folder: Path) -> None:
    """A study of two volumes with a labelled slice each, ready to be opened and trained."""
    from USLabelEfficientSegLib.imaging.simulator.files import simulate_files
    from USLabelEfficientSegLib.study.study import Study

    sources = folder.with_name("sources")
    simulate_files(sources, range(2), shape=(20, 18, 16), spacing=(4.0, 4.0, 4.0))
    Study.create(folder, sources / "images", sources / "labels", organs=["organ A", "organ B"], label_fraction=0.1)


def make_study_of_images(folder: Path) -> None:
    """A study of four 2-D images, all labelled."""
    from USLabelEfficientSegLib.imaging.pixel_sizes import read_pixel_sizes
    from USLabelEfficientSegLib.study.study import Study

    sources = folder.with_name("heads")
    write_heads(sources, count=4)
    sizes = read_pixel_sizes(sources / "sizes.csv", None)
    Study.create(folder, sources / "images", sources / "masks", organs=["head"], pixel_sizes=sizes)
