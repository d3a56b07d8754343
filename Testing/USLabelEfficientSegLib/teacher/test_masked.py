import torch

from USLabelEfficientSegLib.teacher.masked import MaskedAutoencoder, normalised_patches, random_order
from USLabelEfficientSegLib.teacher.vit import VisionTransformer


def autoencoder() -> MaskedAutoencoder:
    torch.manual_seed(0)
    vit = VisionTransformer(patch_size=8, embed_dim=32, depth=1, num_heads=2, image_size=32)
    return MaskedAutoencoder(vit, mask_ratio=0.5, decoder_dim=32, decoder_depth=1)


def test_patches_are_in_row_order_with_zero_mean_and_unit_variance() -> None:
    images = torch.rand(2, 1, 16, 24, generator=torch.Generator().manual_seed(0))
    patches = normalised_patches(images, 8)
    assert patches.shape == (2, 6, 64)
    block = images[1, 0, :8, 16:].flatten()
    torch.testing.assert_close(patches[1, 2], (block - block.mean()) / block.std(), rtol=1e-2, atol=1e-2)


def test_flat_patches_do_not_become_noise() -> None:
    flat = 0.5 + 1e-4 * torch.randn(1, 1, 8, 8)
    assert normalised_patches(flat, 8).abs().max() < 0.1


def test_hidden_patches_do_not_reach_the_encoder() -> None:
    model = autoencoder()
    order = random_order(1, 16, torch.Generator().manual_seed(0))
    seen: list[torch.Tensor] = []
    model.vit.blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    changed = images.clone()
    row, column = divmod(int(order[0, -1]), 4)
    changed[:, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 0
    model(images, order), model(changed, order)
    assert seen[0].shape == (1, 1 + 8, 32)
    assert torch.equal(seen[0], seen[1])


def test_training_lowers_the_error_on_structured_images() -> None:
    model = autoencoder()
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    stripes = torch.sin(torch.arange(32.0)[None] * torch.tensor([[0.4], [0.8], [1.2], [1.6]]))
    images = (0.5 + 0.5 * stripes)[:, None, None].expand(-1, 1, 32, -1).contiguous()
    losses = []
    for _ in range(60):
        loss = model(images, random_order(4, 16, generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
