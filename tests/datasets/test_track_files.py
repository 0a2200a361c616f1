# SPDX-License-Identifier: Apache-2.0
"""Files of face tracks and lists of frames."""

from pathlib import Path

import numpy as np
import pytest

from mien.datasets import AnnotationError, load_frame_list
from mien.datasets.text_files import refuse
from mien.datasets.track_files import expression_format, read_track_files, valence_arousal_format


@pytest.mark.parametrize("comma", ["", ","])
def test_a_test_list_has_names_with_or_without_a_comma(comma: str, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"image_location,Neutral,Anger\nvideo 1/00007.jpg{comma}\nb/100000.jpg{comma}")
    samples = load_frame_list(path, "affwild2-expr", None)
    assert samples.tracks == ("video 1", "b")
    assert samples.frame.tolist() == [7, 100_000]
    assert [samples.image_location(row) for row in (0, 1)] == ["video 1/00007.jpg", "b/100000.jpg"]
    assert not samples.valid_expression.any()


def _write(folder: Path, **texts: str) -> list[Path]:
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    return [folder / f"{name}.txt" for name in texts]


def test_each_file_is_a_track_and_each_line_a_frame(tmp_path: Path) -> None:
    files = _write(tmp_path, b="valence,arousal\n0.5,0\n-5,-5", a="valence,arousal\n-1,1")
    form = valence_arousal_format()
    samples = read_track_files(files, form, dataset="x", split="valid", crops=None, on_problem=refuse)
    assert samples.tracks == ("b", "a")
    assert samples.track_index.tolist() == [0, 0, 1]
    assert samples.frame.tolist() == [1, 2, 1]
    np.testing.assert_array_equal(samples.valence_arousal, np.float32([[0.5, 0], [np.nan, np.nan], [-1, 1]]))


def test_a_skipped_file_does_not_set_the_edition(tmp_path: Path) -> None:
    files = _write(tmp_path, a="Neutral,Anger\n7", b="Neutral\n0")
    form = expression_format({("neutral", "anger"): ("neutral", "anger"), ("neutral",): ("neutral",)})
    problems: list[AnnotationError] = []
    samples = read_track_files(files, form, dataset="x", split="train", crops=None, on_problem=problems.append)
    assert [problem.path for problem in problems] == [files[0]]
    assert samples.tracks == ("b",)
    assert samples.expression_labels == ("neutral",)


def test_a_file_without_a_readable_header_is_refused(tmp_path: Path) -> None:
    files = _write(tmp_path, a="arousal,valence\n0,0")
    form = valence_arousal_format()
    with pytest.raises(AnnotationError, match=r"the header is 'arousal,valence', not 'valence,arousal'") as caught:
        read_track_files(files, form, dataset="x", split="train", crops=None, on_problem=refuse)
    assert caught.value.line == 1


@pytest.mark.parametrize(
    ("rows", "line", "words"),
    [
        ("a/00001.jpg\na/00001.jpg", 3, "listed before"),
        ("a/00000.jpg", 2, "impossible frame number"),
        ("a/3000000000.jpg", 2, "impossible frame number"),
        ("00001.jpg", 2, "video/00001.jpg"),
        ("/a/00001.jpg", 2, "video/00001.jpg"),  # a place outside the folder of crops
        ("../a/00001.jpg", 2, "video/00001.jpg"),
        ("./../a/00001.jpg", 2, "video/00001.jpg"),
        ("a\\00001.jpg", 2, "video/00001.jpg"),
        ("a/00001.jpg\n./a/00001.jpg", 3, "listed before"),
    ],
)
def test_bad_names_in_a_list_are_refused_with_their_line(rows: str, line: int, words: str, tmp_path: Path) -> None:
    (path,) = _write(tmp_path, list=f"image\n{rows}\n")
    with pytest.raises(AnnotationError, match=words) as caught:
        load_frame_list(path, "cexpr", None)
    assert caught.value.line == line


@pytest.mark.parametrize("name", ["./a/00001.jpg", '"a/00001.jpg"', '"./a/00001.jpg",0.1'])
def test_a_name_is_read_in_quotes_and_below_the_folder_itself(name: str, tmp_path: Path) -> None:
    (path,) = _write(tmp_path, list=f"image\n{name}\n")
    samples = load_frame_list(path, "cexpr", None)
    assert (samples.tracks, samples.frame.tolist()) == (("a",), [1])


def test_a_list_without_header_is_refused(tmp_path: Path) -> None:
    (path,) = _write(tmp_path, list="a/00001.jpg\na/00002.jpg\n")
    with pytest.raises(AnnotationError, match="not 'image'"):
        load_frame_list(path, "cexpr", None)
