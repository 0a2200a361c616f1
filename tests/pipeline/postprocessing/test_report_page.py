# SPDX-License-Identifier: Apache-2.0
"""The page of a report: its parts without a browser, and how it looks and works in a real one, where there is one."""

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.core import EXPRESSIONS, Faces, Frame
from mien.media import VideoWriter, save_image
from mien.pipeline import write_report
from mien.results import TableWriter, table_schema
from tests.helpers.affect_tables import NOBODY, UNITS, faces
from tests.helpers.browser import BROWSER, NO_BROWSER, Page, open_page

in_a_browser = pytest.mark.skipif(BROWSER is None, reason=NO_BROWSER)
N_FRAMES = 40
OFFSET_S = 0.5
"""Time of the first frame on the clock of the file, as players show it."""


def write_table(path: Path, source: Path, frames: Sequence[Faces], fps: float = 10) -> Path:
    with TableWriter(path, table_schema(action_unit_labels=UNITS, stream_offset=True)) as writer:
        writer.set_stream_offset(source, OFFSET_S)
        for index, found in enumerate(frames):
            writer.append(source, Frame(index=index, time_s=index / fps, faces=found))
    return path


def two_faces(index: int) -> Faces:
    """Two tracks with pose and quality, of which the second one is there in every other second."""
    seen = [(5, "fear", 0.3, 0.9)] + ([(6, "anger", -0.3, 0.1)] if index // 10 % 2 else [])
    n = len(seen)
    return replace(
        faces(*seen),
        boxes=[[4 + 20 * k, 4, 20 + 20 * k, 20] for k in range(n)],
        pose_rad=[[0.1, 0.5 * np.sin(index), 0.2]] * n,
        quality=[0.8] * n,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports of a clip, of a clip without a face, and of a photo, on media that were drawn."""
    folder = tmp_path_factory.mktemp("pages")
    with VideoWriter(folder / "clip.mp4", 64, 36) as writer:
        for index in range(N_FRAMES):
            writer.write(np.full((36, 64, 3), 6 * index, np.uint8), index / 10)
    clip = write_table(folder / "clip.parquet", folder / "clip.mp4", [two_faces(index) for index in range(N_FRAMES)])
    write_report(clip, folder / "clip.html", playback="link")
    none = write_table(folder / "none.parquet", folder / "clip.mp4", [NOBODY] * N_FRAMES)
    write_report(none, folder / "none.html")
    save_image(folder / "photo.png", np.full((36, 64, 3), 90, np.uint8))
    photo = write_table(folder / "photo.parquet", folder / "photo.png", [two_faces(10)])
    write_report(photo, folder / "photo.html")
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_page(tmp_path_factory.mktemp("profile")) as page:
        yield page


def test_the_script_uses_only_places_that_the_page_has(folder: Path) -> None:
    text = (folder / "clip.html").read_text("utf-8")
    placed = set(re.findall(r'\bid="([a-z-]+)"', text))
    used = set(re.findall(r'byId\("([a-z-]+)"\)', text)) | set(re.findall(r'data-plot="([a-z]+)"', text))
    assert used
    assert used <= placed, used - placed
    for chart in ("expressions", "affect", "units", "state", "pose", "plane"):
        assert f'data-plot="{chart}"' in text, chart


def test_a_phone_shows_the_table_as_blocks(folder: Path) -> None:
    """What the browser test measures, as far as it can be read from the page."""
    text = (folder / "clip.html").read_text("utf-8")
    narrow = text.partition("@media (max-width: 640px) {")[2].partition("\n}\n")[0]
    assert "#faces td { display: block; }" in narrow
    assert "content: attr(data-column)" in narrow
    assert '"data-column": header[at]' in text


@in_a_browser
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("name", ["clip", "none", "photo"])
def test_nothing_lies_beyond_the_edge_and_the_console_is_quiet(
    browser: Page, folder: Path, name: str, width: int, dark: bool
) -> None:
    browser.problems.clear()
    browser.open(folder / f"{name}.html", width=width, dark=dark)
    assert browser.run("document.documentElement.dataset.ready") == "yes"
    assert browser.problems == []
    assert browser.run("innerWidth") == width
    assert browser.run("document.documentElement.scrollWidth") <= width
    beyond = browser.run(
        "[...document.querySelectorAll('td, th, button, h2, figure, li, .plot')].filter((e) => e.offsetParent)"
        ".map((e) => [e.tagName, e.textContent, e.getBoundingClientRect().right]).filter((e) => e[2] > innerWidth)"
    )
    assert beyond == []
    ground = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) is dark


@in_a_browser
@pytest.mark.parametrize("width", [390, 1200])
def test_every_column_can_be_read(browser: Page, folder: Path, width: int) -> None:
    browser.open(folder / "clip.html", width=width)
    shown = browser.run(
        "[...document.querySelectorAll('#faces tr:last-child td')].slice(1).map((e) => [e.dataset.column, e.innerText,"
        "getComputedStyle(e, '::before').content, e.getBoundingClientRect().width > 20])"
    )
    names = ["face", "in view", "valence", "arousal", "expressions, share of time", "action units, base rate (events)"]
    assert [column for column, *_ in shown] == names
    assert all(text and is_wide for _, text, _, is_wide in shown)
    heading = browser.run("document.querySelector('#faces .names').offsetHeight")
    if width == 390:  # the heading is gone: every value has its own
        assert heading == 0
        assert [before for _, _, before, _ in shown] == [f'"{name}"' for name in names]
    else:
        assert heading > 0


@in_a_browser
def test_charts_show_every_point_and_every_face_has_a_picture(browser: Page, folder: Path) -> None:
    browser.open(folder / "clip.html")
    assert browser.run("document.title") == "clip.mp4"
    for chart in ("expressions", "affect", "units", "state", "pose", "plane"):
        assert browser.run(f"document.getElementById('{chart}').dataset.points") == str(N_FRAMES), chart
    drawn = browser.run("[...document.querySelectorAll('[data-label]')].map((e) => e.dataset.label)")
    assert drawn == list(EXPRESSIONS)
    lines = browser.run("[...document.querySelectorAll('[data-line]')].map((e) => e.dataset.line)")
    assert lines == ["valence", "arousal", "quality", "pitch", "yaw", "roll"]
    chips = "[...document.querySelectorAll('#subjects button')]"
    chips += ".map((e) => [e.innerText, e.querySelector('img').naturalWidth > 0])"
    assert browser.run(chips) == [["track 5", True], ["track 6", True]]
    assert browser.run("[...document.querySelectorAll('#faces tr td:first-child img')].length") == 3
    assert "AU12 lip corner puller" in browser.run("document.getElementById('units').textContent")


@in_a_browser
def test_a_chip_chooses_a_face(browser: Page, folder: Path) -> None:
    browser.open(folder / "clip.html")
    browser.click(*browser.middle("#subjects button:nth-child(2)"))
    assert browser.run("document.getElementById('affect').dataset.points") == str(N_FRAMES // 2)


@in_a_browser
def test_the_frame_strip_shows_the_frame_under_the_pointer(browser: Page, folder: Path) -> None:
    browser.open(folder / "clip.html")
    assert browser.run("document.querySelectorAll('#strip > img').length") > 3
    assert browser.run("document.querySelector('#strip figure')") is None
    browser.move(*browser.middle("#strip"))
    assert browser.run("document.querySelector('#strip figure img').naturalWidth") > 0
    assert browser.run("document.getElementById('now-image').hidden") is False
    assert browser.run("document.getElementById('readout').textContent").startswith("0:0")


@in_a_browser
def test_a_click_seeks_the_video(browser: Page, folder: Path) -> None:
    browser.problems.clear()
    browser.open(folder / "clip.html")
    loaded = "new Promise((done) => { const v = document.getElementById('video'), go = () => done(v.duration);"
    loaded += "v.addEventListener('error', () => done(-1));"
    loaded += "if (v.readyState) go(); else v.addEventListener('loadedmetadata', go); })"
    assert browser.run(loaded) == pytest.approx(N_FRAMES / 10, abs=0.2)
    browser.click(*browser.middle("#affect"))
    readout = browser.run("document.getElementById('readout').textContent")
    assert browser.run("document.getElementById('video').currentTime") == pytest.approx(
        float(readout[2:7]) + OFFSET_S, abs=0.06
    )
    assert float(readout[2:7]) > 1
    assert browser.problems == []


@in_a_browser
def test_charts_and_values_can_be_saved(browser: Page, folder: Path) -> None:
    browser.open(folder / "clip.html")
    browser.run("window.offered = []; offer = (address, name) => window.offered.push([name, address]); 0")
    for selector in ("#save-face", "#save-summary", "button.save[data-plot=units]"):
        browser.click(*browser.middle(selector))
    browser.run(
        "new Promise((done) => { const look = () => offered.length > 2 ? done(0) : setTimeout(look, 20); look(); })"
    )
    (face, face_csv), (summary, summary_csv), (chart, png) = browser.run("window.offered")
    assert (face, summary) == ("clip.mp4_track-5.csv", "clip.mp4_faces.csv")
    assert chart == "clip.mp4_track-5_units.png"
    rows = browser.run("csvOf(rowsOf(state.series))").splitlines()
    assert len(rows) == N_FRAMES + 1
    first = dict(zip(rows[0].split(","), rows[1].split(","), strict=True))
    assert (first["valence"], first["AU12"], first["quality"]) == ("0.304", "0.9", "0.8")
    assert float(first["pitch_deg"]) == pytest.approx(np.rad2deg(0.1), abs=0.4)
    assert face_csv.startswith("data:text/csv;charset=utf-8,begin_s%2Cend_s%2Cvalence")
    assert "track%205" in summary_csv
    kind, _, data = png.partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data).startswith(b"\x89PNG")
    assert browser.run("csvOf([['=1+1', 'a,b', NaN]])") == '\'=1+1,"a,b",\r\n'


@in_a_browser
def test_a_recording_without_a_face_says_so(browser: Page, folder: Path) -> None:
    browser.open(folder / "none.html")
    assert browser.run("document.getElementById('nothing').innerText") == "No face was found in 40 frames (0:04.00)."
    assert browser.run("document.getElementById('timelines').offsetParent") is None
    assert browser.run("document.querySelectorAll('#strip > img').length") > 3


@in_a_browser
def test_the_faces_of_a_photo_are_numbered(browser: Page, folder: Path) -> None:
    browser.open(folder / "photo.html")
    found = browser.run(
        "[...document.querySelectorAll('.photo span')].map((e) => { const b = e.getBoundingClientRect(),"
        "i = e.parentElement.querySelector('img').getBoundingClientRect();"
        "return [e.innerText, (b.left - i.left) / i.width, (b.right - i.left) / i.width]; })"
    )
    assert [number for number, *_ in found] == ["1", "2"]
    assert found[0][1:] == pytest.approx([4 / 64, 20 / 64], abs=0.01)
    assert found[1][1:] == pytest.approx([24 / 64, 40 / 64], abs=0.01)
    assert "AU12 lip corner puller 0.90" in browser.run("document.querySelector('.who li').innerText")
