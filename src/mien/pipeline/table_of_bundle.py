# SPDX-License-Identifier: Apache-2.0
"""The table that an analyzer fills."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pyarrow as pa

from mien.affect import Analyzer
from mien.results import table_schema, thresholds_metadata

_NOTHING: Mapping[str, str] = MappingProxyType({})


def schema_of(analyzer: Analyzer, *, landmarks: bool = False, metadata: Mapping[str, str] = _NOTHING) -> pa.Schema:
    """Columns for what the analyzer answers; its bundle and thresholds travel along, so that the table needs neither.

    Args:
        analyzer: whose answers come.
        landmarks: whether the table has the points of each face.
        metadata: further facts about the run.
    """
    units = analyzer.spec.task("action_units")
    points = analyzer.points_bundle
    return table_schema(
        expression_labels=analyzer.expression_labels,
        action_unit_labels=analyzer.action_unit_labels,
        n_landmarks=analyzer.n_landmarks if landmarks else 0,
        metadata={
            "bundle_name": analyzer.spec.name,
            "bundle_sha256": analyzer.bundle_digest,
            **({} if points is None else {"points_name": points.spec.name, "points_sha256": points.digest}),
            **({} if units is None else thresholds_metadata(units.labels, units.thresholds)),
            **metadata,
        },
    )
