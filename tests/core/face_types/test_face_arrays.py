# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from mien.core import ConfigError, Faces
from mien.core.face_types.face_arrays import FACE_ARRAYS, validated_array


def test_every_array_of_a_face_has_n_rows_and_the_fill_value() -> None:
    faces = Faces(boxes=np.zeros((3, 4)))
    for name, (_, dtype, fill) in FACE_ARRAYS.items():
        array = getattr(faces, name)
        assert len(array) == 3, name
        assert array.dtype == dtype, name
        if name not in ("boxes", "numbers") and array.size:
            np.testing.assert_array_equal(array, np.full_like(array, fill))


def test_a_wrong_shape_is_refused_with_both_shapes() -> None:
    with pytest.raises(ConfigError, match=r"abstain must have shape \(2, 4\), got \(2, 3\)"):
        validated_array("abstain", np.zeros((2, 3)), 2, (4,), np.bool_)
    assert not validated_array("abstain", np.zeros((2, 4)), 2, (4,), np.bool_).flags.writeable
