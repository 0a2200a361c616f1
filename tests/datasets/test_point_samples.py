# SPDX-License-Identifier: Apache-2.0
"""Columns of faces that are landmarks."""

import numpy as np
import pytest

from mien.core import ConfigError
from mien.datasets import PointSamples


def test_columns_must_fit() -> None:
    given = {"dataset": "morphset", "split": "train", "names": ("a",), "subjects": ("1",), "emotions": ("Happy",)}
    samples = PointSamples(**given, landmarks=np.ones((1, 68, 2)), ratings=np.zeros((1, 3)))  # type: ignore[arg-type]
    assert samples.landmarks.dtype == np.float32
    assert not samples.landmarks.flags.writeable
    assert (samples.groups(), samples.absent(), samples.notes()) == (frozenset("1"), (), ())
    with pytest.raises(ConfigError, match=r"landmarks must have shape \(1, 68, 2\)"):
        PointSamples(**given, landmarks=np.ones((1, 51, 2)), ratings=np.zeros((1, 3)))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="subjects must have 1 entries"):
        PointSamples(**(given | {"subjects": ()}), landmarks=np.ones((1, 68, 2)), ratings=np.zeros((1, 3)))  # type: ignore[arg-type]
