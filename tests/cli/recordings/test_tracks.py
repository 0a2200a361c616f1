# SPDX-License-Identifier: Apache-2.0
"""``mien tracks``: who is seen when, and who is who because a user says so."""

from pathlib import Path

import numpy as np
import pytest

from mien.core import Faces, Frame
from mien.media import load_image
from mien.results import TableWriter, list_possible_id_switches, list_tracks, read_table, table_schema


def write_table(path: Path, sources: dict[str, list[dict[int, float]]]) -> Path:
    """A table with, for each source and frame, the faces as ``{track: left edge}``, 10 px wide and 20 px high."""
    with TableWriter(path, table_schema(expression_labels=())) as writer:
        for source, frames in sources.items():
            for index, faces in enumerate(frames):
                boxes = np.array([[x, 0, x + 10, 20] for x in faces.values()], np.float32).reshape(-1, 4)
                found = Faces(boxes=boxes, confidence=np.full(len(faces), 0.5), track_ids=list(faces))
                writer.append(source, Frame(index=2 * index, time_s=index / 10, faces=found))
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Track 1 misses a frame, 3 comes later, one face is not followed, one frame is empty; every second frame."""
    return write_table(tmp_path / "t.parquet", {"a.mp4": [{1: 0, 2: 50}, {2: 52}, {1: 4, -1: 9}, {}, {3: 7}]})


def test_spans_coverage_and_places(table: Path) -> None:
    one, two, three = list_tracks(read_table(table))
    assert (one.track_id, one.first_frame, one.last_frame, one.n_rows) == (1, 0, 4, 2)
    assert one.coverage == pytest.approx(2 / 3)  # of the three frames that were analysed between
    assert (one.first_s, one.last_s) == pytest.approx((0, 0.2))
    assert (two.width_px, two.height_px, two.confidence, two.coverage) == pytest.approx((10, 20, 0.5, 1))
    assert two.place_first_px == pytest.approx((56, 10))
    assert (three.first_frame, three.coverage, three.person) == (8, 1, None)


def test_swapped_seats_are_shown_and_nothing_else_is(tmp_path: Path) -> None:
    swap = [{0: 10.0 * k, 1: 100.0 - 10 * k} for k in range(11)]
    stay = [{0: float(k % 3), 1: 100.0} for k in range(11)]
    follow = [{0: 10.0}, {1: 0.0}]
    table = read_table(write_table(tmp_path / "t.parquet", {"swap": swap, "stay": stay, "follow": follow}))
    (found,) = list_possible_id_switches(table)
    assert (found.source, found.track_ids) == ("swap", (0, 1))
    assert (found.first_s, found.last_s) == pytest.approx((0, 1))
    assert len(list_tracks(table)) == 6


def test_a_list_for_people(mien, table: Path) -> None:
    ended = mien("tracks", table)
    assert ended.code == 0
    assert ended.out.splitlines()[:2] == [
        "track  person  from s  to s  frames  coverage  face px  place px",
        "1      -       0.00    0.20  2       67%       10 x 20  7,10 > 7,10",
    ]
    assert len(ended.out.splitlines()) == 4


def test_a_swap_is_said(mien, tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", {"a.mp4": [{0: 0, 1: 50}, {0: 50, 1: 0}]})
    ended = mien("tracks", table, "--merge", "0=patient", "--out", tmp_path / "n.csv")
    assert "note: a.mp4: tracks 0 and 1 change sides between 0.00 and 0.10 s" in ended.err
    assert read_table(tmp_path / "n.csv")["person"].to_pylist() == ["patient", None, "patient", None]


def test_naming_writes_a_new_table(mien, table: Path, tmp_path: Path) -> None:
    before = table.read_bytes()
    new = tmp_path / "named.parquet"
    ended = mien("tracks", table, "--merge", "1,3=patient", "--merge", "2=interviewer", "--out", new)
    assert ended.code == 0
    assert [line.split()[:2] for line in ended.out.splitlines()[1:4]] == [
        ["1", "patient"],
        ["2", "interviewer"],
        ["3", "patient"],
    ]
    assert table.read_bytes() == before
    assert read_table(new).drop(["person"]).equals(read_table(table))
    assert mien("convert", new, "--faces", "person=patient", "--out", tmp_path / "p.csv").code == 0
    assert read_table(tmp_path / "p.csv")["track_id"].to_pylist() == [1, None, 1, None, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--merge", "1=p"], "--merge and --out go together"),
        (["--out", "n.csv"], "--merge and --out go together"),
        (["--merge", "1", "--out", "n.csv"], "such as 1,3=patient; got '1'"),
        (["--merge", "1,x=p", "--out", "n.csv"], "such as 1,3=patient"),
        (["--merge", "1,2=p", "--out", "n.csv"], "'p' cannot be tracks 1, 2: they are two faces in 1 frames (0)"),
        (["--merge", "1=p", "--out", "t.parquet"], "--out t.parquet and TABLE t.parquet are the same file"),
        (["--merge", "1=p", "--out", "n.csv", "--source", "b"], "no source 'b'"),
        (["--source", "a.mp4"], "names the source of the tracks of --merge"),
        (["--video", "a.mp4"], "--thumbnails"),
    ],
)
def test_wrong_usage(mien, table: Path, monkeypatch, arguments: list[str], message: str) -> None:
    monkeypatch.chdir(table.parent)
    ended = mien("tracks", "t.parquet", *arguments)
    assert ended.code == 2
    assert message in ended.err
    assert not Path("n.csv").exists()


def test_a_table_without_tracks(mien, tmp_path: Path) -> None:
    assert (
        mien("tracks", write_table(tmp_path / "t.csv", {"a": [{}]})).out
        == "no tracks: the table holds no face that is followed over time\n"
    )


def test_thumbnails_show_the_face(mien, clip: Path, tmp_path: Path) -> None:
    mien("analyze", clip, "--out", tmp_path / "t.parquet")
    ended = mien("tracks", tmp_path / "t.parquet", "--thumbnails", tmp_path / "faces")
    assert ended.code == 0
    (strip,) = (tmp_path / "faces").iterdir()
    assert strip.name == "clip-track-0.jpg"
    picture = load_image(strip)
    assert picture.shape == (128, 4 * 128, 3)
    assert picture[:, :128].std() > 20  # a face, not a blank
    moved = clip.rename(clip.with_name("moved.mp4"))
    assert "clip.mp4" in mien("tracks", tmp_path / "t.parquet", "--thumbnails", tmp_path / "faces").err
    ended = mien("tracks", tmp_path / "t.parquet", "--thumbnails", tmp_path / "again", "--video", moved)
    assert ended.code == 0
    assert np.abs(load_image(next((tmp_path / "again").iterdir())).astype(int) - picture).max() == 0
