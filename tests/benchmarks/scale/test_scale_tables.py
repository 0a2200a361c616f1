# SPDX-License-Identifier: Apache-2.0
"""Evaluation and smoothing of the scale benchmark, at small size."""

import pytest

from benchmarks.scale.scale_tables import measure_tables


def test_every_figure_has_a_line_with_its_rows(capsys: pytest.CaptureFixture[str]) -> None:
    measure_tables(n_videos=1, n_rows=30_000)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("evaluate va: 10000 rows, ")
    assert [line.partition(":")[0] for line in lines[1:]] == [
        f"smooth {kernel}" for kernel in ("mean 50", "gaussian 50", "median 5", "median 50")
    ]
    for line in lines[1:]:
        n_rows = int(line.partition(": ")[2].split()[0])
        assert n_rows == pytest.approx(0.98 * 30_000, rel=0.01)
