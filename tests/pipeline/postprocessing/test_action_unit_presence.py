# SPDX-License-Identifier: Apache-2.0
"""An action unit is present where its bundle's threshold says so, in everything that mien shows of it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mien.cli.live_page import facts
from mien.cli.recordings.live import face_table
from mien.core import Faces, Frame
from mien.media.panels import lay_out_panels
from mien.pipeline import LiveFrame, LiveStatistics, convert_to_openface, summarize_files, write_report
from mien.results import TableWriter, read_table, table_schema, thresholds_metadata, write_openface

UNITS = ("AU04", "AU12")
THRESHOLDS = {"AU04": 0.2, "AU12": 0.7}
# AU04 is present and AU12 is not; with 0.5 for both it would be the other way round.
FACE = Faces(
    boxes=[[40, 40, 200, 200]], track_ids=[0], action_units=[[0.3, 0.6]], action_unit_labels=UNITS, confidence=[0.9]
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "t.parquet"
    schema = table_schema(expression_labels=(), action_unit_labels=UNITS, metadata=thresholds_metadata(THRESHOLDS))
    with TableWriter(path, schema) as writer:
        for index in range(10):
            writer.append("a.mp4", Frame(index=index, time_s=index / 10, faces=FACE))
    return path


def test_the_summary(table: Path) -> None:
    (row,) = (row for row in summarize_files([table]).summary.windows.to_pylist() if row["scope"] == "track")
    assert (row["AU04_rate"], row["AU12_rate"]) == (1.0, 0.0)
    assert (row["AU04_events"], row["AU12_events"]) == (1, 0)


def test_the_overlay() -> None:
    assert lay_out_panels(FACE, 640, 480, THRESHOLDS)[-1].lines == ("AU04",)


def test_the_report(table: Path, tmp_path: Path) -> None:
    write_report([table], tmp_path / "r.html", frames=False)
    page = (tmp_path / "r.html").read_text()
    data = json.loads(page.partition('id="data"')[2].partition(">")[2].partition("</script>")[0])
    (source,) = data["sources"]
    assert source["thresholds"] == THRESHOLDS
    assert "AU04 brow lowerer 100% (1)" in str(source["table"])
    assert "AU12" not in str(source["table"])
    assert "state.source.thresholds[name]" in page, "the readout under the pointer compares with them"


@pytest.mark.parametrize("straight", [True, False])
def test_openface(table: Path, tmp_path: Path, straight: bool) -> None:
    out = tmp_path / "of.csv"
    if straight:
        write_openface(read_table(table), out)
    else:
        convert_to_openface(table, out)
    columns = pd.read_csv(out)
    assert (columns.AU04_c == 1).all()
    assert (columns.AU12_c == 0).all()
    assert (columns.AU04_r >= 1).all()
    assert (columns.AU12_r < 1).all()
    # What is read back decides the same again.
    (row,) = (row for row in summarize_files([out]).summary.windows.to_pylist() if row["scope"] == "track")
    assert (row["AU04_rate"], row["AU12_rate"]) == (1.0, 0.0)


def test_the_live_views() -> None:
    statistics = LiveStatistics(n_frames=1, n_dropped=0, fps=1.0, latency_p50_s=0.1, latency_p95_s=0.1)
    frame = Frame(index=0, time_s=0.0, faces=FACE, image=np.zeros((240, 320, 3), np.uint8))
    answer = LiveFrame(source="0", frame=frame, latency_s=0.1, statistics=statistics, thresholds=THRESHOLDS)
    assert facts(answer)["faces"][0]["present"] == ("AU04",)
    assert list(face_table(answer).columns[-1].cells) == ["AU04"]
