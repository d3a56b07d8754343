"""A tiny set of 2-D images for tests: bright ellipses with dark insides in speckle, as fetal heads look."""

import numpy as np
import SimpleITK

SHAPE = (48, 64)  # rows, columns

TINY_TRAINING = {
    "method": "information-divergence",
    "divergence.image_size": 32,
    "divergence.steps": 4,
    "divergence.labelled_images": 2,
    "divergence.unlabelled_images": 4,
    "divergence.interpolation_start": 0.0,
}  # changes of settings with which networks learn heads in a moment, and badly


def write_heads(folder, count=8, seed=0, prefix="head", shape=SHAPE):
    """Write `images/NAME.png`, black and white `masks/NAME.png` and `sizes.csv`; returns mm per pixel by name."""
    finer = shape[0] / SHAPE[0]
    generator = np.random.default_rng(seed)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    sizes = {}
    y, x = np.mgrid[: shape[0], : shape[1]]
    for number in range(count):
        centre = np.array(shape)[::-1] / 2 + finer * generator.uniform(-4, 4, 2)
        long, short, angle = generator.uniform(14, 20), generator.uniform(10, 13), generator.uniform(-0.5, 0.5)
        along = (x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)
        across = (y - centre[1]) * np.cos(angle) - (x - centre[0]) * np.sin(angle)
        radius = np.hypot(along / long, across / short) / finer
        echo = 0.4 + 0.6 * np.exp(-(((radius - 1) / 0.1) ** 2)) - 0.3 * (radius < 1)
        speckle = generator.rayleigh(0.8, shape)
        name = f"{prefix}_{number}"
        write_png(folder / "images" / f"{name}.png", np.clip(150 * echo * speckle, 0, 255))
        write_png(folder / "masks" / f"{name}.png", 255 * (radius <= 1))
        sizes[name] = round(float(generator.uniform(0.8, 1.2)) / finer, 4)
    lines = [f"{name}.png,{size},0" for name, size in sizes.items()]
    text = "\n".join(["filename,pixel size(mm),head circumference (mm)", *lines, ""])
    (folder / "sizes.csv").write_text(text)
    return sizes


def write_png(path, pixels):
    """Write (rows, columns) or (rows, columns, 3) as 8-bit PNG, or in the format of another suffix."""
    image = SimpleITK.GetImageFromArray(np.asarray(pixels).astype(np.uint8), isVector=np.ndim(pixels) == 3)
    SimpleITK.WriteImage(image, str(path))
    return path
