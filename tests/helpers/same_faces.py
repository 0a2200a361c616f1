# SPDX-License-Identifier: Apache-2.0
"""Faces whose predictions are the same but for the order of additions."""

import numpy as np

from mien.core import Faces

# Other threads, batches or instructions add in another order; nobody sees a difference of this size.
SAME = {"rtol": 0, "atol": 2e-3}


def assert_same(one: Faces, other: Faces, **tolerance: float) -> None:
    """Both have as many faces, with the same predictions within the tolerance."""
    assert len(one) == len(other)
    for name in ("expression", "valence", "arousal", "action_units"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), **(tolerance or SAME), err_msg=name)
