# SPDX-License-Identifier: Apache-2.0
"""Persons are named by a user; tracks never become persons by themselves."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mien.core import EXPRESSIONS, ConfigError, Faces, FaceSelector, Frame
from mien.results import (
    TableStream,
    TableWriter,
    choose_faces,
    chosen_parts,
    name_persons,
    named_parts,
    read_table,
    save_table,
    table_schema,
)


def make_table(path: Path, sources: dict[str, list[dict[int, float]]]) -> pa.Table:
    """A table with, for each source and frame, the faces as ``{track: left edge}``; boxes are 10 px + 1 px a track."""
    with TableWriter(path, table_schema()) as writer:
        for source, frames in sources.items():
            for index, faces in enumerate(frames):
                boxes = np.array([[x, 0, x + 10 + track, 10] for track, x in faces.items()], np.float32)
                writer.append(
                    source,
                    Frame(
                        index=index,
                        time_s=index / 25,
                        faces=Faces(
                            boxes=boxes.reshape(-1, 4),
                            track_ids=list(faces),
                            expression=np.full((len(faces), 8), 0.125),
                            expression_labels=EXPRESSIONS,
                        )
                        if faces
                        else Faces.empty(),
                    ),
                )
    return read_table(path)


@pytest.fixture
def table(tmp_path: Path) -> pa.Table:
    """Track 1 leaves and comes back as 3, while 2 stays; one face is not followed, one frame is empty."""
    return make_table(tmp_path / "t.parquet", {"a.mp4": [{1: 0, 2: 50}, {2: 50}, {}, {2: 50, 3: 0}, {-1: 20}]})


def test_merged_tracks_are_one_person(table: pa.Table) -> None:
    named = name_persons(table, {"patient": [1, 3], "interviewer": [2]})
    assert named.schema.names.index("person") == named.schema.names.index("track_id") + 1
    assert named["person"].to_pylist() == [
        *("patient", "interviewer"),
        *("interviewer", None),
        *("interviewer", "patient"),
        None,
    ]
    assert named.drop(["person"]).equals(table)
    assert named.schema.metadata == table.schema.metadata


def test_names_can_be_given_later_and_changed(table: pa.Table) -> None:
    named = name_persons(name_persons(table, {"patient": [1], "B": [2]}), {"interviewer": [2]})
    assert set(named["person"].to_pylist()) == {"patient", "interviewer", None}
    assert named.schema.names.count("person") == 1


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_the_column_survives_every_format(table: pa.Table, tmp_path: Path, ending: str) -> None:
    named = name_persons(table, {"patient": [1]})
    save_table(tmp_path / f"n.{ending}", named)
    back = read_table(tmp_path / f"n.{ending}")
    assert back["person"].to_pylist() == named["person"].to_pylist()
    assert back.schema.field("person").equals(named.schema.field("person"), check_metadata=True)


@pytest.mark.parametrize(
    ("persons", "message"),
    [
        ({"p": [2, 3]}, r"'p' cannot be tracks 2, 3: they are two faces in 1 frames \(3\)"),
        ({"p": [9]}, "no track 9 to call 'p'; there are 1, 2, 3"),
        ({"p": [-1]}, "no track -1"),
        ({"p": [1], "q": [1]}, "track 1 cannot be both 'p' and 'q'"),
        ({" ": [1]}, "needs a name"),
    ],
)
def test_what_cannot_be_is_refused(table: pa.Table, persons: dict[str, list[int]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        name_persons(table, persons)


def test_a_later_name_may_not_put_a_person_twice_into_a_frame(table: pa.Table) -> None:
    with pytest.raises(ConfigError, match=r"two faces in 1 frames \(3\)"):
        name_persons(name_persons(table, {"p": [2]}), {"p": [3]})


def test_tracks_of_several_sources_are_told_apart(tmp_path: Path) -> None:
    table = make_table(tmp_path / "t.parquet", {"a.mp4": [{0: 0}], "b.mp4": [{0: 0}, {0: 0}]})
    with pytest.raises(ConfigError, match=r"2 sources .* a\.mp4, b\.mp4"):
        name_persons(table, {"p": [0]})
    with pytest.raises(ConfigError, match=r"no source 'c\.mp4'"):
        name_persons(table, {"p": [0]}, source="c.mp4")
    assert name_persons(table, {"p": [0]}, source="b.mp4")["person"].to_pylist() == [None, "p", "p"]


def test_people_who_swap_seats_are_not_guessed(tmp_path: Path) -> None:
    """pain 2: no stable ids. Two tracks that change places stay what they are: names follow tracks, not seats."""
    frames = [{0: 10.0 * k, 1: 100.0 - 10 * k} for k in range(11)]
    table = make_table(tmp_path / "t.parquet", {"a.mp4": frames})
    assert "person" not in table.schema.names
    named = name_persons(table, {"patient": [0]})
    rows = named.to_pylist()
    assert [row["x0"] for row in rows if row["person"] == "patient"] == [10.0 * k for k in range(11)]
    assert {row["track_id"] for row in rows if row["person"] is None} == {1}


@pytest.mark.parametrize(
    ("choice", "tracks"),
    [
        ("all", [1, 2, 2, None, 2, 3, None]),
        ("largest", [2, 2, None, 3, None]),
        ("track=3", [None, None, None, 3, None]),
        ("person=patient", [1, None, None, 3, None]),
    ],
)
def test_every_frame_keeps_a_row(table: pa.Table, choice: str, tracks: list[int | None]) -> None:
    named = name_persons(table, {"patient": [1, 3]})
    chosen = choose_faces(named, FaceSelector.parse(choice))
    assert chosen["track_id"].to_pylist() == tracks
    assert sorted(set(chosen["frame"].to_pylist())) == [0, 1, 2, 3, 4]
    assert chosen.schema.equals(named.schema, check_metadata=True)
    for row in chosen.to_pylist():
        if not row["success"]:
            assert {name for name, value in row.items() if value is not None} == {
                "source",
                "frame",
                "time_s",
                "success",
            }


@pytest.mark.parametrize(
    ("choice", "message"), [("track=9", "no track 9; it has 1, 2, 3"), ("person=x", "no person 'x'; it has none")]
)
def test_nobody_answers(table: pa.Table, choice: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        choose_faces(table, FaceSelector.parse(choice))


def test_parts_give_what_the_whole_gives(table: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = name_persons(table, {"patient": [1, 3]})
    chosen = {rule: choose_faces(whole, FaceSelector.parse(rule)) for rule in ("largest", "person=patient")}
    monkeypatch.setattr("mien.results.tables.table_stream.ROWS_PER_PART", 1)
    pieces = [table.slice(at, 2) for at in range(0, len(table), 2)]
    stream = TableStream.of(lambda: iter(pieces))
    parts = list(named_parts(stream, {"patient": [1, 3]}))
    assert len(parts) > 2
    assert pa.concat_tables(parts).equals(whole)
    stream = TableStream.of(lambda: iter(parts))
    for rule, right in chosen.items():
        assert pa.concat_tables(list(chosen_parts(stream, FaceSelector.parse(rule)))).equals(right)
    with pytest.raises(ConfigError, match="two faces in 1 frames"):
        list(named_parts(TableStream.of(lambda: iter(pieces)), {"p": [2, 3]}))
