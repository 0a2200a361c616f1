# SPDX-License-Identifier: Apache-2.0
"""Summaries against tables whose answers can be counted by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mien.core import ConfigError, InputError
from mien.results import Summary, read_table, summarize_table, thresholds_metadata
from tests.helpers.affect_tables import NOBODY, Row, faces, steady, write_frames

MakeTable = Callable[..., Path]


@pytest.fixture
def make_table(tmp_path: Path) -> MakeTable:
    """``make_table({"a.mp4": [(time_s, Faces), ...]})``: a table of these frames."""
    return lambda sources, name="t.parquet", **metadata: write_frames(tmp_path / name, sources, **metadata)


def windows(summary: Summary, scope: str = "track") -> list[Row]:
    return [row for row in summary.windows.to_pylist() if row["scope"] == scope]


def test_shares_are_of_time_and_not_of_rows(make_table: MakeTable) -> None:
    # Ten frames at 10 fps of happiness, then ten at 5 fps of sadness: half of the rows, but two thirds of the time.
    frames = steady(10, 10, (0, "happiness", 0.5, 0.9))
    frames += [(1 + index / 5, faces((0, "sadness", -0.5, 0.1))) for index in range(10)]
    (row,) = windows(summarize_table(make_table({"a.mp4": frames})))
    assert row["face_s"] == pytest.approx(3.0, abs=0.11)  # the last frame stands for a typical step, which is 0.1 s
    assert row["expression_happiness_share"] == pytest.approx(1 / row["face_s"])
    assert row["expression_sadness_share"] == pytest.approx(1 - 1 / row["face_s"])
    assert row["expression_fear_share"] == 0
    assert row["AU12_rate"] == pytest.approx(1 / row["face_s"])
    assert row["valence_mean"] == pytest.approx(0)
    assert row["valence_sd"] == pytest.approx(np.std([0.5] * 10 + [-0.5] * 10, ddof=1))


def test_percentiles_and_means_leave_out_what_is_unknown(make_table: MakeTable) -> None:
    values = [0.1, 0.2, 0.3, float("nan"), 0.9]
    frames = [(index / 10, faces((0, "neutral", value, 0.1))) for index, value in enumerate(values)]
    (row,) = windows(summarize_table(make_table({"a.mp4": frames})))
    known = np.float32([0.1, 0.2, 0.3, 0.9]).astype(float)
    assert row["valence_mean"] == pytest.approx(known.mean())
    for percent in (5, 25, 50, 75, 95):
        assert row[f"valence_p{percent:02d}"] == pytest.approx(np.percentile(known, percent))


def test_a_frame_without_a_face_counts_against_coverage_only(make_table: MakeTable) -> None:
    frames = [*steady(6, 10, (0, "neutral", 0.2, 0.1)), *((0.6 + index / 10, NOBODY) for index in range(2))]
    summary = summarize_table(make_table({"a.mp4": frames}))
    for (row,) in (windows(summary), windows(summary, "source")):
        assert (row["n_frames"], row["n_face_frames"], row["coverage"]) == (8, 6, 0.75)
        assert row["valence_mean"] == pytest.approx(0.2)


def test_a_source_without_any_face(make_table: MakeTable) -> None:
    summary = summarize_table(make_table({"a.mp4": [(0.0, NOBODY), (0.1, NOBODY)]}))
    (row,) = summary.windows.to_pylist()
    assert (row["scope"], row["coverage"], row["n_faces"], row["face_s"]) == ("source", 0, 0, 0)
    assert row["valence_mean"] is row["expression_neutral_share"] is row["AU12_rate"] is row["AU12_events"] is None
    assert summary.events.num_rows == summary.transitions.num_rows == 0


def test_a_table_without_rows(make_table: MakeTable) -> None:
    summary = summarize_table(make_table({}))
    assert summary.windows.num_rows == 0
    assert "valence_mean" in summary.windows.schema.names


def test_a_photo_has_no_time_and_every_face_counts_alike(make_table: MakeTable) -> None:
    group = faces((-1, "happiness", 0.8, 0.9), (-1, "happiness", 0.6, 0.9), (-1, "anger", -0.2, 0.1))
    summary = summarize_table(make_table({"photo.jpg": [(0.0, group)]}))
    (row,) = summary.windows.to_pylist()  # nothing but the source's row: the untracked faces are all faces
    assert row["face_s"] == 0
    assert row["expression_happiness_share"] == pytest.approx(2 / 3)
    assert row["AU12_rate"] == pytest.approx(2 / 3)
    assert row["AU12_events"] is None
    assert row["n_transitions"] is None


def test_a_gap_in_the_timestamps_is_nobodys_time(make_table: MakeTable) -> None:
    frames = [*steady(11, 10, (0, "happiness", 0.5, 0.9)), (61.0, faces((0, "happiness", 0.5, 0.9)))]
    summary = summarize_table(make_table({"a.mp4": frames}))
    (row,) = windows(summary)
    assert row["face_s"] == pytest.approx(1.0 + 0.5 + 0.1)
    assert row["unseen_s"] == pytest.approx(60.0 - 0.5)
    # What happened in between is unknown: two events and not one of a minute.
    events = [event for event in summary.events.to_pylist() if event["signal"] == "AU12"]
    assert [event["duration_s"] for event in events] == pytest.approx([1.5, 0.1])
    assert not any(event["onset_seen"] or event["offset_seen"] for event in events)


def test_windows_are_complete_and_count_from_second_0(make_table: MakeTable) -> None:
    frames = [
        (index / 10, faces((0, "neutral", index / 100, 0.1)) if index // 10 != 2 else NOBODY) for index in range(45)
    ]
    rows = windows(summarize_table(make_table({"a.mp4": frames}), window_s=1))
    assert [row["window"] for row in rows] == [0, 1, 2, 3, 4]
    assert [row["coverage"] for row in rows] == [1, 1, 0, 1, 1]
    assert rows[2]["valence_mean"] is None
    assert [row["n_frames"] for row in rows] == [10, 10, 10, 10, 5]
    assert [row["start_s"] for row in rows] == [0, 1, 2, 3, 4]
    assert rows[-1]["end_s"] == pytest.approx(4.5)
    assert rows[1]["valence_mean"] == pytest.approx(np.mean(np.arange(10, 20) / 100))


def test_sources_and_tracks_stay_apart(make_table: MakeTable) -> None:
    frames = [(index / 10, faces((0, "anger", -0.5, 0.1), (1, "happiness", 0.5, 0.9))) for index in range(5)]
    path = make_table({"a.mp4": frames, "b.mp4": steady(5, 10, (0, "fear", 0.0, 0.9)), "c.jpg": [(0.0, NOBODY)]})
    summary = summarize_table(path)
    found = {(row["source"], row["scope"], row["track_id"]): row for row in summary.windows.to_pylist()}
    assert set(found) == {
        ("a.mp4", "source", None),
        ("a.mp4", "track", 0),
        ("a.mp4", "track", 1),
        ("b.mp4", "source", None),
        ("b.mp4", "track", 0),
        ("c.jpg", "source", None),
    }
    assert found["a.mp4", "track", 1]["expression_happiness_share"] == 1
    assert found["a.mp4", "source", None]["expression_happiness_share"] == 0.5
    assert found["a.mp4", "source", None]["n_face_frames"] == 5
    assert found["a.mp4", "source", None]["AU12_events"] == 1
    assert found["b.mp4", "track", 0]["expression_fear_share"] == 1


def test_untracked_faces_beside_tracked_ones_have_no_events(make_table: MakeTable) -> None:
    frames = [(index / 10, faces((0, "anger", -0.5, 0.1), (-1, "happiness", 0.5, 0.9))) for index in range(5)]
    summary = summarize_table(make_table({"a.mp4": frames}))
    (row,) = windows(summary, "untracked")
    assert row["expression_happiness_share"] == 1
    assert row["AU12_events"] is None
    assert {event["track_id"] for event in summary.events.to_pylist()} == {0}


def test_persons_unite_tracks(make_table: MakeTable) -> None:
    table = read_table(make_table({"a.mp4": [*steady(5, 10, (0, "anger", 0, 0.1)), (0.5, faces((3, "fear", 0, 0.1)))]}))
    named = table.append_column("person", pa.array(["patient"] * len(table)))
    (row,) = windows(summarize_table(named), "person")
    assert (row["person"], row["track_id"], row["n_face_frames"]) == ("patient", None, 6)
    assert row["expression_fear_share"] == pytest.approx(1 / 6)


def test_events_say_when_how_long_and_how_strong(make_table: MakeTable) -> None:
    course = [0.1, 0.1, 0.6, 0.9, 0.4, 0.3, 0.1, 0.7]
    frames = [(index / 10, faces((0, "neutral", 0, value))) for index, value in enumerate(course)]
    first, second = (
        event
        for event in summarize_table(make_table({"a.mp4": frames})).events.to_pylist()
        if event["signal"] == "AU12"
    )
    assert (first["onset_s"], first["offset_s"], first["peak_s"]) == pytest.approx((0.2, 0.5, 0.3))
    assert first["duration_s"] == pytest.approx(0.3)
    assert first["peak"] == pytest.approx(0.9)
    assert first["mean"] == pytest.approx(np.mean([0.6, 0.9, 0.4]))
    assert (first["n_frames"], first["onset_seen"], first["offset_seen"]) == (3, True, True)
    assert (second["onset_s"], second["onset_seen"], second["offset_seen"]) == (pytest.approx(0.7), True, False)


def test_a_lost_frame_does_not_cut_an_event(make_table: MakeTable) -> None:
    frames = steady(10, 10, (0, "neutral", 0, 0.9))
    frames[4] = (0.4, NOBODY)
    events = summarize_table(make_table({"a.mp4": frames})).events.to_pylist()
    assert [event["duration_s"] for event in events if event["signal"] == "AU12"] == pytest.approx([1.0])


def test_thresholds_of_the_bundle_count(make_table: MakeTable) -> None:
    frames = steady(10, 10, (0, "neutral", 0, 0.3))
    plain = make_table({"a.mp4": frames})
    own = make_table({"a.mp4": frames}, "own.parquet", **thresholds_metadata({"AU01": 0.5, "AU12": 0.2}))
    assert windows(summarize_table(plain))[0]["AU12_rate"] == 0
    assert windows(summarize_table(plain, thresholds={"AU12": 0.2}))[0]["AU12_rate"] == 1
    (row,) = windows(summarize_table(own, thresholds={"AU12": 0.9}))  # the table knows best
    assert (row["AU12_rate"], row["AU12_events"], row["AU01_rate"]) == (1, 1, 0)


def test_damaged_thresholds_are_an_error(make_table: MakeTable) -> None:
    path = make_table({"a.mp4": [(0.0, faces((0, "fear", 0, 0.1)))]}, action_unit_thresholds="[1]")
    with pytest.raises(InputError, match="action_unit_thresholds"):
        summarize_table(path)


def test_a_flicker_is_no_transition(make_table: MakeTable) -> None:
    table = read_table(make_table({"a.mp4": [(index / 10, faces((0, "neutral", 0, 0.1))) for index in range(6)]}))
    rival = pa.array(np.float32([0.80, 0.90, 0.955, 0.97, 0.9, 0.2]))  # against .86: leads clearly at .97 only
    at = table.schema.names.index("expression_anger")
    summary = summarize_table(table.set_column(at, "expression_anger", rival))
    assert [(row["from_expression"], row["to_expression"], row["n"]) for row in summary.transitions.to_pylist()] == [
        ("anger", "neutral", 1),
        ("neutral", "anger", 1),
    ]
    assert windows(summary)[0]["n_transitions"] == 2


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_every_format_gives_the_same_numbers(make_table: MakeTable, ending: str) -> None:
    sources = {"a.mp4": [*steady(7, 10, (0, "anger", -0.4, 0.8)), (0.7, NOBODY)], "b.jpg": [(0.0, NOBODY)]}
    expected = summarize_table(make_table(sources))
    found = summarize_table(make_table(sources, f"t.{ending}"))
    assert found.windows.equals(expected.windows)
    assert found.events.equals(expected.events)


def test_rows_in_any_order_and_row_groups_of_any_size(make_table: MakeTable, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = make_table({"a.mp4": steady(9, 10, (0, "anger", 0.3, 0.8)), "b.mp4": steady(9, 5, (0, "fear", 0, 0.2))})
    table = read_table(path)
    shuffled = table.take(pa.array(np.random.default_rng(0).permutation(len(table))))
    pq.write_table(shuffled, tmp_path / "shuffled.parquet", row_group_size=4)
    expected = {row["source"]: row for row in windows(summarize_table(path))}
    assert {row["source"]: row for row in windows(summarize_table(tmp_path / "shuffled.parquet"))} == expected


@pytest.mark.parametrize("window_s", [0, -1, float("nan"), float("inf")])
def test_a_window_has_a_length(make_table: MakeTable, window_s: float) -> None:
    with pytest.raises(ConfigError, match="a window must be longer than 0 s"):
        summarize_table(make_table({}), window_s=window_s)


def test_rows_without_a_clear_time_are_an_error(make_table: MakeTable) -> None:
    table = read_table(make_table({"a.mp4": steady(3, 10, (0, "anger", 0, 0.1))}))
    timeless = table.set_column(2, "time_s", pa.array([0.0, None, 0.2]))
    with pytest.raises(InputError, match="row 2, column time_s: there is no value"):
        summarize_table(timeless)
    twice = pa.concat_tables([table, table.set_column(2, "time_s", pa.array([5.0, 5.1, 5.2]))])
    with pytest.raises(InputError, match=r"row 4, column frame: 'a.mp4' has two rows for track 0 in frame 0"):
        summarize_table(twice)


def test_a_summary_is_short_in_print_and_a_table_in_notebooks(tmp_path: Path) -> None:
    table = write_frames(tmp_path / "t.parquet", {"<a>.mp4": steady(12, 10, (0, "fear", 0.1, 0.9))})
    summary = summarize_table(table)
    assert repr(summary) == "Summary(2 rows, 2 events)"
    html = summary._repr_html_()
    assert html.count("<tr>") == 3
    assert "&lt;a&gt;.mp4" in html
    assert "<th>fear</th>" in html
