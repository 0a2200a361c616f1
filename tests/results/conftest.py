# SPDX-License-Identifier: Apache-2.0
"""Faces with every field filled, as a complete bundle would give them."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from mien.core import EXPRESSIONS, Faces, Frame
from mien.results import table_schema

ACTION_UNIT_LABELS = ("AU01", "AU12")
N_LANDMARKS = 5

MakeFrame = Callable[..., Frame]


@pytest.fixture
def schema() -> pa.Schema:
    return table_schema(
        action_unit_labels=ACTION_UNIT_LABELS,
        n_landmarks=N_LANDMARKS,
        metadata={"bundle_name": "tiny", "bundle_sha256": "00ff"},
    )


@pytest.fixture
def make_frame() -> MakeFrame:
    """``make_frame(index, n_faces)``: a frame whose faces are random but the same for the same arguments."""

    def make(index: int, n_faces: int = 1) -> Frame:
        rng = np.random.default_rng([index, n_faces])
        corners = rng.uniform(-20, 500, (n_faces, 2))
        faces = Faces(
            boxes=np.hstack([corners, corners + 100]),
            confidence=rng.random(n_faces),
            keypoints=rng.uniform(0, 500, (n_faces, N_LANDMARKS, 2)),
            track_ids=np.arange(n_faces),
            pose_rad=rng.uniform(-1, 1, (n_faces, 3)),
            quality=rng.random(n_faces),
            eyes_open=rng.random((n_faces, 2)),
            expression=rng.dirichlet(np.ones(len(EXPRESSIONS)), n_faces),
            valence=rng.uniform(-1, 1, n_faces),
            arousal=rng.uniform(-1, 1, n_faces),
            action_units=rng.random((n_faces, len(ACTION_UNIT_LABELS))),
            expression_labels=EXPRESSIONS,
            action_unit_labels=ACTION_UNIT_LABELS,
        )
        return Frame(index=index, time_s=index / 30, faces=faces)

    return make
