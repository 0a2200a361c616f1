# SPDX-License-Identifier: Apache-2.0
"""Encoders of utterances: padding and missing modalities say nothing."""

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

import torch

from mien.core import ModalitySpec
from mien.training.models.sequence_encoder import ModalityInput, SequenceEncoder
from mien.training.recipes.sequence_settings import SequenceSettings

TEXT, SOUND = ModalitySpec(name="text", kind="text", n=20), ModalitySpec(name="audio", kind="features", n=3)
SETTINGS = SequenceSettings(modalities=(TEXT, SOUND), steps=4, width=8, word_width=6)


def utterance(words: list[int], sound: int) -> torch.Tensor:
    """(1, D) with these words and as many steps of sound."""
    torch.manual_seed(0)
    series = torch.randn(4, 3)
    series[sound:] = 0
    return torch.cat(
        [torch.tensor([*words, *[0] * (4 - len(words))]).float(), series.ravel(), (torch.arange(4) < sound).float()]
    )[None]


@pytest.mark.parametrize("encoder", ["transformer", "bilstm"])
@pytest.mark.parametrize("fusion", ["early", "late"])
def test_values_outside_of_the_mask_change_nothing(encoder: str, fusion: str) -> None:
    module = SequenceEncoder(replace(SETTINGS, encoder=encoder, fusion=fusion)).eval()  # type: ignore[arg-type]
    clean = utterance([3, 7], 2)
    dirty = clean.clone()
    dirty[0, 4 + 2 * 3 : 4 + 4 * 3] = 5.0  # steps 3 and 4 of the sound, which are masked
    with torch.inference_mode():
        torch.testing.assert_close(module(dirty), module(clean))
        assert not torch.allclose(module(utterance([3, 8], 2)), module(clean))
    assert module(clean).shape == (1, module.num_features)


def test_late_fusion_averages_the_modalities_that_are_there() -> None:
    module = SequenceEncoder(replace(SETTINGS, fusion="late")).eval()
    with torch.inference_mode():
        both, text = module(utterance([3, 7], 2)), module(utterance([3, 7], 0))
    torch.testing.assert_close(text[:, :8], 2 * both[:, :8])
    assert text[:, 8:].abs().max() == 0
    assert torch.isfinite(module(torch.zeros(2, 20))).all()


def test_strange_word_numbers_stay_within_the_table() -> None:
    vectors, mask = ModalityInput(TEXT, SETTINGS).eval()(torch.tensor([[1.0, 900.0, -5.0, 0.0]]))
    assert mask.tolist() == [[1, 1, 0, 0]]
    assert vectors.shape == (1, 4, 6)
