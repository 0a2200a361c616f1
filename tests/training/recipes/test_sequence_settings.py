# SPDX-License-Identifier: Apache-2.0
"""Settings of networks over utterances."""

import pytest

from mien.core import ConfigError, ModalitySpec
from mien.training import load_recipe
from mien.training.recipes.sequence_settings import SequenceSettings


def test_the_published_lengths() -> None:
    sequences = load_recipe("utterances-early").model.sequences
    assert sequences is not None
    assert [(one.name, one.n) for one in sequences.modalities] == [("text", 4096), ("audio", 74), ("vision", 35)]
    assert (sequences.steps, sequences.width, sequences.drop_rate) == (50, 40, 0.1)
    late = load_recipe("utterances-late").model.sequences
    assert late is not None
    assert (late.encoder, late.fusion) == ("bilstm", "late")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modalities": ()}, "one or more modalities with distinct names"),
        (
            {"modalities": (ModalitySpec(name="words", kind="text", n=5),)},
            "the modality of kind 'text'",
        ),
        ({"width": 7}, "width even"),
        ({"steps": 0}, "steps, layers and word_width must be at least 1"),
        ({"drop_rate": 1.0}, "drop_rate must be in"),
        ({"fusion": "middle"}, "fusion must be one of"),
    ],
)
def test_slips_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SequenceSettings(**changes)  # type: ignore[arg-type]
