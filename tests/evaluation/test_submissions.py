# SPDX-License-Identifier: Apache-2.0
"""Submissions: every form of the specification's section 5.3, every row of the list, faults by line."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mien.affect import Smoothing, box_mean, fill_gaps
from mien.cli.research.submit import submit
from mien.core import EXPRESSIONS, ConfigError, Faces, Frame, InputError
from mien.datasets import ACTION_UNITS_12
from mien.evaluation import PostProcessing
from mien.evaluation.challenge.predictions import read_predictions, validate_predictions
from mien.evaluation.challenge.submission_formats import SUBMISSIONS, submission_format
from mien.evaluation.challenge.submissions import write_submission
from mien.results import TableWriter, table_schema

HEADERS = {
    "expr": "image_location,Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other",
    "va": "image_location,valence,arousal",
    "au": "image_location,AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26",
    "mtl": "image,valence,arousal,expression,aus",
    "lsd": "image,expression",
    "ce": "image_location,Fearfully_Surprised,Happily_Surprised,Sadly_Surprised,Disgustedly_Surprised,"
    "Angrily_Surprised,Sadly_Fearful,Sadly_Angry",
    "emi": "Filename,Admiration,Amusement,Determination,Empathic Pain,Excitement,Joy",
}
ROWS = {
    "expr": "v/00001.jpg,7",
    "va": "v/00001.jpg,0.5,-1",
    "au": "v/00001.jpg,0,1,0,0,1,0,0,0,1,0,0,1",
    "mtl": "v/00001.jpg,0.5,-1,4,0,1,0,0,1,0,0,0,1,0,0,1",
    "lsd": "1.jpg,5",
    "ce": "v/00001.jpg,6",
    "emi": "12660,0,0.1,0.2,0.3,0.4,1",
}


def _faces(rng: np.random.Generator, tracks: Sequence[int]) -> Faces:
    n = len(tracks)
    return Faces(
        boxes=np.tile(np.float32([0, 0, 9, 9]), (n, 1)),
        track_ids=np.array(tracks, dtype=np.int64),
        expression=rng.dirichlet(np.ones(8), n),
        valence=rng.uniform(-1, 1, n),
        arousal=rng.uniform(-1, 1, n),
        action_units=rng.uniform(size=(n, 12)),
        expression_labels=EXPRESSIONS,
        action_unit_labels=ACTION_UNITS_12,
    )


def _write_table(path: Path, frames: Sequence[tuple[str, int, Faces]]) -> None:
    with TableWriter(path, table_schema(action_unit_labels=ACTION_UNITS_12)) as writer:
        for source, index, faces in frames:
            writer.append(source, Frame(index=index, time_s=index / 30, faces=faces))


def _write_list(path: Path, header: str, names: Sequence[str], *, end: str = "") -> Path:
    path.write_text("\n".join([header, *(name + end for name in names)]) + "\n")
    return path


NOBODY = Faces.empty(EXPRESSIONS, ACTION_UNITS_12)


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, dict[int, Faces]]:
    """``a.mp4`` with faces in frames 1, 2, 5 and a passer-by, ``b.mp4`` without any, crops of ``a_left``."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "tables"
    folder.mkdir()
    main = {frame: _faces(rng, [4]) for frame in (1, 2, 5)}
    crowd = _faces(rng, [9, 4])
    main[2] = crowd[1]
    shown = {1: main[1], 2: crowd, 3: NOBODY, 4: NOBODY, 5: main[5]}
    _write_table(folder / "a.parquet", [("clips/a.mp4", frame - 1, faces) for frame, faces in shown.items()])
    _write_table(folder / "b.parquet", [("clips/b.mp4", index, NOBODY) for index in range(2)])
    crops = [(f"cropped/a_left/{frame:05d}.jpg", 0, _faces(rng, [-1])) for frame in (2, 3)]
    _write_table(folder / "crops.csv", crops)
    return folder, main


NAMES = [*(f"a/{frame:05d}.jpg" for frame in range(1, 8)), "b/00001.jpg", "b/00002.jpg", "a_left/00001.jpg"]


@pytest.mark.parametrize("task", sorted(SUBMISSIONS))
def test_headers_and_rows_of_every_form(task: str, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text(f"{HEADERS[task]}\n{ROWS[task]}\n")
    assert SUBMISSIONS[task].header_line == HEADERS[task]
    row = read_predictions(SUBMISSIONS[task], path)
    assert row.values[0].tolist() == [float(value) for value in ROWS[task].split(",")[1:]]
    assert row.names[0].as_py() == ROWS[task].split(",")[0]


@pytest.mark.parametrize("task", ["va", "expr", "au", "mtl", "ce"])
@pytest.mark.parametrize("end", ["", ","])
def test_pitfall_11_every_row_of_the_list_in_its_order(
    task: str, end: str, tables: tuple[Path, dict[int, Faces]], tmp_path: Path
) -> None:
    names = [NAMES[row] for row in np.random.default_rng(1).permutation(len(NAMES))]
    listed = _write_list(tmp_path / "list.txt", HEADERS[task], names, end=end)
    out = tmp_path / f"{task}.txt"
    done = write_submission(task, tables[0], listed, out)
    lines = out.read_text().splitlines()
    assert lines[0] == HEADERS[task]
    assert [line.split(",")[0] for line in lines[1:]] == names
    assert len({line.count(",") for line in lines[1:]}) == 1
    assert done.n_rows == 10
    assert done.n_filled == 4 + 2 + 1  # a: 3, 4, 6, 7; b: both; a_left: 1
    assert done.without_face == ("b",)
    assert any("no face at all in b" in message for message in done.messages)


def test_pitfall_10_frame_i_of_the_list_is_row_i_minus_1_of_the_table(
    tables: tuple[Path, dict[int, Faces]], tmp_path: Path
) -> None:
    folder, main = tables
    listed = _write_list(tmp_path / "list.txt", HEADERS["va"], NAMES)
    write_submission("va", folder, listed, tmp_path / "va.txt")
    got = read_predictions(submission_format("va"), tmp_path / "va.txt").values[:7, 0]
    frames = np.array([1, 2, 5])
    valence = np.array([main[frame].valence[0] for frame in frames])
    assert got == pytest.approx(np.interp(np.arange(1, 8), frames, valence), abs=1e-6)


def test_pitfall_13_a_list_longer_than_the_video_repeats_the_last_value(
    tables: tuple[Path, dict[int, Faces]], tmp_path: Path
) -> None:
    listed = _write_list(tmp_path / "list.txt", HEADERS["va"], NAMES)
    write_submission("va", tables[0], listed, tmp_path / "va.txt")
    rows = (tmp_path / "va.txt").read_text().splitlines()
    assert rows[5].split(",")[1:] == rows[6].split(",")[1:] == rows[7].split(",")[1:]


def test_pitfall_19_interpolation_then_filter_then_decision(
    tables: tuple[Path, dict[int, Faces]], tmp_path: Path
) -> None:
    folder, main = tables
    listed = _write_list(tmp_path / "list.txt", HEADERS["au"], NAMES)
    limits = [0.4] * 12
    post = PostProcessing(smoothing=Smoothing(au=2), thresholds=limits)
    write_submission("au", folder, listed, tmp_path / "au.txt", post_processing=post)
    frames = np.array([1, 2, 5])
    probabilities = np.array([main[frame].action_units[0] for frame in frames], dtype=np.float64)
    dense = box_mean(fill_gaps(frames, probabilities, np.arange(1, 8)), 2)
    got = read_predictions(submission_format("au"), tmp_path / "au.txt").values[:7]
    assert np.array_equal(got, dense >= 0.4)


def test_pitfall_18_contempt_is_never_answered_as_other(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    sure = Faces(
        boxes=np.float32([[0, 0, 9, 9]]),
        track_ids=[1],
        expression=[[0.1, 0, 0, 0, 0.2, 0, 0, 0.7]],  # contempt, then anger
        valence=[0.0],
        arousal=[0.0],
        action_units=np.zeros((1, 12)),
        expression_labels=EXPRESSIONS,
        action_unit_labels=ACTION_UNITS_12,
    )
    _write_table(folder / "v.parquet", [("v.mp4", 0, sure)])
    listed = _write_list(tmp_path / "list.txt", HEADERS["expr"], ["v/00001.jpg"])
    done = write_submission("expr", folder, listed, tmp_path / "expr.txt")
    assert (tmp_path / "expr.txt").read_text().splitlines()[1] == "v/00001.jpg,1"
    assert any("expression_other" in message for message in done.messages)


def test_pitfall_23_lsd_takes_the_argmax_of_pictures_found_by_file_name(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    rng = np.random.default_rng(3)
    faces = {name: _faces(rng, [-1]) for name in ("7.jpg", "x.jpg")}
    _write_table(folder / "t.parquet", [(f"lsd_test_data/{name}", 0, face) for name, face in faces.items()])
    listed = _write_list(tmp_path / "list.txt", "image", ["x.jpg", "7.jpg"])
    write_submission("lsd", folder, listed, tmp_path / "lsd.txt")
    order = [EXPRESSIONS.index(name) for name in ("anger", "disgust", "fear", "happiness", "sadness", "surprise")]
    # Pitfall 23: the class is the argmax, never the argmin.
    expected = [int(faces[name].expression[0, order].argmax()) for name in ("x.jpg", "7.jpg")]
    assert read_predictions(submission_format("lsd"), tmp_path / "lsd.txt").values[:, 0].tolist() == expected


def test_pitfall_14_emi_names_are_text(tmp_path: Path) -> None:
    folder = tmp_path / "emi"
    folder.mkdir()
    (folder / "p.csv").write_text(f"{HEADERS['emi']}\n00002,0,0,0,0,0,0.25\n00001,1,0,0,0,0,0\n")
    listed = _write_list(tmp_path / "list.csv", "Filename", ["00001", "00002"])
    write_submission("emi", folder, listed, tmp_path / "emi.csv")
    assert (tmp_path / "emi.csv").read_text() == f"{HEADERS['emi']}\n00001,1,0,0,0,0,0\n00002,0,0,0,0,0,0.25\n"
    with pytest.raises(InputError, match="00003"):
        write_submission("emi", folder, _write_list(listed, "Filename", ["00003"]), tmp_path / "emi.csv")


def test_a_video_that_nobody_analysed_is_an_error(tables: tuple[Path, dict[int, Faces]], tmp_path: Path) -> None:
    listed = _write_list(tmp_path / "list.txt", HEADERS["va"], ["z/00001.jpg"])
    with pytest.raises(InputError, match="video z"):
        write_submission("va", tables[0], listed, tmp_path / "va.txt")
    assert not (tmp_path / "va.txt").exists()
    with pytest.raises(ConfigError, match="expr"):
        write_submission("exp", tables[0], listed, tmp_path / "x.txt")


def _edit(number: int, change: Callable[[str], str]) -> Callable[[list[str]], list[str]]:
    return lambda lines: [change(line) if i == number else line for i, line in enumerate(lines, start=1)]


FAULTS = {
    "a wrong header": (_edit(1, lambda _: "image,valence,arousal"), "line 1"),
    "a value out of range": (_edit(3, lambda line: line.replace("0.5", "1.5")), r"line 3.*\[-1, 1\]"),
    "something that is no number": (_edit(3, lambda line: line.replace("0.5", "high")), "line 3"),
    "not a number": (_edit(3, lambda line: line.replace("0.5", "nan")), "line 3"),
    "a field too many": (_edit(4, lambda line: line + ",1"), "line 4"),
    "a field too few": (_edit(4, lambda line: line.rpartition(",")[0]), "line 4"),
    "another order": (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "line 2"),
    "a lost row": (lambda lines: [*lines[:3], *lines[4:]], "line 4"),
    "a lost last row": (lambda lines: lines[:-1], "line 5.*ends before"),
    "a row too many": (lambda lines: [*lines, "v/00005.jpg,0,0"], "line 6.*beyond"),
    "a row twice": (lambda lines: [*lines[:3], lines[2], *lines[3:]], "line 4"),
    "a blank line": (lambda lines: [*lines[:2], "", *lines[2:]], "line 3.*blank"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_a_finished_file_are_named_by_line(fault: str, tmp_path: Path) -> None:
    names = [f"v/{frame:05d}.jpg" for frame in range(1, 5)]
    listed = _write_list(tmp_path / "list.txt", HEADERS["va"], names)
    lines = [HEADERS["va"], *(f"{name},0.5,-0.25" for name in names)]
    path = tmp_path / "va.txt"
    path.write_text("\n".join(lines) + "\n")
    assert validate_predictions(submission_format("va"), path, listed) == 4
    change, message = FAULTS[fault]
    path.write_text("\n".join(change(lines)) + "\n")
    with pytest.raises(InputError, match=rf"va\.txt.*{message}"):
        validate_predictions(submission_format("va"), path, listed)


@pytest.mark.parametrize(
    ("task", "row"),
    [
        ("expr", "v/00001.jpg,8"),
        ("expr", "v/00001.jpg,-1"),
        ("expr", "v/00001.jpg,1.5"),
        ("ce", "v/00001.jpg,7"),
        ("lsd", "1.jpg,6"),
        ("au", "v/00001.jpg,0,2,0,0,1,0,0,0,1,0,0,1"),
        ("emi", "12660,0,1.1,0,0,0,0"),
    ],
)
def test_classes_and_ranges_of_each_task(task: str, row: str, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text(f"{HEADERS[task]}\n{row}\n")
    with pytest.raises(InputError, match="line 2, field"):
        read_predictions(submission_format(task), path)


def test_command_line_writes_and_checks(tables: tuple[Path, dict[int, Faces]], tmp_path: Path) -> None:
    listed = _write_list(tmp_path / "list.txt", HEADERS["mtl"], NAMES)
    out = tmp_path / "mtl.txt"
    arguments = ["mtl", "--list", str(listed)]
    writing = [*arguments, "--predictions", str(tables[0]), "--out", str(out), "--smooth", "expr=50,va=50,au=3"]
    result = CliRunner().invoke(submit, writing)
    assert result.exit_code == 0, result.output
    assert "10 rows, 7 of them without a face" in result.output
    checked = CliRunner().invoke(submit, [*arguments, "--validate", str(out)])
    assert checked.exit_code == 0
    assert "10 rows, valid for mtl" in checked.output
    assert CliRunner().invoke(submit, arguments).exit_code == 2
    assert CliRunner().invoke(submit, [*writing, "--validate", str(out)]).exit_code == 2
