# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from mien.core import ConfigError, InputError
from mien.faces import Detections, FaceDetector, FaceFollower, create_detector, load_landmark_net
from mien.faces.detector import FakeDetector, FakeRefiningDetector, FakeSearchingDetector, faces_at
from mien.media import open_video

Image = npt.NDArray[np.uint8]
BLANK: Image = np.zeros((72, 128, 3), np.uint8)
STREET: Image = np.random.default_rng(0).integers(0, 255, BLANK.shape, dtype=np.uint8)
FPS = 25.0


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return create_detector("mtcnn", threads=1)


class Script:
    """A detector's answers frame by frame: the test moves it on."""

    def __init__(self, faces: list[Detections]) -> None:
        self.faces = faces
        self.index = 0

    def __call__(self, _: Image) -> Detections:
        return self.faces[self.index]

    def follow(self, follower: FaceFollower, *, still: bool = False) -> list[list[int]]:
        """Before a street where a light changes in the corner, or a still one."""
        numbers, picture = [], STREET.copy()
        for index in range(len(self.faces)):
            self.index = index
            if not still:
                picture[-12:, -12:] = index * 53 % 256
            numbers.append(follower.update(picture, index / FPS)[1].tolist())
        return numbers


def at(x: float, score: float = 0.99) -> Detections:
    return faces_at([[x, 10, x + 20, 30]], [score])


def test_detector_rests_on_followed_faces() -> None:
    script = Script([at(10 + 0.2 * t) for t in range(50)])
    fake = FakeRefiningDetector(script)
    assert script.follow(FaceFollower(fake, scan_every_s=0.5)) == [[0]] * 50
    # Frames 0, 13, 26 and 39: half a second is 12.5 frames.
    assert fake.n_detections == 4
    assert fake.n_refinements == 49


def test_most_scans_are_searches_while_all_is_well() -> None:
    script = Script([at(10 + 0.2 * t) for t in range(120)])
    fake = FakeSearchingDetector(script)
    assert script.follow(FaceFollower(fake, scan_every_s=0.5)) == [[0]] * 120
    # Every 13 frames: 0, 13, ... 117; of these, every two seconds (50 frames) a detection: 0, 52, 104.
    assert (fake.n_detections, fake.n_searches) == (3, 7)


def test_nothing_is_searched_where_nothing_moves() -> None:
    script = Script([at(10 + 0.2 * t) for t in range(250)])
    fake = FakeSearchingDetector(script)
    assert script.follow(FaceFollower(fake, scan_every_s=0.5), still=True) == [[0]] * 250
    # Ten seconds: the first frame, and every four seconds, checked each half second (13 frames): frames 104 and 208.
    assert (fake.n_detections, fake.n_searches) == (3, 0)


def test_a_face_that_comes_into_a_still_picture_is_found_as_soon_as_anywhere() -> None:
    both = faces_at([[10, 10, 30, 30], [40, 10, 60, 30]])
    script = Script([at(10)] * 20 + [both] * 40)
    follower, pictures = FaceFollower(FakeSearchingDetector(script)), [STREET.copy(), STREET.copy()]
    pictures[1][10:30, 40:60] = 128
    seen = []
    for script.index in range(60):
        shown = pictures[script.index >= 20]
        seen.append(len(follower.update(shown, script.index / FPS)[1]))
    assert seen == [1] * 26 + [2] * 34


def test_a_known_face_may_move_in_a_still_picture() -> None:
    script = Script([at(10)] * 50)
    fake = FakeSearchingDetector(script)
    follower, picture = FaceFollower(fake), STREET.copy()
    for script.index in range(50):
        picture[8:32, 8:32] = 100 + script.index % 4 * 10
        follower.update(picture, script.index / FPS)
    assert (fake.n_detections, fake.n_searches) == (1, 0)


def test_a_small_new_face_waits_for_a_detection_a_large_one_does_not() -> None:
    appears_at = 5
    for width, first_seen in ((20, 13), (8, 52)):
        both = faces_at([[10, 10, 30, 30], [40, 10, 40 + width, 30]])
        script = Script([at(10)] * appears_at + [both] * 60)
        numbers = script.follow(FaceFollower(FakeSearchingDetector(script, smallest_px=15), scan_every_s=0.5))
        assert [len(frame) for frame in numbers] == [1] * first_seen + [2] * (65 - first_seen)


def test_a_small_face_that_comes_back_is_found_within_a_scan() -> None:
    small = faces_at([[10, 10, 18, 18]])
    script = Script([small] * 5 + [Detections.empty()] * 5 + [small] * 20)
    fake = FakeSearchingDetector(script, smallest_px=15)
    numbers = script.follow(FaceFollower(fake, scan_every_s=0.5))
    assert numbers[:5] == [[0]] * 5
    # Gone at frame 5: a detection; searches look where it was, and the next detection is at most half a second away.
    assert numbers[18:] == [[0]] * 12
    assert fake.n_searches > 0


def test_detector_without_second_look_runs_on_every_frame() -> None:
    script = Script([at(10)] * 10)
    fake = FakeDetector(script)
    assert script.follow(FaceFollower(fake)) == [[0]] * 10
    assert fake.n_detections == 10


def test_lost_face_is_searched_at_once_then_now_and_then() -> None:
    script = Script([at(10)] * 5 + [Detections.empty()] * 20)
    fake = FakeRefiningDetector(script)
    script.follow(FaceFollower(fake, scan_every_s=100))
    # Frame 0; frame 5, where it is gone; then every tenth of a second: frames 8, 11, 14, 17, 20 and 23.
    assert fake.n_detections == 8


def test_new_face_is_found_soon() -> None:
    both = faces_at([[10, 10, 30, 30], [40, 10, 60, 30]])
    script = Script([at(10)] * 5 + [both] * 25)
    numbers = script.follow(FaceFollower(FakeRefiningDetector(script), scan_every_s=0.5))
    assert numbers[12] == [0]
    assert numbers[13] == [0, 1]


def test_doubtful_new_face_is_checked_on_the_next_frame() -> None:
    script = Script([Detections.empty()] * 3 + [at(10, 0.9)] * 3)
    assert script.follow(FaceFollower(FakeRefiningDetector(script)))[3:] == [[], [0], [0]]


def test_false_face_of_one_frame_makes_no_track() -> None:
    script = Script([Detections.empty()] * 3 + [at(10, 0.9)] + [Detections.empty()] * 10)
    assert script.follow(FaceFollower(FakeRefiningDetector(script))) == [[]] * 14


def test_times_that_do_not_grow() -> None:
    follower = FaceFollower(FakeRefiningDetector(lambda _: at(10)))
    numbers = [follower.update(BLANK, time_s)[1].tolist() for time_s in (1.0, 1.0, 0.5, 1.1)]
    assert numbers == [[0]] * 4


def test_wrong_arguments() -> None:
    fake = FakeDetector(lambda _: Detections.empty())
    with pytest.raises(ConfigError, match="scan_every_s"):
        FaceFollower(fake, scan_every_s=-1)
    with pytest.raises(ConfigError, match="nan"):
        FaceFollower(fake).update(BLANK, float("nan"))
    with pytest.raises(InputError, match="RGB"):
        FaceFollower(fake).update(BLANK[:, :, 0], 0.0)


def test_moving_astronaut(detector: FaceDetector, astronaut: Image) -> None:
    """The real nets on a face that moves in a circle; what is followed is what a full detection finds."""
    follower = FaceFollower(detector, scan_every_s=100)
    for index in range(24):
        angle = 2 * np.pi * index / 24
        x, y = round(60 + 40 * np.cos(angle)), round(20 + 20 * np.sin(angle))
        image = astronaut[y : y + 240, x : x + 260]
        found, numbers = follower.update(image, index / FPS)
        assert numbers.tolist() == [0]
        np.testing.assert_allclose(found.boxes[0], np.array([178, 65, 270, 177]) - [x, y, x, y], atol=14)
        np.testing.assert_allclose(found.keypoints[0, 2], [225 - x, 126 - y], atol=7)


def test_cut_ends_the_track(detector: FaceDetector, astronaut: Image) -> None:
    follower = FaceFollower(detector)
    frames = [astronaut[:300]] * 3 + [np.ascontiguousarray(astronaut[:300, ::-1])] * 3
    assert [follower.update(frame, index / FPS)[1].tolist() for index, frame in enumerate(frames)] == [[0]] * 3 + [
        [1]
    ] * 3


def numbers_of(frames: list[Image], detector: FaceDetector, step_s: float = 1 / FPS) -> list[list[int]]:
    """Track numbers by frame, with the landmark network as in videos."""
    follower = FaceFollower(detector, load_landmark_net())
    return [follower.update(frame, index * step_s)[1].tolist() for index, frame in enumerate(frames)]


@pytest.mark.parametrize("gray", [255, 0])
@pytest.mark.parametrize("n_flash", [1, 3])
def test_a_flash_ends_no_track(detector: FaceDetector, astronaut: Image, gray: int, n_flash: int) -> None:
    face, flash = np.ascontiguousarray(astronaut[:300]), np.full((300, 512, 3), gray, np.uint8)
    frames = [face] * 3 + [flash] * n_flash + [face] * 3 + [flash] + [face] * 3
    seen = numbers_of(frames, detector)
    assert seen == [[0]] * 3 + [[]] * n_flash + [[0]] * 3 + [[]] + [[0]] * 3


def test_a_flash_that_fades_ends_no_track(detector: FaceDetector, astronaut: Image) -> None:
    face = astronaut[:300].astype(np.float32)
    fading = [np.asarray(face + (255 - face) * share, np.uint8) for share in (0, 0, 1, 0.9, 0.6, 0.3, 0, 0)]
    seen = numbers_of(fading, detector)
    assert {number for frame in seen for number in frame} == {0}
    assert seen[-1] == [0]


def test_a_scene_that_comes_back_too_late_has_new_tracks(detector: FaceDetector, astronaut: Image) -> None:
    face, other = np.ascontiguousarray(astronaut[:300]), np.full((300, 512, 3), 255, np.uint8)
    assert numbers_of([face] * 2 + [other] * 6 + [face] * 2, detector, step_s=0.2)[-1] == [1]


@pytest.mark.parametrize("fake", [FakeDetector, FakeRefiningDetector, FakeSearchingDetector])
def test_a_long_pause_ends_tracks_and_sparse_frames_do_not(fake: type[FakeDetector]) -> None:
    def numbers(times_s: list[float]) -> list[list[int]]:
        follower = FaceFollower(fake(lambda _: at(10)))
        return [follower.update(STREET, time_s)[1].tolist() for time_s in times_s]

    assert numbers([0, 0.04, 0.08, 3600, 3600.04, 7200]) == [[0], [0], [0], [1], [1], [2]]
    assert numbers([0, 0.04, 0.08, 9.0]) == [[0]] * 4
    assert numbers([0, 30, 60, 90, 3600]) == [[0], [0], [0], [0], [1]]
    assert numbers([0, 3600]) == [[0], [1]]


def test_a_head_upside_down_is_followed_as_such(detector: FaceDetector, astronaut: Image) -> None:
    down = np.ascontiguousarray(astronaut[:300][::-1, ::-1])
    follower = FaceFollower(detector, load_landmark_net())
    for index in range(6):
        found, numbers = follower.update(down, index / FPS)
        assert numbers.tolist() in ([], [0])
        assert (np.abs(found.pose_rad[:, 2]) > 2.6).all()


def test_a_face_in_the_shade_is_followed(detector: FaceDetector, astronaut: Image) -> None:
    dark = np.asarray(astronaut[:300] * 0.04, np.uint8)
    dark[:30, :30] = 255
    assert len(detector.detect(dark)) == 0
    assert numbers_of([dark] * 6, detector) == [[0]] * 6


HARD = Path(__file__).parents[3] / "shared" / "cases" / "hard"


@pytest.mark.parametrize(
    ("clip", "n_frames", "n_least", "upside_down"),
    [("upside_down.mp4", 30, 0, True), ("flash.mp4", 72, 70, False), ("sidelight.mp4", 72, 72, False)],
)
def test_shared_cases(detector: FaceDetector, clip: str, n_frames: int, n_least: int, upside_down: bool) -> None:
    if not (HARD / clip).is_file():
        pytest.skip("needs shared/cases")
    follower, numbers, rolls, n_seen = FaceFollower(detector, load_landmark_net()), [], [], 0
    with open_video(HARD / clip) as frames:
        for frame in frames:
            n_seen += 1
            found, ids = follower.follow(frame)
            numbers += ids.tolist()
            rolls += found.pose_rad[:, 2].tolist()
    assert n_seen == n_frames
    assert len(numbers) >= n_least
    assert set(numbers) <= {0}
    assert all((abs(roll) > 2.6) is upside_down for roll in rolls)


def numbers_by_frame(detector: FaceDetector, clip: Path, n_frames: int | None = None) -> list[list[int]]:
    follower, numbers = FaceFollower(detector), []
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            numbers.append(follower.update(frame.to_ndarray(format="rgb24"), float(frame.time or 0))[1].tolist())
            if len(numbers) == n_frames:
                break
    return numbers


@pytest.mark.parametrize(
    ("clip", "n_frames"),
    # She holds her hand before her mouth in frames 60 to 210.
    [("single_face.mp4", None), ("cry_to_laugh.mp4", 240), ("grid_brbk7n.mpg", None)],
)
def test_clips_with_one_face(detector: FaceDetector, shared_data: Path, clip: str, n_frames: int | None) -> None:
    numbers = numbers_by_frame(detector, shared_data / "video" / clip, n_frames)
    assert len(numbers) > 50
    assert all(frame == [0] for frame in numbers)


def test_clip_without_faces(detector: FaceDetector, shared_data: Path) -> None:
    assert not any(numbers_by_frame(detector, shared_data / "video" / "no_face.mp4"))


def test_clip_with_cuts(detector: FaceDetector, shared_data: Path) -> None:
    numbers = numbers_by_frame(detector, shared_data / "video" / "several_faces.mp4")
    shots = [numbers[start:end] for start, end in ((0, 20), (20, 82), (82, 211), (211, None))]
    seen = [{number for frame in shot for number in frame} for shot in shots]
    assert sum(len(shot) for shot in seen) == len(set.union(*seen)), "a number crossed a cut"
    assert [len(shot) for shot in seen] == [2, 1, 1, 4]
    # The fourth is a dark profile that passes for a face on some frames only.
    assert all(len(frame) >= 3 for frame in shots[3])
