# SPDX-License-Identifier: Apache-2.0
"""The report: complete in itself, and true to the table; ``test_report_page.py`` opens it in a browser."""

import base64
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

import mien
from mien.affect import Smoothing
from mien.core import EXPRESSIONS, ConfigError, Faces, Frame, InputError
from mien.media import open_video
from mien.pipeline import write_report
from mien.pipeline.postprocessing.smooth import smooth_table
from mien.results import TableWriter, read_table, table_schema

UNITS = ("AU01", "AU12")


def data_of(page: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found
    content: dict[str, Any] = json.loads(found[1])
    return content


def channel(face: dict[str, Any], name: str) -> np.ndarray:
    """The values 0 to 1 of one channel, NaN where unknown, as the page reads them."""
    codes = np.frombuffer(base64.b64decode(face["values"]), np.uint8).reshape(len(face["channels"]), -1)
    values = codes[face["channels"].index(name)]
    return np.where(values == 255, np.nan, values / 250)


def write_course(path: Path, valence: list[float | None], source: str = "</script><b>a.mp4") -> Path:
    """A table of one face at 10 frames a second; None is a frame without a face."""
    with TableWriter(path, table_schema(action_unit_labels=UNITS)) as writer:
        for index, value in enumerate(valence):
            faces = Faces.empty(EXPRESSIONS, UNITS)
            if value is not None:
                faces = Faces(
                    boxes=[[0, 0, 9, 9]],
                    track_ids=[0],
                    expression=[[1, *[0] * 7]],
                    valence=[value],
                    arousal=[0.5],
                    action_units=[[0.25, 0.75]],
                    expression_labels=EXPRESSIONS,
                    action_unit_labels=UNITS,
                )
            writer.append(source, Frame(index=index, time_s=index / 10, faces=faces))
    return path


@pytest.fixture(scope="session")
def analysed(tmp_path_factory: pytest.TempPathFactory, encoded_clip: bytes) -> Path:
    """A folder with ``clip.mp4``, its table and the report that the same run wrote."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "clip.mp4").write_bytes(encoded_clip)
    mien.analyze(folder / "clip.mp4", folder / "clip.parquet", threads=1, report=folder / "clip.html")
    return folder


def test_the_page_refers_to_nothing_outside_itself(analysed: Path) -> None:
    text = (analysed / "clip.html").read_text("utf-8")
    assert re.findall(r"(?:https?:)?//[a-z]", re.sub(r"^\s*// .*$", "", text, flags=re.MULTILINE)) == []
    assert re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)|@import|url\(|fetch\(|XMLHttpRequest|<link""", text) == []
    assert "default-src 'none'" in text


def test_the_page_holds_every_row(analysed: Path, tmp_path: Path) -> None:
    write_report(analysed / "clip.parquet", tmp_path / "raw.html", smooth="none", frames=False)
    assert data_of(tmp_path / "raw.html")["smoothing"] == "Values are raw, as in the table."
    (source,) = data_of(tmp_path / "raw.html")["sources"]
    (face,) = source["subjects"]
    table = read_table(analysed / "clip.parquet")
    assert face["n_points"] == table.num_rows == source["n_frames"] == 20
    assert channel(face, "valence") * 2 - 1 == pytest.approx(table["valence"].to_numpy(), abs=0.005)
    assert channel(face, "AU12") == pytest.approx(table["AU12"].to_numpy(), abs=0.0025)
    begin_s = np.frombuffer(base64.b64decode(face["begin_s"]), "<f4")
    assert begin_s == pytest.approx(table["time_s"].to_numpy(), abs=1e-5)


def test_values_are_smoothed_and_the_page_says_so(analysed: Path) -> None:
    page = data_of(analysed / "clip.html")
    assert page["smoothing"].startswith("Values are smoothed over time (mean over 0.4 s before and after each frame)")
    assert ["values shown", page["smoothing"]] in page["facts"][0]
    smoothed, _ = smooth_table(read_table(analysed / "clip.parquet"), Smoothing.parse("0.4s"))
    (face,) = page["sources"][0]["subjects"]
    assert channel(face, "valence") * 2 - 1 == pytest.approx(smoothed["valence"].to_numpy(), abs=0.005)
    assert face["n_points"] == smoothed.num_rows


def test_key_frames_are_jpegs_and_can_be_left_out(analysed: Path, tmp_path: Path) -> None:
    assert write_report([analysed / "clip.parquet"], tmp_path / "with.html") == ()
    (face,) = data_of(tmp_path / "with.html")["sources"][0]["subjects"]
    for shown in (face["frames"][0], face["portrait"], *data_of(tmp_path / "with.html")["sources"][0]["strip"]):
        kind, _, data = shown["image"].partition(",")
        assert kind == "data:image/jpeg;base64"
        assert base64.b64decode(data)[:2] == b"\xff\xd8"
    assert write_report([analysed / "clip.parquet"], tmp_path / "without.html", frames=False) == ()
    assert "data:image" not in (tmp_path / "without.html").read_text("utf-8")


def test_another_file_of_the_same_name_gives_no_key_frames(analysed: Path, tmp_path: Path) -> None:
    other = tmp_path / "clip.mp4"
    other.write_bytes((analysed / "clip.mp4").read_bytes() + b"\0")
    (note,) = write_report([analysed / "clip.parquet"], tmp_path / "r.html", videos=[other])
    assert "is not the file that was analysed" in note
    assert data_of(tmp_path / "r.html")["sources"][0]["subjects"][0]["frames"] == []


def test_a_table_shows_no_file_outside_its_folder(analysed: Path, tmp_path: Path) -> None:
    table = write_course(tmp_path / "t.parquet", [0.1] * 5, source=str(analysed / "clip.mp4"))
    note, about_thresholds = write_report([table], tmp_path / "r.html")
    assert "outside the table's own folder" in note
    assert "count as present from 0.5" in about_thresholds
    (tmp_path / "link.mp4").symlink_to(analysed / "clip.mp4")
    linked = write_course(tmp_path / "l.parquet", [0.1] * 5, source=str(tmp_path / "link.mp4"))
    assert "outside the table's own folder" in write_report([linked], tmp_path / "r.html")[0]
    for named in (analysed / "clip.mp4", analysed):
        assert write_report([table], tmp_path / "r.html", videos=[named]) == (about_thresholds,)
        assert data_of(tmp_path / "r.html")["sources"][0]["subjects"][0]["frames"]


def test_a_video_is_read_once_for_all_faces(analysed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.pipeline.postprocessing import report

    opened = []
    monkeypatch.setattr(report, "open_video", lambda *args, **more: opened.append(args) or open_video(*args, **more))
    write_report([analysed / "clip.parquet"], tmp_path / "r.html")
    assert len(opened) == 1


def test_a_page_can_hold_or_link_the_video(analysed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, clip = analysed / "clip.parquet", (analysed / "clip.mp4").read_bytes()
    assert write_report([table], tmp_path / "held.html", playback="embed") == ()
    (source,) = data_of(tmp_path / "held.html")["sources"]
    assert source["video"] == "data:video/mp4;base64," + base64.b64encode(clip).decode()
    (tmp_path / "a b").mkdir()
    assert write_report([table], tmp_path / "a b" / "linked.html", playback="link") == ()
    (source,) = data_of(tmp_path / "a b" / "linked.html")["sources"]
    assert (tmp_path / "a b" / unquote(source["video"])).resolve() == (analysed / "clip.mp4").resolve()
    monkeypatch.setattr("mien.pipeline.postprocessing.report._MAX_EMBEDDED_BYTES", len(clip) - 1)
    (note,) = write_report([table], tmp_path / "large.html", playback="embed")
    assert "link it instead" in note
    assert data_of(tmp_path / "large.html")["sources"][0]["video"] is None


def test_only_what_a_browser_plays_is_played(analysed: Path, tmp_path: Path) -> None:
    (tmp_path / "clip.avi").write_bytes((analysed / "clip.mp4").read_bytes())
    table = write_course(tmp_path / "t.parquet", [0.1] * 5, source=str(tmp_path / "clip.avi"))
    note, _ = write_report([table], tmp_path / "r.html", playback="link")
    assert "convert it to MP4" in note
    outside = write_course(tmp_path / "o.parquet", [0.1] * 5, source=str(analysed / "clip.mp4"))
    note, _ = write_report([outside], tmp_path / "r.html", playback="embed")
    assert "outside the table's own folder" in note  # as for pictures
    assert data_of(tmp_path / "r.html")["sources"][0]["video"] is None


def test_a_lost_video_is_a_note_and_the_report_is_written(tmp_path: Path) -> None:
    table = write_course(tmp_path / "t.csv", [0.1, 0.2])
    note, _ = write_report([table], tmp_path / "r.html")
    assert "the file is not there; name it with --video" in note
    page = data_of(tmp_path / "r.html")
    assert page["sources"][0]["name"] == "</script><b>a.mp4"  # and the JSON around it is whole
    assert "none beside the table" in page["facts"][0][1][1]


def test_long_tables_are_united_and_extremes_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.results.reports.report_content._MAX_POINTS", 10)
    course: list[float | None] = [0.0] * 35
    course[17] = -0.8
    course[20:30] = [None] * 10
    write_report([write_course(tmp_path / "t.parquet", course)], tmp_path / "r.html", frames=False, smooth="none")
    page = data_of(tmp_path / "r.html")
    (face,) = page["sources"][0]["subjects"]
    assert "4 successive rows" in page["binning"]
    assert face["n_points"] == 7  # 20 rows in fives of 4, then 5 rows: points never reach across the gap
    assert list(base64.b64decode(face["breaks"])) == [1, 0, 0, 0, 0, 1, 0]
    assert channel(face, "valence_low").min() * 2 - 1 == pytest.approx(-0.8, abs=0.005)
    assert channel(face, "valence")[4] * 2 - 1 == pytest.approx(-0.2, abs=0.005)


def test_photos_make_a_gallery(face: np.ndarray, tmp_path: Path) -> None:
    from mien.media import save_image

    save_image(tmp_path / "photo.jpg", face)
    mien.analyze(tmp_path / "photo.jpg", tmp_path / "p.csv", threads=1, report=tmp_path / "p.html")
    (still,) = data_of(tmp_path / "p.html")["sources"]
    assert (still["still"], still["name"]) == (True, "photo.jpg")
    assert still["image"].startswith("data:image/jpeg")
    assert still["size"] == [face.shape[1], face.shape[0]]
    assert still["faces"][0]["text"].startswith("happiness ")
    assert still["faces"][0]["box"] == pytest.approx(
        [read_table(tmp_path / "p.csv")[side][0].as_py() for side in ("x0", "y0", "x1", "y1")], abs=0.05
    )


@pytest.mark.parametrize("course", [[], [None, None], [float("nan")] * 3])
def test_tables_in_which_nothing_is_known(tmp_path: Path, course: list[float | None]) -> None:
    write_report([write_course(tmp_path / "t.parquet", course)], tmp_path / "r.html", frames=False)
    assert len(data_of(tmp_path / "r.html")["sources"]) == bool(course)


def test_refusals(analysed: Path, tmp_path: Path) -> None:
    table = analysed / "clip.parquet"
    with pytest.raises(ConfigError, match="must end in"):
        write_report([table], tmp_path / "r.pdf")
    with pytest.raises(ConfigError, match="at least one"):
        write_report([], tmp_path / "r.html")
    with pytest.raises(ConfigError, match="key frames"):
        write_report([table], tmp_path / "r.html", videos=["a.mp4"], frames=False)
    with pytest.raises(ConfigError, match="must be one of embed, link"):
        write_report([table], tmp_path / "r.html", playback="yes")
    with pytest.raises(ConfigError, match="plays no video"):
        write_report([table], tmp_path / "r.html", playback="link", frames=False)
    with pytest.raises(InputError, match=r"gone\.csv"):
        write_report([tmp_path / "gone.csv"], tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()
