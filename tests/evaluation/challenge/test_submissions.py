# SPDX-License-Identifier: Apache-2.0
"""Submissions: one row for every row of the list, interpolated, smoothed and decoded."""

from pathlib import Path

import numpy as np
import pytest

from mien.affect import Analyzer, Smoothing, box_mean, fill_gaps
from mien.core import EXPRESSIONS, ConfigError, Faces, InputError, ModelError
from mien.datasets import ACTION_UNITS_12
from mien.evaluation import BundleOnCropFolder, PostProcessing, TablePredictor, validate_submission
from mien.evaluation.challenge.predictions import read_predictions
from mien.evaluation.challenge.submission_formats import submission_format
from mien.evaluation.challenge.submissions import write_submission
from tests.helpers.submission_data import (
    HEADERS,
    NAMES,
    random_faces,
    write_crops,
    write_example_tables,
    write_list,
    write_table,
)


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, dict[int, Faces]]:
    """The folder of `write_example_tables`, and the main faces of ``a.mp4``."""
    return tmp_path / "tables", write_example_tables(tmp_path / "tables")


@pytest.mark.parametrize("task", ["va", "expr", "au", "mtl", "ce"])
@pytest.mark.parametrize("end", ["", ","])
def test_pitfall_11_every_row_of_the_list_in_its_order(
    task: str, end: str, tables: tuple[Path, dict[int, Faces]], tmp_path: Path
) -> None:
    names = [NAMES[row] for row in np.random.default_rng(1).permutation(len(NAMES))]
    listed = write_list(tmp_path / "list.txt", HEADERS[task], names, end=end)
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
    listed = write_list(tmp_path / "list.txt", HEADERS["va"], NAMES)
    write_submission("va", folder, listed, tmp_path / "va.txt")
    got = read_predictions(submission_format("va"), tmp_path / "va.txt").values[:7, 0]
    frames = np.array([1, 2, 5])
    valence = np.array([main[frame].valence[0] for frame in frames])
    assert got == pytest.approx(np.interp(np.arange(1, 8), frames, valence), abs=1e-6)


def test_pitfall_13_a_list_longer_than_the_video_repeats_the_last_value(
    tables: tuple[Path, dict[int, Faces]], tmp_path: Path
) -> None:
    listed = write_list(tmp_path / "list.txt", HEADERS["va"], NAMES)
    write_submission("va", tables[0], listed, tmp_path / "va.txt")
    rows = (tmp_path / "va.txt").read_text().splitlines()
    assert rows[5].split(",")[1:] == rows[6].split(",")[1:] == rows[7].split(",")[1:]


def test_pitfall_19_interpolation_then_filter_then_decision(
    tables: tuple[Path, dict[int, Faces]], tmp_path: Path
) -> None:
    folder, main = tables
    listed = write_list(tmp_path / "list.txt", HEADERS["au"], NAMES)
    limits = [0.4] * 12
    post = PostProcessing(smoothing=Smoothing(au=2), thresholds=limits)
    write_submission("au", folder, listed, tmp_path / "au.txt", post_processing=post)
    frames = np.array([1, 2, 5])
    probabilities = np.array([main[frame].action_units[0] for frame in frames], dtype=np.float64)
    dense = box_mean(fill_gaps(frames, probabilities, np.arange(1, 8)), 2)
    got = read_predictions(submission_format("au"), tmp_path / "au.txt").values[:7]
    assert np.array_equal(got, dense >= 0.4)


def test_pitfall_18_contempt_is_never_predicted_as_other(tmp_path: Path) -> None:
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
    write_table(folder / "v.parquet", [("v.mp4", 0, sure)])
    listed = write_list(tmp_path / "list.txt", HEADERS["expr"], ["v/00001.jpg"])
    done = write_submission("expr", folder, listed, tmp_path / "expr.txt")
    assert (tmp_path / "expr.txt").read_text().splitlines()[1] == "v/00001.jpg,1"
    assert any("expression_other" in message for message in done.messages)


def test_pitfall_23_lsd_takes_the_argmax_of_pictures_found_by_file_name(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    rng = np.random.default_rng(3)
    faces = {name: random_faces(rng, [-1]) for name in ("7.jpg", "x.jpg")}
    write_table(folder / "t.parquet", [(f"lsd_test_data/{name}", 0, face) for name, face in faces.items()])
    listed = write_list(tmp_path / "list.txt", "image", ["x.jpg", "7.jpg"])
    write_submission("lsd", folder, listed, tmp_path / "lsd.txt")
    order = [EXPRESSIONS.index(name) for name in ("anger", "disgust", "fear", "happiness", "sadness", "surprise")]
    # Pitfall 23: the class is the argmax, never the argmin.
    expected = [int(faces[name].expression[0, order].argmax()) for name in ("x.jpg", "7.jpg")]
    assert read_predictions(submission_format("lsd"), tmp_path / "lsd.txt").values[:, 0].tolist() == expected


def test_pitfall_14_emi_names_are_text(tmp_path: Path) -> None:
    folder = tmp_path / "emi"
    folder.mkdir()
    (folder / "p.csv").write_text(f"{HEADERS['emi']}\n00002,0,0,0,0,0,0.25\n00001,1,0,0,0,0,0\n")
    listed = write_list(tmp_path / "list.csv", "Filename", ["00001", "00002"])
    write_submission("emi", folder, listed, tmp_path / "emi.csv")
    assert (tmp_path / "emi.csv").read_text() == f"{HEADERS['emi']}\n00001,1,0,0,0,0,0\n00002,0,0,0,0,0,0.25\n"
    with pytest.raises(InputError, match="00003"):
        write_submission("emi", folder, write_list(listed, "Filename", ["00003"]), tmp_path / "emi.csv")


def test_a_video_without_a_table_is_an_error(tables: tuple[Path, dict[int, Faces]], tmp_path: Path) -> None:
    listed = write_list(tmp_path / "list.txt", HEADERS["va"], ["z/00001.jpg"])
    with pytest.raises(InputError, match="video z"):
        write_submission("va", tables[0], listed, tmp_path / "va.txt")
    assert not (tmp_path / "va.txt").exists()
    with pytest.raises(ConfigError, match="expr"):
        write_submission("exp", tables[0], listed, tmp_path / "x.txt")


def test_a_bundle_on_crops_and_its_predictor_write_the_same(tmp_path: Path) -> None:
    data = write_crops(tmp_path)
    crops = data / "cropped_aligned"
    track = next(path.name for path in sorted(crops.iterdir()))
    listed = write_list(tmp_path / "list.txt", HEADERS["va"], [f"{track}/{frame:05d}.jpg" for frame in range(1, 6)])
    post = PostProcessing(smoothing="va=1")
    done = write_submission("va", "mien-light", listed, tmp_path / "a.txt", crops=crops, post_processing=post)
    assert done.n_rows == 5
    predictor = TablePredictor([BundleOnCropFolder(Analyzer(threads=1), crops)], smoothing=Smoothing(va=1))
    write_submission("va", predictor, str(listed), str(tmp_path / "b.txt"))
    written = [np.loadtxt(tmp_path / name, delimiter=",", skiprows=1, usecols=(1, 2)) for name in ("a.txt", "b.txt")]
    np.testing.assert_allclose(*written, atol=1e-6)
    assert validate_submission("va", tmp_path / "a.txt", listed) == 5
    with pytest.raises(ModelError, match="mien-points"):
        write_submission("va", "mien-points", listed, tmp_path / "c.txt", crops=crops)


def test_what_cannot_be_submitted(tables: tuple[Path, dict[int, Faces]], tmp_path: Path) -> None:
    listed = write_list(tmp_path / "list.txt", HEADERS["va"], NAMES)
    weights = PostProcessing(weights={"va": (1.0,)})
    for subject, options in (
        ("mien-light", {}),
        (tmp_path / "list.txt", {}),
        ("mien-light", {"crops": tmp_path, "post_processing": weights}),
        (tables[0], {"features": [tmp_path]}),
    ):
        with pytest.raises(ConfigError):
            write_submission("va", subject, listed, tmp_path / "va.txt", **options)
    emi = write_list(tmp_path / "emi_list.csv", "Filename", ["00001"])
    with pytest.raises(ConfigError, match="takes no further option"):
        write_submission("emi", tmp_path, emi, tmp_path / "emi.csv", post_processing=weights)
    assert not (tmp_path / "va.txt").exists()


def test_the_list_is_not_replaced(tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("a/00001.jpg\n")
    with pytest.raises(ConfigError, match=r"--out .*list\.txt and --list .*list\.txt are the same file"):
        write_submission("va", tmp_path, listed, listed)
    assert listed.read_text() == "a/00001.jpg\n"
