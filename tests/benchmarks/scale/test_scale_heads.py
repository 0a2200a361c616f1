# SPDX-License-Identifier: Apache-2.0
"""The head training of the scale benchmark, at small size."""

from pathlib import Path

import pytest


def test_a_head_learns_from_rows_on_the_disk(tmp_path: Path) -> None:
    pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")
    from benchmarks.scale.scale_heads import train_rows, write_rows

    assert train_rows(write_rows(tmp_path, 1_100), tmp_path / "work") == 11_000
