# SPDX-License-Identifier: Apache-2.0
"""Keys of extracted vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.results import open_features


def keys(folder: Path) -> list[tuple[str, int, int]]:
    """(source, frame, track) of each vector of a folder."""
    found = open_features(folder).load()
    names = np.array(found.sources)[found.source_index]
    return list(zip(names.tolist(), found.frame.tolist(), found.track.tolist(), strict=True))
