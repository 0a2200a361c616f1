# SPDX-License-Identifier: Apache-2.0
"""Whole runs over good inputs, with the models that are shipped and a real face."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mien
from mien.affect import Smoothing
from mien.core import ConfigError, InputError, ModelError
from mien.media import camera as camera_module
from mien.media import load_image, open_video
from mien.pipeline import Progress, TableWritten, analyze
from mien.pipeline.postprocessing.smooth import smooth_file
from mien.results import InputRecord, read_table, table_metadata
from tests.helpers.face_clips import FPS, N_FRAMES, manifest, times_of, write_clip, write_photo
from tests.helpers.run_results import code_of


def column(table: Path, name: str) -> list[Any]:
    values: list[Any] = read_table(table)[name].to_pylist()
    return values


def test_a_photo(photo: Path, tmp_path: Path) -> None:
    table = tmp_path / "photo.parquet"
    result = analyze(photo, table)
    assert (code_of(result), result.tables, result.failures) == (0, (table,), ())
    rows = read_table(table).to_pylist()
    assert len(rows) == 1
    assert rows[0]["success"] is True
    assert (rows[0]["frame"], rows[0]["time_s"], rows[0]["track_id"]) == (0, 0.0, None)
    assert rows[0]["expression"] == "happiness"
    assert rows[0]["x0"] < 120 < rows[0]["x1"]
    assert table_metadata(read_table(table).schema)["bundle_name"] == "mien-light"


def test_a_video_has_a_row_per_frame_at_its_time(clip: Path, tmp_path: Path) -> None:
    table = tmp_path / "clip.csv"
    assert code_of(analyze([clip], table)) == 0
    assert column(table, "frame") == list(range(N_FRAMES))
    assert column(table, "time_s") == pytest.approx([index / FPS for index in range(N_FRAMES)])
    assert set(column(table, "track_id")) == {0}
    record = manifest(table)["inputs"][0]
    assert record["sha256"] == hashlib.sha256(clip.read_bytes()).hexdigest()
    assert (record["n_frames_decoded"], record["n_frames_lost"], record["n_rows"]) == (N_FRAMES, 0, N_FRAMES)
    assert record["messages"] == []


def test_the_streams_own_clock_is_in_the_metadata(tmp_path: Path, face: np.ndarray) -> None:
    clip = write_clip(tmp_path / "clip.mkv", face, 5, first=50)
    analyze(clip, tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert float(table_metadata(table.schema)["stream_offset_s"]) == pytest.approx(2.0, abs=0.05)
    assert table["time_s"][0].as_py() == 0.0


def test_a_folder_into_one_table(tmp_path: Path, face: np.ndarray, clip: Path) -> None:
    folder = tmp_path / "Bilder von früher 📷"
    for name in ("b.png", "sub folder/a.jpg"):
        write_photo(folder / name, face)
    table = tmp_path / "Tabelle für alle.jsonl"
    result = analyze([folder, clip], table)
    assert code_of(result) == 0
    sources = column(table, "source")
    assert sources[:2] == [str(folder / "b.png"), str(folder / "sub folder" / "a.jpg")]
    assert sources[2:] == [str(clip)] * N_FRAMES


def test_the_same_name_in_two_folders(tmp_path: Path, face: np.ndarray) -> None:
    photos = [write_photo(tmp_path / where / "x.png", face) for where in ("one", "two")]
    analyze(photos, tmp_path / "out")
    for photo in photos:
        assert column(tmp_path / "out" / f"{photo.parent.name}_x.png.parquet", "source") == [str(photo)]


def test_no_face_is_one_row_without_success(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "sky.png", np.full((90, 120, 3), 200, np.uint8))
    table = tmp_path / "sky.parquet"
    result = analyze(photo, table)
    assert code_of(result) == 0
    rows = read_table(table).to_pylist()
    assert [row["success"] for row in rows] == [False]
    given = {name for name, value in rows[0].items() if value is not None}
    assert given == {"source", "frame", "time_s", "success"}


def test_one_pixel(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "dot.png", np.zeros((1, 1, 3), np.uint8))
    assert code_of(analyze(photo, tmp_path / "dot.csv")) == 0
    assert column(tmp_path / "dot.csv", "success") == [False]


def test_fifty_faces(tmp_path: Path, astronaut: np.ndarray) -> None:
    head = astronaut[20:180, 145:305]
    crowd = write_photo(tmp_path / "crowd.png", np.tile(head, (5, 10, 1)))
    table = tmp_path / "crowd.parquet"
    analyze(crowd, table)
    rows = read_table(table)
    boxes = np.stack([rows[name].to_numpy() for name in ("x0", "y0", "x1", "y1")], axis=1)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    tiles = {(int(x // 160), int(y // 160)) for x, y in centres}
    assert rows.num_rows == len(tiles) == 50


def test_the_largest_face(tmp_path: Path, face: np.ndarray) -> None:
    scene = np.zeros((240, 400, 3), np.uint8)
    scene[:, :240] = face
    scene[60:180, 260:380] = face[::2, ::2]
    photo = write_photo(tmp_path / "two.png", scene)
    analyze(photo, tmp_path / "all.parquet", faces="all")
    analyze(photo, tmp_path / "largest.parquet", faces="largest")
    everyone, largest = (read_table(tmp_path / f"{name}.parquet").to_pylist() for name in ("all", "largest"))
    assert len(everyone) == 2
    assert len(largest) == 1
    assert largest[0]["x1"] < 240


@pytest.fixture
def two_people(tmp_path: Path, face: np.ndarray) -> Path:
    """A clip with a large face at the left and a small one at the right."""
    scene = np.zeros((240, 400, 3), np.uint8)
    scene[:, :240] = face
    scene[60:180, 260:380] = face[::2, ::2]
    return write_clip(tmp_path / "two.mp4", scene, 6)


def test_one_track_of_a_video(two_people: Path, photo: Path, tmp_path: Path) -> None:
    analyze(two_people, tmp_path / "all.parquet")
    everyone = read_table(tmp_path / "all.parquet").to_pylist()
    wanted = next(row["track_id"] for row in everyone if row["x0"] > 240)
    analyze(two_people, tmp_path / "one.parquet", faces=f"track={wanted}")
    assert read_table(tmp_path / "one.parquet").to_pylist() == [r for r in everyone if r["track_id"] == wanted]
    result = analyze([two_people, photo], tmp_path / "none.parquet", faces="track=99")
    assert column(tmp_path / "none.parquet", "success") == [False] * 6  # no time is lost
    assert result.inputs[0].messages == ("there is no track 99 here; analyse all faces to see them",)
    assert "a photo has no tracks" in result.failures[0].reason


def test_who_is_not_chosen_is_hidden_too(two_people: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "hidden.mp4"
    analyze(two_people, tmp_path / "t.parquet", faces="largest", overlay=overlay, anonymous=True)
    assert len(column(tmp_path / "t.parquet", "x1")) == 6
    assert max(column(tmp_path / "t.parquet", "x1")) < 250
    with open_video(two_people) as before, open_video(overlay) as after:
        for shown, drawn in zip(before, after, strict=True):
            changed = np.abs(drawn.image.astype(int) - shown.image)
            eyes = slice(105, 125), slice(308, 338)  # of the small face
            assert changed[eyes].mean() > 8


def test_landmarks_lie_in_the_face(photo: Path, tmp_path: Path) -> None:
    table = tmp_path / "landmarks.parquet"
    analyze(photo, table, landmarks=True)
    row = read_table(table).to_pylist()[0]
    xs, ys = ([row[f"lm_{axis}{k:02d}"] for k in range(68)] for axis in "xy")
    assert xs[36] < xs[30] < xs[45]  # eye, nose, eye
    assert ys[19] < ys[37] < ys[30] < ys[57] < ys[8]  # brow, eye, nose, mouth, chin
    assert abs(row["yaw_rad"]) < 0.5


def test_without_a_landmark_net_the_detectors_five_keypoints(photo: Path, tmp_path: Path) -> None:
    table = tmp_path / "landmarks.parquet"
    analyze(photo, table, landmarks=True, landmark_model="none")
    row = read_table(table).to_pylist()[0]
    xs, ys = ([row[f"lm_{axis}{k:02d}"] for k in range(5)] for axis in "xy")
    assert "lm_x05" not in row
    assert row["yaw_rad"] is None
    assert all(row["x0"] < x < row["x1"] for x in xs)
    assert xs[0] < xs[2] < xs[1]
    assert max(ys[:2]) < ys[2] < min(ys[3:])


def test_every_and_ranges_keep_true_numbers_and_times(clip: Path, tmp_path: Path) -> None:
    table = tmp_path / "part.parquet"
    analyze(clip, table, every=3, start_s=0.2, stop_s=0.6)
    assert column(table, "frame") == [6, 9, 12]
    assert column(table, "time_s") == pytest.approx([0.24, 0.36, 0.48])


def test_smoothing_while_reading_is_smoothing_the_table(clip: Path, tmp_path: Path) -> None:
    raw, live, after = (tmp_path / f"{name}.parquet" for name in ("raw", "live", "after"))
    analyze(clip, raw)
    assert code_of(analyze(clip, live, smooth="expr=3,va=2,au=1")) == 0
    smooth_file(raw, after, Smoothing(expr=3, va=2, au=1))
    for name in ("expression_happiness", "arousal", "AU12"):
        assert column(live, name) == pytest.approx(column(after, name), abs=2e-3)
    assert column(live, "time_s") == column(raw, "time_s")
    assert manifest(live)["arguments"]["smooth"] == str(Smoothing(expr=3, va=2, au=1))
    with pytest.raises(InputError, match="smoothed already"):
        smooth_file(live, tmp_path / "again.parquet", Smoothing(va=1))
    with pytest.raises(ConfigError, match="nothing is to be smoothed"):
        analyze(clip, tmp_path / "none.parquet", smooth="expr=0")


def test_an_overlay_of_a_video(clip: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "drawn.mp4"
    analyze(clip, tmp_path / "t.parquet", overlay=overlay, start_s=0.4)
    times = times_of(overlay)
    assert len(times) == N_FRAMES // 2
    assert times[0] == 0.0
    assert times[-1] == pytest.approx((N_FRAMES // 2 - 1) / FPS, abs=1e-3)
    assert manifest(tmp_path / "t.parquet")["arguments"]["overlay"] == str(overlay)


@pytest.mark.parametrize("anonymous", [False, True])
def test_an_overlay_of_a_photo(photo: Path, tmp_path: Path, face: np.ndarray, anonymous: bool) -> None:
    overlay = tmp_path / "drawn.png"
    analyze(photo, tmp_path / "t.parquet", overlay=overlay, anonymous=anonymous)
    drawn, before = load_image(overlay).astype(int), load_image(photo).astype(int)
    assert drawn.shape == face.shape
    eyes = slice(95, 115), slice(95, 145)
    # Half of the pixels and more: landmarks and axes are drawn on a few.
    assert bool(np.median(np.abs(drawn - before)[eyes]) > 8) is anonymous


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"faces": "some"}, ConfigError, "faces must be all, largest"),
        ({"anonymous": True}, ConfigError, "anonymous changes the overlay"),
        ({"detector": "mtcn"}, ConfigError, "no detector is named 'mtcn'; did you mean 'mtcnn'"),
        ({"detector": "yunet"}, ConfigError, "write yunet=FILE.onnx"),
        ({"detector": "mtcnn=x.onnx"}, ConfigError, "write mtcnn alone"),
        ({"detector": "yunet=gone.onnx"}, ModelError, r"gone\.onnx"),
        ({"runtime": "onnx"}, ConfigError, "no runtime is named 'onnx'; did you mean 'onnxruntime'"),
        ({"model": "mien-ligth"}, ModelError, "did you mean 'mien-light'"),
        ({"threads": 0}, ConfigError, "threads must be from 1 to 1,024, got 0"),
        ({"every": 0}, ConfigError, "every must be from 1 to"),
        ({"start_s": 2, "stop_s": 1}, ConfigError, "empty"),
    ],
)
def test_wrong_arguments_write_nothing(
    photo: Path, tmp_path: Path, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        analyze(photo, tmp_path / "out" / "t.parquet", **arguments)
    assert not (tmp_path / "out").exists()


def test_an_overlay_is_for_one_input(photo: Path, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="an overlay needs a single input, got 2"):
        analyze([photo, clip], tmp_path / "t.parquet", overlay=tmp_path / "o.mp4")


def test_threads_reach_every_model(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.faces import mtcnn
    from mien.inference import bundle, create_session

    seen = []

    def create(model: Any, *, runtime: str = "onnxruntime", threads: int | None = None) -> Any:
        seen.append(threads)
        return create_session(model, runtime=runtime, threads=threads)

    monkeypatch.setattr(mtcnn, "create_session", create)
    monkeypatch.setattr(bundle, "create_session", create)
    analyze(photo, tmp_path / "t.parquet", threads=1)
    assert seen == [1, 1, 1, 1, 1]


def test_events_come_as_they_happen(photo: Path, clip: Path, tmp_path: Path) -> None:
    events: list[Any] = []
    result = analyze([photo, clip], tmp_path, on_progress=events.append, on_event=events.append)
    kinds = [type(each) for each in events]
    assert kinds == [Progress, InputRecord, TableWritten, *[Progress] * N_FRAMES, InputRecord, TableWritten]
    assert [each.source for each in events[3:-2]] == [str(clip)] * N_FRAMES
    assert (events[-3].number, events[-3].n_inputs, events[-3].n_frames, events[-3].n_frames_expected) == (1, 2, 20, 20)
    assert tuple(each for each in events if isinstance(each, InputRecord)) == result.inputs


class FakeCapture:
    """What OpenCV gives for a camera: the same image again and again, blue first."""

    def __init__(self, image: np.ndarray, n_images: int) -> None:
        self._image = image[..., ::-1]
        self._n_left = n_images
        self.released = False

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        self._n_left -= 1
        return (True, self._image) if self._n_left >= 0 else (False, None)

    def get(self, _: int) -> float:
        return 30.0

    def release(self) -> None:
        self.released = True


def test_a_camera(face: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    capture = FakeCapture(face, 7)
    monkeypatch.setattr(camera_module.cv2, "VideoCapture", lambda _: capture)
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "camera.parquet"
    result = analyze("0", table, every=2, overlay=tmp_path / "camera.mp4")
    assert capture.released
    assert column(table, "source") == ["camera 0"] * 4
    assert column(table, "frame") == [0, 2, 4, 6]
    assert all(column(table, "success"))
    assert result.inputs[0].sha256 is None
    assert "unplugged" in result.inputs[0].messages[0]
    assert len(times_of(tmp_path / "camera.mp4")) == 4


def test_the_door_leads_here(photo: Path, tmp_path: Path) -> None:
    assert mien.analyze([photo], out=tmp_path).tables == (tmp_path / "photo.parquet",)


def test_a_real_clip(shared_data: Path, tmp_path: Path) -> None:
    table = tmp_path / "clip.parquet"
    result = analyze(shared_data / "video" / "single_face.mp4", table, stop_s=1.0)
    assert code_of(result) == 0
    assert set(column(table, "track_id")) == {0}
    assert all(column(table, "success"))
    times = column(table, "time_s")
    assert times == sorted(set(times))
    assert times[-1] < 1.0


def test_a_clip_without_faces(shared_data: Path, tmp_path: Path) -> None:
    table = tmp_path / "clip.parquet"
    assert code_of(analyze(shared_data / "video" / "no_face.mp4", table, every=10)) == 0
    assert set(column(table, "success")) == {False}


def test_a_second_run_replaces_the_first(face: np.ndarray, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", face, 5)
    for _ in range(2):
        assert code_of(analyze(clip, tmp_path / "t.csv", overlay=tmp_path / "o.mp4")) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "o.mp4", "t.csv", "t.csv.manifest.json"]
