# SPDX-License-Identifier: Apache-2.0
"""The variants of OpenFace CSVs, 2.0 to 2.2, read as affect tables."""

from pathlib import Path

import pytest

from mien.core import InputError
from mien.results import read_openface, read_table


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
        (
            "frame,timestamp,confidence,success,AU12_r\n1,0,1,1,2\n2,0",
            "row 2 has 2 cells, the header has 5",
        ),
        ("frame,timestamp,confidence,success,AU12_r\n1,0,1,1,smile\n", "row 1, column AU12_r: 'smile' is no number"),
        ("frame,timestamp,confidence,success,AU12_r,AU12_r\n", "several columns 'AU12_r'"),
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
