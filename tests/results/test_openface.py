# SPDX-License-Identifier: Apache-2.0
"""OpenFace CSVs: the literal header, a round trip, the variants of 2.0 to 2.2, and scripts written for OpenFace."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mien.core import ConfigError, Faces, Frame, InputError
from mien.results import (
    TableWriter,
    from_intensity,
    from_openface_pose,
    openface_header,
    read_openface,
    read_table,
    table_schema,
    to_intensity,
    to_openface_pose,
    write_openface,
)
from mien.results.openface.openface_columns import GROUPS

UNITS = ("AU01", "AU12", "AU24")


def make_table(path: Path, track_ids: list[list[int]], n_landmarks: int = 68, source: str = "a/clip.mp4") -> pa.Table:
    """A table with these tracks in each frame."""
    rng = np.random.default_rng(0)
    schema = table_schema(expression_labels=(), action_unit_labels=UNITS, n_landmarks=n_landmarks)
    with TableWriter(path, schema) as writer:
        for index, tracks in enumerate(track_ids):
            n = len(tracks)
            faces = Faces(
                boxes=np.tile(np.float32([0, 0, 90, 90]), (n, 1)),
                confidence=rng.random(n),
                landmarks=rng.uniform(0, 90, (n, n_landmarks, 2)),
                track_ids=tracks,
                pose_rad=rng.uniform(-1, 1, (n, 3)),
                action_units=rng.random((n, 3)),
                action_unit_labels=UNITS,
            )
            writer.append(source, Frame(index=index, time_s=index / 30 + 0.001, faces=faces if n else Faces.empty()))
    return read_table(path)


@pytest.fixture
def table(tmp_path: Path) -> pa.Table:
    """Two tracks, a frame with a face that nobody follows, and a frame without any."""
    return make_table(tmp_path / "t.parquet", [[0, 1], [1], [], [-1], [0]])


@pytest.mark.parametrize("layout", ["sequence", "image"])
def test_the_header_is_openfaces_own(layout: str, shared_data: Path) -> None:
    literal = (shared_data.parent / "spec" / f"openface22_columns_{layout}.txt").read_text().strip()
    assert ",".join(openface_header(layout)) == literal


def test_groups_keep_openfaces_order() -> None:
    assert openface_header("sequence", ["aus", "pose"])[:11] == (
        *("frame", "face_id", "timestamp", "confidence", "success"),
        *("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"),
    )
    assert len(openface_header("sequence", ["aus"])) == 5 + 17 + 18
    with pytest.raises(ConfigError, match=r"no columns 2dfp; choose from gaze, pose, 2Dfp"):
        openface_header("sequence", ["2dfp"])


def test_round_trip(table: pa.Table, tmp_path: Path) -> None:
    thresholds = {"AU01": 0.2, "AU12": 0.7}
    write_openface(table, tmp_path / "of.csv", thresholds=thresholds)
    back = read_table(tmp_path / "of.csv")
    for name in ("source", "frame", "time_s", "track_id", "success"):
        assert back[name].to_pylist() == table[name].to_pylist(), name
    for name in ("confidence", "pitch_rad", "yaw_rad", "roll_rad", "AU01", "AU12", "lm_x00", "lm_y67"):
        expected, got = table[name].to_pylist(), back[name].to_pylist()
        assert [value is None for value in got] == [value is None for value in expected], name
        assert [v for v in got if v is not None] == pytest.approx([v for v in expected if v is not None], abs=1e-5)
    assert "AU24" not in back.schema.names  # OpenFace has no such column
    assert back["valence"].null_count == len(back)
    # Once more: what was read from OpenFace's columns is written to them as it was.
    write_openface(back, tmp_path / "again.csv", thresholds=thresholds)
    first, second = (pd.read_csv(tmp_path / name) for name in ("of.csv", "again.csv"))
    pd.testing.assert_frame_equal(first, second, atol=1e-5)


def test_a_script_written_for_openface_works(table: pa.Table, tmp_path: Path) -> None:
    write_openface(table, tmp_path / "of.csv", groups=["aus"])
    df = pd.read_csv(tmp_path / "of.csv")
    smiles = table["AU12"].drop_null().to_numpy()
    assert df[df.success == 1].AU12_r.mean() == pytest.approx(to_intensity(smiles, 0.5).mean(), rel=1e-5)
    assert df[(df.confidence > 0.0) & (df.face_id == 1)].AU12_c.tolist() == [float(smiles[k] >= 0.5) for k in (1, 2)]
    assert df.frame.tolist() == [1, 1, 2, 3, 4, 5]
    assert df.face_id.tolist() == [0, 1, 1, 0, -1, 0]
    assert df.loc[df.success == 0, ["confidence", "frame"]].to_numpy().tolist() == [[0, 3]]
    assert df.filter(regex="AU.*_r").shape[1] == 17
    assert ((df.AU12_r.dropna() >= 1) == (df.AU12_c.dropna() == 1)).all()


def test_what_is_not_measured_is_empty_and_said(table: pa.Table, tmp_path: Path) -> None:
    write_openface(table, tmp_path / "of.csv", thresholds={"AU12": 0.3})
    df, about = pd.read_csv(tmp_path / "of.csv"), json.loads((tmp_path / "of.csv.about.json").read_text())
    assert about["empty"] == [name for name in df.columns if df[name].isna().all()]
    assert {*GROUPS["gaze"], *GROUPS["3Dfp"], "pose_Tx", "AU28_c", "AU09_r"} <= set(about["empty"])
    assert about["action_unit_thresholds"] == {"AU01": 0.5, "AU12": 0.3}
    assert "no calibrated intensity" in about["columns"]["AUxx_r"]


@pytest.mark.parametrize(("tracks", "n_rows"), [([[-1, -1, -1]], 3), ([[]], 0)])
def test_a_picture_has_the_columns_of_pictures(tracks: list[list[int]], n_rows: int, tmp_path: Path) -> None:
    table = make_table(tmp_path / "t.parquet", tracks, source="photo.jpg")
    times = pa.array([0.0] * len(table))
    table = table.set_column(table.schema.get_field_index("time_s"), table.schema.field("time_s"), times)
    write_openface(table, tmp_path / "of.csv", groups=["aus"])
    df = pd.read_csv(tmp_path / "of.csv")
    assert list(df.columns) == list(openface_header("image", ["aus"]))
    assert df.face.tolist() == list(range(n_rows))
    back = read_openface(tmp_path / "of.csv")
    assert back["success"].to_pylist() == table["success"].to_pylist()
    assert back["frame"].to_pylist() == [0] * max(n_rows, 1)
    assert back["track_id"].null_count == len(back)


def test_openface_2_0_with_blanks_and_without_groups(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text(
        "frame, timestamp, confidence, success, gaze_0_x, AU12_r, AU12_c, AU28_c\n"
        "1, 0.000, 0.980, 1, 0.25, 2.50, 1.00, 0.00\n"
        "2, 0.033, 0.000, 0, 0.00, 3.00, 1.00, 1.00\n"
        "3, 0.067, 0.930, 1, -nan(ind), 0.00, 0.00, 1.00\n"
    )
    table = read_openface(path)
    assert table["source"].to_pylist() == ["old"] * 3
    assert table["frame"].to_pylist() == [0, 1, 2]
    assert table["track_id"].to_pylist() == [0, None, 0]
    assert table["AU12"].to_pylist() == pytest.approx([0.6875, None, 0.0])  # 1 reads as .5, 5 as 1
    assert table["AU28"].to_pylist() == [0, None, 1]
    assert table["AU12_c"].to_pylist() == [1, None, 0]
    assert table["gaze_0_x"].to_pylist() == [0.25, None, None]
    assert table["pitch_rad"].null_count == table["confidence"].null_count + 2 == 3


def test_several_faces(tmp_path: Path) -> None:
    path = tmp_path / "multi.csv"
    path.write_text(
        "frame,face_id,timestamp,confidence,success,AU01_r\n"
        "1,0,0,.9,1,0\n1,2,0,.8,1,5\n2,0,.04,.1,0,1\n2,2,.04,.9,1,1\n3,0,.08,.1,0,1\n3,2,.08,.1,0,1\n"
    )
    table = read_openface(path)
    assert list(zip(*(table[n].to_pylist() for n in ("frame", "track_id", "success")), strict=True)) == [
        (0, 0, True),
        (0, 2, True),
        (1, 2, True),
        (2, None, False),
    ]


def test_other_tools_take_an_openface_file(tmp_path: Path) -> None:
    path = tmp_path / "of.csv"
    path.write_text("frame,face_id,timestamp,confidence,success,AU12_r\n1,0,0,1,1,2\n")
    assert read_table(path)["AU12"].to_pylist() == pytest.approx([0.625])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "lacks frame, timestamp"),
        ("a,b\n1,2\n", "lacks frame, timestamp"),
        ("frame,timestamp,confidence,success,AU12_r\n1,0,1,1,2\n2,0", "is it complete"),
        ("frame,timestamp,confidence,success,AU12_r\n1,0,1,1,smile\n", "is it complete"),
        ("frame,timestamp,confidence,success,AU12_r,AU12_r\n", "several columns AU12_r"),
    ],
)
def test_bad_files_are_named(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=rf"bad\.csv.*{message}"):
        read_openface(path)
    with pytest.raises(InputError, match=r"absent\.csv"):
        read_openface(tmp_path / "absent.csv")


def test_a_header_alone_is_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_text("frame, timestamp, confidence, success, AU12_r\n")
    assert len(read_openface(tmp_path / "none.csv")) == 0


def test_two_sources_are_two_files(table: pa.Table, tmp_path: Path) -> None:
    other = make_table(tmp_path / "u.parquet", [[0]], source="b.mp4")
    with pytest.raises(ConfigError, match="holds one source, this table has 2"):
        write_openface(pa.concat_tables([table, other]), tmp_path / "of.csv")
    assert not (tmp_path / "of.csv").exists()


def test_intensities() -> None:
    assert to_intensity([0, 0.15, 0.3, 0.65, 1, math.nan], 0.3) == pytest.approx(
        [0, 0.5, 1, 3, 5, math.nan], nan_ok=True
    )
    probability = np.linspace(0, 1, 101)
    assert from_intensity(to_intensity(probability, 0.3), 0.3) == pytest.approx(probability)
    assert from_intensity([-1, 7], 0.3).tolist() == [0, 1]
    with pytest.raises(ConfigError, match="between 0 and 1, got 1"):
        to_intensity([0.5], 1.0)


@pytest.mark.parametrize(
    ("mien_pose", "openface_pose"),
    [((0.3, 0, 0), (-0.3, 0, 0)), ((0, 0.3, 0), (0, -0.3, 0)), ((0, 0, 0.3), (0, 0, 0.3))],
    ids=["lifted nose: -Rx", "nose to the right: -Ry", "crown to the right: +Rz"],
)
def test_signs_of_pose(mien_pose: tuple[float, ...], openface_pose: tuple[float, ...]) -> None:
    assert to_openface_pose([mien_pose])[0] == pytest.approx(openface_pose)
    assert from_openface_pose([openface_pose])[0] == pytest.approx(mien_pose)


def test_pose_against_matrices_written_out() -> None:
    """R = Rx Ry Rz with SciPy as reference; the nose of a head at rest points to -z, the crown to -y."""
    from scipy.spatial.transform import Rotation

    angles = np.random.default_rng(1).uniform(-1.2, 1.2, (50, 3))
    rotation = Rotation.from_euler("XYZ", angles).as_matrix()
    nose = rotation @ np.array([0, 0, -1])
    pose = from_openface_pose(angles)
    assert np.sin(pose[:, 0]) == pytest.approx(-nose[:, 1])  # + lifts the nose, y is down
    assert np.tan(pose[:, 1]) == pytest.approx(-nose[:, 0] / nose[:, 2])  # + turns it to the image's right
    assert to_openface_pose(pose) == pytest.approx(angles)
    assert np.isnan(to_openface_pose([[math.nan] * 3])).all()
