# SPDX-License-Identifier: Apache-2.0
"""The table of a real clip is the same whatever the threads, the faces a batch and the frames that wait."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import mien
from mien.results import read_table

# Seconds of `several_faces.mp4`: two shots, four faces.
_START_S, _STOP_S = 6.8, 8.4


@dataclass(frozen=True)
class Tolerance:
    """The largest difference that is none, by kind of column."""

    probability: float
    pixel: float
    radian: float

    def of(self, column: str) -> float:
        if column.endswith("_rad"):
            return self.radian
        return self.pixel if column in ("x0", "y0", "x1", "y1") or column.startswith("lm_") else self.probability


# The same crops go to the net in other company: only the order of its float32 sums may change, by some last bits
# (6e-8 of 1) that some hundred layers of sums carry to less than this.
BATCHES = Tolerance(probability=1e-5, pixel=0, radian=0)
# With other threads the detector's sums change too, and with them the first landmarks of a face by about 1e-5 px. The
# pixels of a crop are rounded, though, so that one of them may change by a gray level, which is visible.
THREADS = Tolerance(probability=2e-3, pixel=0.02, radian=1e-3)


def analyzed(clip: Path, out: Path, threads: int = 1) -> pa.Table:
    mien.analyze(clip, out, threads=threads, start_s=_START_S, stop_s=_STOP_S, landmarks=True)
    return read_table(out)


@pytest.fixture(scope="module")
def clip(shared_data: Path) -> Path:
    return shared_data / "video" / "several_faces.mp4"


@pytest.fixture(scope="module")
def expected(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    table = analyzed(clip, tmp_path_factory.mktemp("expected") / "table.parquet")
    assert table.num_rows > 100
    assert len(table["track_id"].unique()) > 3
    return table


def differences(one: pa.Table, other: pa.Table, tolerance: Tolerance) -> Iterator[str]:
    """What is not the same, a line a column; nothing where all is."""
    if one.num_rows != other.num_rows or one.column_names != other.column_names:
        yield f"{one.num_rows} rows of {one.column_names}, {other.num_rows} of {other.column_names}"
        return
    for name in one.column_names:
        a, b = one[name], other[name]
        if not pa.types.is_floating(a.type):
            if name != "expression" and a != b:
                yield f"{name}: differs"
            continue
        if a.is_null() != b.is_null():
            yield f"{name}: other rows are empty"
            continue
        gap = np.abs(a.drop_null().to_numpy() - b.drop_null().to_numpy()).max(initial=0)
        allowed = tolerance.of(name)
        if not gap <= allowed:
            yield f"{name}: differs by {gap:.2g}, {allowed:.2g} is allowed"


@pytest.mark.parametrize("threads", [2, 3])
def test_threads(clip: Path, expected: pa.Table, tmp_path: Path, threads: int) -> None:
    assert list(differences(analyzed(clip, tmp_path / "table.parquet", threads), expected, THREADS)) == []


@pytest.mark.parametrize(("batch", "waiting"), [(1, 1), (3, 64), (64, 2)])
def test_faces_a_batch_and_frames_that_wait(
    clip: Path, expected: pa.Table, tmp_path: Path, batch: int, waiting: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.affect.analyzer._FRAMES_PER_BATCH", batch)
    monkeypatch.setattr("mien.affect.analyzer._DECODED_WAITING", waiting)
    monkeypatch.setattr("mien.affect.analyzer._FOUND_WAITING", waiting)
    assert list(differences(analyzed(clip, tmp_path / "table.parquet"), expected, BATCHES)) == []


def test_a_difference_would_be_seen(expected: pa.Table) -> None:
    place = expected.column_names.index("valence")
    moved = expected.set_column(place, "valence", pc.add(expected["valence"], 0.01).cast(pa.float32()))
    assert [line.partition(":")[0] for line in differences(moved, expected, THREADS)] == ["valence"]
    assert list(differences(expected.slice(1), expected, THREADS))
