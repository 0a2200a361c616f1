# SPDX-License-Identifier: Apache-2.0
"""Feature vectors on disk: shards and their writer."""

from mien.results.features.feature_shards import FeatureArrays, FeatureInfo, FeatureSet, SourceRecord, open_features
from mien.results.features.feature_writer import ROWS_PER_SHARD, FeatureWriter, FrameVectors

__all__ = [
    "ROWS_PER_SHARD",
    "FeatureArrays",
    "FeatureInfo",
    "FeatureSet",
    "FeatureWriter",
    "FrameVectors",
    "SourceRecord",
    "open_features",
]
