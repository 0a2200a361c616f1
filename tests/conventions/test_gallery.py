# SPDX-License-Identifier: Apache-2.0
"""The command of the gallery makes every picture that the pages show."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mien.media import load_image
from tests.helpers.repository import ROOT

GALLERY = ROOT / "docs/gallery"


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery_pictures", GALLERY / "pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gallery_pictures", module)
    spec.loader.exec_module(module)
    return module


def test_every_picture_is_made_again(
    pictures: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a browser, those of the report are left out and the command says so."""
    monkeypatch.setattr(pictures, "find_browser", lambda: None)
    pictures.make_pictures(tmp_path)
    assert "no Chromium" in capsys.readouterr().err
    made = {path.name for path in tmp_path.iterdir()} - {pictures.SUMS}
    kept = {path.name for path in GALLERY.iterdir() if path.suffix in {".jpg", ".png"}}
    assert kept - made == {"first-screen.jpg", "report.png", "report-phone.png"}
    assert made <= kept
    for name in made:
        assert load_image(tmp_path / name).shape == load_image(GALLERY / name).shape
    assert (tmp_path / pictures.SUMS).read_text("utf-8").count("\n") == len(made)


def test_a_video_that_ends_too_early_is_said(pictures: ModuleType) -> None:
    with pytest.raises(SystemExit, match="ends before"):
        pictures.frame_at(pictures.SAMPLE / pictures.CLIP, 60.0)
