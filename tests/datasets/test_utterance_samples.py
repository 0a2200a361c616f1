# SPDX-License-Identifier: Apache-2.0
"""Columns of utterances with any subset of labels."""

import numpy as np
import pytest

from mien.core import ConfigError
from mien.datasets import UtteranceSamples


def test_columns_counts_and_notes() -> None:
    given = {
        "dataset": "utterances",
        "split": "train",
        "names": ("a", "b"),
        "places": ("t, line 2", "t, line 3"),
        "speakers": ("ann", "ann"),
        "texts": ("yes", "no"),
        "files": ((None,), (None,)),
        "modalities": ("audio",),
        "emotions": [[1.0], [np.nan]],
        "emotion_labels": ("joy",),
        "sentiment": [np.nan, 0.5],
        "sarcasm": [np.nan, np.nan],
    }
    samples = UtteranceSamples(**given)  # type: ignore[arg-type]
    counts = samples.counts()
    assert (counts.n_rows, counts.n_tracks) == (2, 1)
    assert counts.valid == {"emotion": 1, "sentiment": 1, "sarcasm": 0}
    assert counts.classes == {"joy": 1}
    assert samples.notes() == ("train: 2 utterances without audio",)
    assert samples.take([1]).texts == ("no",)
    with pytest.raises(ConfigError, match="texts must have 2 entries"):
        UtteranceSamples(**(given | {"texts": ("yes",)}))  # type: ignore[arg-type]
