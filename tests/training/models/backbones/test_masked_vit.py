# SPDX-License-Identifier: Apache-2.0
"""The masked vision transformer: published size, masks in training only, positions, members."""

import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")
pytest.importorskip("timm", reason="needs the extra train: pip install 'mien[train]'")

import torch

from mien.core import ConfigError
from mien.training.models.backbones.masked_vit import MaskedViT, random_patches, sine_positions


def small(members: int = 1) -> MaskedViT:
    torch.manual_seed(0)
    return MaskedViT(1, size_px=16, patch=4, width=8, depth=1, heads=2, members=members)


def test_one_member_of_the_published_size_is_vit_base_without_class_token_and_learned_positions() -> None:
    with torch.device("meta"):
        n = sum(parameter.numel() for parameter in MaskedViT().parameters())
    assert n == 12 * (4 * 768 * 768 + 8 * 768 * 768 + 9 * 768 + 4 * 768) + 768 * 768 + 768 + 2 * 768


def test_masks_are_drawn_in_training_only() -> None:
    vit, faces = small(), torch.randn(3, 1, 16, 16)
    assert torch.equal(vit.train()(faces), vit(faces))  # no mask before a method asks for one
    vit.mask_ratio = 0.5
    assert not torch.allclose(vit(faces), vit(faces))
    vit.eval()
    assert torch.equal(vit(faces), vit(faces))


def test_hidden_patches_change_nothing() -> None:
    vit, faces = small().eval(), torch.randn(1, 1, 16, 16)
    kept = torch.tensor([[0, 5, 10]])
    one = vit.encoders[0](faces, kept)
    faces[0, 0, 4:8, 8:12] = 9.0  # patch 6
    assert torch.equal(one, vit.encoders[0](faces, kept))
    faces[0, 0, 4:8, 4:8] = 9.0  # patch 5
    assert not torch.equal(one, vit.encoders[0](faces, kept))


def test_members_stand_side_by_side_and_can_start_alike() -> None:
    vit, faces = small(2).eval(), torch.randn(2, 1, 16, 16)
    both = vit(faces)
    assert both.shape == (2, 16) == (2, vit.num_features)
    assert not torch.allclose(both[:, :8], both[:, 8:])
    vit.share_first()
    assert torch.equal(vit(faces)[:, :8], vit(faces)[:, 8:])


def test_positions_differ_and_orders_are_permutations() -> None:
    positions = sine_positions(3, 8)[0]
    assert positions.shape == (9, 8)
    assert len({tuple(row.tolist()) for row in positions}) == 9
    assert positions[0, :4].tolist() == positions[2, :4].tolist()  # the first half is the row, the other the column
    assert positions[0, 4:].tolist() == positions[6, 4:].tolist()
    assert random_patches(4, 9, torch.device("cpu")).sort(dim=1).values.tolist() == [list(range(9))] * 4


@pytest.mark.parametrize("options", [{"size_px": 30}, {"width": 10}, {"heads": 3}, {"members": 0}])
def test_sizes_that_do_not_fit_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="masked_vit"):
        MaskedViT(1, **({"size_px": 32, "patch": 8, "width": 16, "depth": 1, "heads": 2} | options))
