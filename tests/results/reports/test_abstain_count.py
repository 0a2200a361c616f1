# SPDX-License-Identifier: Apache-2.0
"""The report says for how many faces there are reasons to abstain."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from mien.core import Faces, Frame
from mien.results import TableWriter, table_schema
from mien.results.reports import render_report
from mien.results.reports.abstain_count import AbstainCount

LABELS = ("neutral", "happiness")


def write_table(path: Path, *, calibrated: bool) -> Path:
    """Ten frames with one face; in four of them it is small, in one of these turned as well."""
    abstain = np.zeros((10, 4), bool)
    abstain[:4, 0], abstain[0, 1] = True, True
    with TableWriter(path, table_schema(expression_labels=LABELS, uncertainty=calibrated)) as writer:
        for index in range(10):
            faces = Faces(
                boxes=[[0, 0, 9, 9]],
                track_ids=[1],
                expression=[[0.75, 0.25]],
                expression_labels=LABELS,
                abstain=abstain[index : index + 1],
            )
            writer.append("clip.mp4", Frame(index=index, time_s=index / 10, faces=faces))
    return path


def test_the_page_names_the_reasons(tmp_path: Path) -> None:
    page = render_report([write_table(tmp_path / "t.parquet", calibrated=True)])
    assert "40.0 % of the faces: small 40.0 %, turned 10.0 %" in page
    plain = render_report([write_table(tmp_path / "p.parquet", calibrated=False)])
    assert "reasons to abstain" not in plain


def test_no_reason_is_said_as_well() -> None:
    count = AbstainCount()
    count.add(pa.table({"success": [True], "abstain": pa.nulls(1, pa.string())}))
    assert count.facts() == [("reasons to abstain", "none of the faces")]
    assert AbstainCount().facts() == []
