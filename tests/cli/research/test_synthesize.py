# SPDX-License-Identifier: Apache-2.0
"""``mien synthesize`` as the shell sees it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from mien.media import load_image
from mien.synthesis import read_labels

needs_renderer = pytest.mark.skipif(
    None in (importlib.util.find_spec("anny"), importlib.util.find_spec("numba")),
    reason="the extra is not installed: pip install 'mien[synthesis]'",
)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text('name = "small"\nsize_px = 32\noversampling = 1\nfaces_per_identity = 2\n')
    return path


@needs_renderer
def test_faces_are_written_and_the_run_goes_on(mien: Any, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "faces"
    ended = mien("synthesize", "--recipe", recipe, "--n", 5, "--out", out)
    assert (ended.code, ended.out) == (0, "")
    assert "5 faces" in ended.err
    assert "5 of them new" in ended.err
    assert read_labels(out).num_rows == 5
    again = mien("synthesize", "--recipe", recipe, "--n", 5, "--out", out)
    assert "0 of them new" in again.err
    silent = mien("synthesize", "--recipe", recipe, "--n", 5, "--out", tmp_path / "other", "--seed", 1, "--quiet")
    assert (silent.code, silent.err) == (0, "")
    assert read_labels(tmp_path / "other")["image"] != read_labels(out)["image"]


@needs_renderer
def test_previews_are_images(mien: Any, recipe: Path, tmp_path: Path) -> None:
    sheet, units = tmp_path / "sheet.png", tmp_path / "units.png"
    ended = mien("synthesize", "--recipe", recipe, "--preview", sheet, "--preview-units", units)
    assert ended.code == 0
    assert load_image(sheet).shape == (4 * (32 + 14), 12 * 32, 3)
    assert load_image(units).shape[1] == 12 * 32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--n", 3), "--n together with --out"),
        ((), "nothing to do"),
        (("--n", 0, "--out", "x"), "--n"),
        (("--n", 3, "--out", "x", "--format", "csv"), "--format"),
    ],
)
def test_wrong_use_is_2(mien: Any, arguments: tuple[object, ...], message: str) -> None:
    ended = mien("synthesize", "--recipe", "units", *arguments)
    assert ended.code == 2
    assert message in ended.err


def test_an_unknown_recipe_is_2_and_lists_the_known_ones(mien: Any, tmp_path: Path) -> None:
    ended = mien("synthesize", "--recipe", "none", "--n", 1, "--out", tmp_path / "x")
    assert ended.code == 2
    assert "clips, lsd, turned-faces, units" in ended.err


@needs_renderer
def test_a_folder_in_use_is_3(mien: Any, recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").write_text("mine")
    ended = mien("synthesize", "--recipe", recipe, "--n", 1, "--out", tmp_path / "full")
    assert ended.code == 3
    assert "not empty" in ended.err


def test_contact_sheets_replace_neither_one_another_nor_the_recipe(mien: Any, recipe: Path, tmp_path: Path) -> None:
    before = recipe.read_text()
    sheet = tmp_path / "sheet.png"
    for sheets, code, message in (
        (("--preview", sheet, "--preview-units", sheet), 2, "are the same file"),
        (("--preview", recipe), 3, "unknown kind of image file"),
        (("--preview", tmp_path / "absent.gif" / "x.png" / "y.bmp.txt"), 3, "unknown kind of image file"),
        (("--preview", recipe / "sheet.png"), 3, "cannot write"),
    ):
        ended = mien("synthesize", "--recipe", recipe, *sheets)
        assert (ended.code, message in ended.err) == (code, True), ended.err
    assert recipe.read_text() == before
    assert not sheet.exists()
