from pathlib import Path

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.teacher.vit import IMAGENET_MEAN, IMAGENET_STD, VisionTransformer, build_vit

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture(scope="module")
def reference() -> dict[str, torch.Tensor]:
    with np.load(FIXTURES / "dino_vit_features.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays}


@pytest.fixture(scope="module")
def vit(reference: dict[str, torch.Tensor]) -> VisionTransformer:
    network = VisionTransformer(patch_size=8, embed_dim=48, depth=2, num_heads=3, image_size=64)
    prefix = "state/"
    network.load_state_dict(
        {name.removeprefix(prefix): value for name, value in reference.items() if name.startswith(prefix)}
    )
    return network.eval()


@pytest.mark.parametrize("size", ["64", "96x80"])
def test_features_equal_those_of_the_dino_authors_code(
    vit: VisionTransformer, reference: dict[str, torch.Tensor], size: str
) -> None:
    with torch.no_grad():
        features, _ = vit.forward_features(reference[f"image_{size}"])
    expected = reference[f"features_{size}"]
    assert (features - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_grey_input_gives_the_features_of_the_replicated_and_normalised_image(vit: VisionTransformer) -> None:
    grey = torch.rand(2, 1, 32, 48, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        fast = vit.forward_features(grey)
        slow = vit.forward_features((grey.expand(-1, 3, -1, -1) - mean) / std)
    torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-5)


def test_class_token_of_forward_is_that_of_forward_features(vit: VisionTransformer) -> None:
    images = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(vit(images), vit.forward_features(images)[1])


@pytest.mark.parametrize(
    ("name", "channels", "heads", "parameters"), [("mini", 192, 3, 1_967_808), ("small", 384, 6, 21_670_272)]
)
def test_named_architectures_have_the_expected_sizes(name: str, channels: int, heads: int, parameters: int) -> None:
    vit = build_vit(name, patch_size=8, image_size=224)
    assert (vit.embed_dim, vit.num_heads) == (channels, heads)
    assert sum(parameter.numel() for parameter in vit.parameters()) == parameters
