"""AdamW in one call is AdamW."""

import torch
from torch import nn

from USLabelEfficientSegLib.training.optimizers import adam_w


def _trained(make):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = make(network)
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        optimizer.zero_grad()
        network(torch.randn(16, 4, generator=generator)).square().mean().backward()
        optimizer.step()
    return optimizer, list(network.parameters())


def test_it_gives_the_weights_of_torchs_own_loop():
    fused, ours = _trained(lambda network: adam_w([{"params": list(network.parameters())}], 1e-2, 0.1))
    _, expected = _trained(
        lambda network: torch.optim.AdamW(network.parameters(), 1e-2, weight_decay=0.1, foreach=False, fused=False)
    )
    assert fused.param_groups[0]["fused"]
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)


def test_groups_keep_options_of_their_own():
    network = nn.Linear(3, 2)
    optimizer = adam_w([{"params": [network.weight]}, {"params": [network.bias], "weight_decay": 0.0}], 3e-3, 0.05)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.05, 0.0]
    assert {group["lr"] for group in optimizer.param_groups} == {3e-3}
