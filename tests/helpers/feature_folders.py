# SPDX-License-Identifier: Apache-2.0
"""Folders of feature vectors that are made in a moment."""

from pathlib import Path

import numpy as np

from mien.results import FeatureInfo, FeatureWriter, FrameVectors

INFO = FeatureInfo(
    made_by="tiny", digest="0" * 64, n_features=3, score_names=("expression.a", "expression.b", "other.c")
)


def vectors(source: str, frame: int, n: int, **about: str) -> FrameVectors:
    values = np.random.default_rng([frame, n]).random((n, 6), dtype=np.float32)
    return FrameVectors(
        source=source,
        frame=frame,
        time_s=frame / 25,
        tracks=np.arange(n, dtype=np.int64),
        features=values[:, :3],
        scores=values[:, 3:],
        **about,
    )


def fill(folder: Path, info: FeatureInfo = INFO) -> list[FrameVectors]:
    frames = [vectors("x", frame, frame % 3) for frame in range(9)] + [vectors("é", frame, 2) for frame in (4, 7)]
    with FeatureWriter(folder, info, rows_per_shard=4) as writer:
        for vector in frames:
            writer.append(vector)
            if vector is frames[8]:
                writer.finish("x", n_frames=9, messages=("a note",))
    return frames
