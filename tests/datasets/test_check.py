# SPDX-License-Identifier: Apache-2.0
"""`check_dataset` and ``mien data``."""

import json
from pathlib import Path

import pytest

from mien.cli.main import main
from mien.core import InputError
from mien.datasets import DATASETS, check_dataset, create_example, load_dataset
from mien.datasets.text_files import Document, load_document


def _run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["data", *arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_every_bad_file_is_named_and_the_rest_counted(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    train = tmp_path / "VA_Estimation_Challenge/Train_Set"
    (train / "x.txt").write_text("valence,arousal\n0.1,0.2\n0.1\n")
    (train / "y.txt").write_text("valence\n0.1\n")
    report = check_dataset("affwild2-va", tmp_path)
    assert not report.complete
    assert [(problem.path.name, problem.line) for problem in report.problems] == [("x.txt", 3), ("y.txt", 1)]
    assert report.splits["train"].n_rows == 6
    assert report.splits["train"].valid == {"valence_arousal": 4}


def test_a_missing_split_is_a_problem_unless_it_is_optional(tmp_path: Path) -> None:
    create_example("emi", tmp_path)
    (tmp_path / "test_split.csv").unlink()
    (tmp_path / "valid_split.csv").unlink()
    report = check_dataset("emi", tmp_path)
    assert [problem.path.name for problem in report.problems] == ["valid_split.csv"]
    assert any(note.startswith("test: not read") for note in report.notes)
    assert set(report.splits) == {"train"}


def test_a_malformed_optional_split_is_a_problem(tmp_path: Path) -> None:
    create_example("affwild2-mtl", tmp_path)
    (tmp_path / "test_set_list.txt").write_text("image\n00001.jpg\n")
    report = check_dataset("affwild2-mtl", tmp_path)
    assert [(problem.path.name, problem.line) for problem in report.problems] == [("test_set_list.txt", 2)]


def test_an_empty_file_of_an_optional_split_is_a_problem(tmp_path: Path) -> None:
    create_example("emi", tmp_path)
    (tmp_path / "test_split.csv").write_text("")
    assert [problem.reason for problem in check_dataset("emi", tmp_path).problems] == ["is empty"]


def test_an_optional_split_inside_a_shared_file_may_be_absent(tmp_path: Path) -> None:
    create_example("eri", tmp_path)
    path = tmp_path / "data_info.csv"
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if ",Test," not in line))
    report = check_dataset("eri", tmp_path)
    assert report.complete
    assert set(report.splits) == {"train", "valid"}


def test_one_bad_file_of_three_splits_is_named_once(tmp_path: Path) -> None:
    create_example("fer2013", tmp_path)
    (tmp_path / "fer2013.csv").write_text("emotion,pixels\n")
    assert len(check_dataset("fer2013", tmp_path).problems) == 1


def test_a_file_that_all_splits_share_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_example("fer2013", tmp_path)
    read: list[Path] = []

    def load(path: Path) -> Document:
        read.append(path)
        return load_document(path)

    monkeypatch.setattr("mien.datasets.readers.fer.load_document", load)
    report = check_dataset("fer2013", tmp_path)
    assert read == [tmp_path / "fer2013.csv"]
    for split, counts in report.splits.items():
        assert counts == load_dataset("fer2013", tmp_path, split).counts()
    assert tuple(report.splits) == DATASETS["fer2013"].splits


def test_missing_images_are_problems_where_all_should_be_there(tmp_path: Path) -> None:
    create_example("affectnet", tmp_path)
    gone = tmp_path / "Manually_Annotated_Images/468/c.jpg"
    gone.unlink()
    report = check_dataset("affectnet", tmp_path)
    assert [problem.path for problem in report.problems] == [gone]
    assert report.splits["train"].n_media == 3


def test_missing_videos_are_problems_once_there_are_any(tmp_path: Path) -> None:
    create_example("emi", tmp_path)
    (tmp_path / "mp4").mkdir()
    (tmp_path / "mp4/00001.mp4").touch()
    report = check_dataset("emi", tmp_path)
    assert {problem.path.name for problem in report.problems} == {"00000.mp4", "08072.mp4", "12660.mp4", "12661.mp4"}


def test_a_video_in_two_splits_is_noted(tmp_path: Path) -> None:
    create_example("affwild2-va", tmp_path)
    task = tmp_path / "VA_Estimation_Challenge"
    (task / "Validation_Set/1-30-640x360_right.txt").write_text("valence,arousal\n0,0\n")
    notes = check_dataset("affwild2-va", tmp_path).notes
    assert "train and valid share 1 videos or images: 1-30-640x360" in notes


def test_sizes_unlike_the_published_ones_are_noted(tmp_path: Path) -> None:
    create_example("emi", tmp_path)
    assert "train: 2 rows, published 8072; a part of it, or another edition" in check_dataset("emi", tmp_path).notes


def test_a_folder_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        check_dataset("emi", tmp_path / "absent")


def test_the_command_tells_and_exits_by_the_contract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create_example("affwild2-expr", tmp_path)
    assert _run("check", "affwild2-expr", str(tmp_path)) == 0
    out = capsys.readouterr().out
    assert "train: 8 rows, 2 tracks, 7 with image or video, 7 valid for expression" in out
    assert "neutral 1, anger 1, disgust 1, fear 1, happiness 1, sadness 0, surprise 1, other 1" in out
    bad = tmp_path / "EXPR_Recognition_Challenge/Validation_Set/24-30-1920x1080.txt"
    bad.write_text(bad.read_text() + "8\n")
    assert _run("check", "affwild2-expr", str(tmp_path)) == 1
    assert f"problem: {bad}, line 5, field 1: expression '8' is not in -1 to 7" in capsys.readouterr().out
    assert _run("check", "affwild2-exp", str(tmp_path)) == 2
    assert "affwild2-expr" in capsys.readouterr().err
    assert _run("check", "affwild2-expr", str(tmp_path / "absent")) == 3


def test_the_command_gives_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create_example("rafdb", tmp_path)
    (tmp_path / "basic/Image/aligned/test_0001_aligned.jpg").unlink()
    assert _run("check", "rafdb", str(tmp_path), "--json") == 1
    content = json.loads(capsys.readouterr().out)
    assert content["complete"] is False
    assert content["splits"]["train"]["classes"]["sadness"] == 1
    assert content["problems"][0]["path"].endswith("test_0001_aligned.jpg")


def test_the_command_lists_every_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run() == 0
    out = capsys.readouterr().out
    assert [name for name in DATASETS if f"{name}  " not in out] == []


def test_many_problems_are_cut_on_the_screen_and_whole_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = tmp_path / "VA_Estimation_Challenge/Train_Set"
    train.mkdir(parents=True)
    for number in range(60):
        (train / f"{number}.txt").write_text("")
    assert _run("check", "affwild2-va", str(tmp_path)) == 1
    assert "more; --json lists all" in capsys.readouterr().out
    _run("check", "affwild2-va", str(tmp_path), "--json")
    assert len(json.loads(capsys.readouterr().out)["problems"]) > 60
