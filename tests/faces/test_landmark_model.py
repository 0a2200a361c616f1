# SPDX-License-Identifier: Apache-2.0
"""The landmark network that comes with mien: its landmarks, the signs of its pose, and its confidence."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mien.core import ConfigError, InputError, ModelError
from mien.datasets import load_landmark_faces
from mien.faces import (
    Detections,
    FaceFollower,
    LandmarkNet,
    create_landmark_model,
    keypoints_of,
    load_landmark_net,
    read_given_face,
    read_new_faces,
    refine_landmarks,
)
from mien.faces.detector import FakeDetector, faces_at
from mien.inference import DEFAULT_BUNDLE, load_bundle
from mien.media import decode_image

Image = npt.NDArray[np.uint8]

# The astronaut's eyes, tip of the nose and corners of the mouth, by eye.
FIVE = np.array([[[203, 101], [246, 103], [223, 127], [203, 140], [247, 139]]], np.float32)


@pytest.fixture(scope="module")
def net() -> LandmarkNet:
    return load_landmark_net()


def test_landmarks_lie_on_the_face(net: LandmarkNet, astronaut: Image) -> None:
    seen = net.read(astronaut, FIVE)
    assert seen.confidence[0] > 0.9
    np.testing.assert_allclose(seen.keypoints, FIVE, atol=6)
    np.testing.assert_allclose(keypoints_of(seen.landmarks), seen.keypoints, atol=1e-3)
    landmarks = seen.landmarks[0]
    assert landmarks[8, 1] == landmarks[:17, 1].max()  # the chin is the lowest of the jaw
    downwards = landmarks[[19, 37, 41, 33, 62], 1]  # from brow to mouth
    assert (np.diff(downwards) > 0).all()
    assert (seen.boxes[0, :2] <= landmarks.min(axis=0)).all()
    assert (seen.boxes[0, 2:] >= landmarks.max(axis=0)).all()
    assert (seen.eyes_open > 0.5).all()


def test_rough_places_give_the_same_landmarks(net: LandmarkNet, astronaut: Image) -> None:
    expected = net.read(astronaut, FIVE).landmarks
    for moved in (FIVE + 6, FIVE - np.array([7, 0]), (FIVE - FIVE.mean(axis=1)) * 1.2 + FIVE.mean(axis=1)):
        np.testing.assert_allclose(net.read(astronaut, moved.astype(np.float32)).landmarks, expected, atol=5)


def test_gray_and_colour_are_the_same(net: LandmarkNet, astronaut: Image) -> None:
    gray = np.asarray(cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY), np.uint8)
    np.testing.assert_allclose(net.read(gray, FIVE).landmarks, net.read(astronaut, FIVE).landmarks, atol=1)


def test_its_crops_are_its_input(net: LandmarkNet, astronaut: Image) -> None:
    spec = net.bundle.spec
    twice = np.concatenate([FIVE, FIVE + 9])
    crops = net.crops(astronaut, twice)
    assert crops.shape == (2, spec.input.size_px, spec.input.size_px)
    assert crops.dtype == np.uint8
    task = spec.task("eyes_open")
    assert task
    logits = net.bundle.run(crops)[task.output]
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), net.read(astronaut, twice).eyes_open, atol=1e-5)
    with pytest.raises(InputError):
        net.crops(np.zeros((4, 4, 7), np.uint8), FIVE)


def test_a_turned_image_turns_landmarks_and_roll(net: LandmarkNet, astronaut: Image) -> None:
    upright = net.read(astronaut, FIVE)
    matrix = cv2.getRotationMatrix2D((224, 124), -25, 1)  # clockwise: the crown goes to the image's right
    turned = np.asarray(cv2.warpAffine(astronaut, matrix, (512, 512)), np.uint8)
    seen = net.read(turned, (FIVE @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32))
    assert np.degrees(seen.pose_rad[0, 2] - upright.pose_rad[0, 2]) == pytest.approx(25, abs=3)
    np.testing.assert_allclose(seen.landmarks, upright.landmarks @ matrix[:, :2].T + matrix[:, 2], atol=3)


def test_a_mirror_turns_yaw_and_roll_about(net: LandmarkNet, astronaut: Image) -> None:
    plain = net.read(astronaut, FIVE)
    mirrored = FIVE[:, [1, 0, 2, 4, 3]] * (-1, 1) + (511, 0)
    seen = net.read(np.ascontiguousarray(astronaut[:, ::-1]), mirrored.astype(np.float32))
    np.testing.assert_allclose(np.degrees(seen.pose_rad * (1, -1, -1) - plain.pose_rad), 0, atol=5)


@pytest.mark.parametrize(
    ("angle", "sign"), [(0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1)], ids=lambda value: str(value)
)
def test_signs_of_pose_on_a_turned_head(net: LandmarkNet, shared_data: Path, angle: int, sign: int) -> None:
    """One photo for each: of the people who taught nothing, the head that the teacher sees turned most that way."""
    faces = load_landmark_faces(shared_data, "test")
    row = int(np.argmax(np.where(faces.source == "lfw_expression", sign * faces.pose_rad[:, angle], -np.inf)))
    picture = decode_image(faces.images[row], name=faces.names[row])
    place = faces.landmarks[row] * np.array(picture.shape[1::-1]) - 0.5
    seen = net.read(picture, keypoints_of(place)[None].astype(np.float32))
    assert abs(np.degrees(faces.pose_rad[row, angle])) > 15
    assert sign * np.degrees(seen.pose_rad[0, angle]) > 10


def test_what_is_no_face_has_low_confidence(net: LandmarkNet, astronaut: Image) -> None:
    sky, suit = FIVE - np.array([180, 60]), FIVE + np.array([30, 250])
    assert net.read(astronaut, np.concatenate([sky, suit]).astype(np.float32)).confidence.max() < 0.5
    assert net.read(np.full((90, 90, 3), 127, np.uint8), FIVE / 4).confidence[0] < 0.5


def test_no_place_is_no_face(net: LandmarkNet, astronaut: Image) -> None:
    assert len(net.read(astronaut, np.empty((0, 5, 2), np.float32))) == 0


def test_a_photo_keeps_box_and_confidence_of_the_detector(net: LandmarkNet, astronaut: Image) -> None:
    boxes = np.array([[180, 65, 268, 175], [0, 0, 60, 60]], np.float32)  # the second one is the sky
    found = Detections(boxes, np.array([0.9, 0.8], np.float32), np.concatenate([FIVE, FIVE / 5]))
    both = refine_landmarks(net, astronaut, found)
    np.testing.assert_array_equal(both.boxes, boxes)
    np.testing.assert_array_equal(both.confidence, found.confidence)
    assert np.isfinite(both.landmarks[0]).all()
    assert np.isnan(both.landmarks[1]).all()
    np.testing.assert_array_equal(both.keypoints[1], found.keypoints[1])


def moving(astronaut: Image, n_frames: int) -> list[Image]:
    frames = []
    for index in range(n_frames):
        angle = 2 * np.pi * index / n_frames
        x, y = round(60 + 40 * np.cos(angle)), round(20 + 20 * np.sin(angle))
        frames.append(np.ascontiguousarray(astronaut[y : y + 240, x : x + 260]))
    return frames


def astronaut_at(first: Image) -> Callable[[Image], Detections]:
    """A detector that knows only where the face is in the first frame."""
    box = faces_at([[178 - 100, 65 - 20, 270 - 100, 177 - 20]])
    known = Detections(box.boxes, box.confidence, FIVE - np.array([100, 20], np.float32))
    return lambda image: known if image is first or np.array_equal(image, first) else Detections.empty()


def test_the_detector_rests_while_the_landmark_model_tracks(net: LandmarkNet, astronaut: Image) -> None:
    frames = moving(astronaut, 24)
    detector = FakeDetector(astronaut_at(frames[0]))
    follower = FaceFollower(detector, net, scan_every_s=100)
    for index, frame in enumerate(frames):
        found, numbers = follower.update(frame, index / 25)
        assert numbers.tolist() == [0]
        angle = 2 * np.pi * index / 24
        corner = np.array([round(60 + 40 * np.cos(angle)), round(20 + 20 * np.sin(angle))])
        np.testing.assert_allclose(found.keypoints[0], FIVE[0] - corner, atol=8)
        assert np.isfinite(found.landmarks).all()
    assert detector.n_detections == 1


def test_the_landmark_model_loses_a_face_that_vanishes(net: LandmarkNet, astronaut: Image) -> None:
    frames = moving(astronaut, 24)[:5] + [np.full((240, 260, 3), 90, np.uint8)] * 5
    follower = FaceFollower(FakeDetector(astronaut_at(frames[0])), net)
    numbers = [follower.update(frame, index / 25)[1].tolist() for index, frame in enumerate(frames)]
    assert numbers == [[0]] * 5 + [[]] * 5


def test_landmark_models_by_name_and_object(net: LandmarkNet) -> None:
    assert create_landmark_model(None) is None
    assert create_landmark_model("none") is None
    assert create_landmark_model(net) is net
    with pytest.raises(ConfigError, match="read"):
        create_landmark_model(42)  # type: ignore[arg-type]  # what a caller without a type checker may do
    with pytest.raises(ModelError, match="mien-light predicts affect, and a bundle that predicts landmarks is needed"):
        create_landmark_model(DEFAULT_BUNDLE)
    with pytest.raises(ModelError, match=r"no bundle of that name .*did you mean 'mien-points'"):
        create_landmark_model("mien-point")


def test_wrong_pictures(net: LandmarkNet, astronaut: Image) -> None:
    for image in (astronaut.astype(np.float32), astronaut[..., :2], np.zeros((0, 4), np.uint8)):
        with pytest.raises(InputError, match="expected"):
            net.read(image, FIVE)


def test_an_affect_bundle_is_no_landmark_net() -> None:
    with pytest.raises(ModelError, match="no landmark network: it has no task 'landmarks'"):
        LandmarkNet(load_bundle(DEFAULT_BUNDLE, threads=1))


def test_the_face_in_a_crop(net: LandmarkNet, astronaut: Image) -> None:
    template = net.bundle.spec.crop.template
    crop = np.ascontiguousarray(astronaut[50:190, 150:290])
    found = read_given_face(net, crop, template)
    np.testing.assert_allclose(found.keypoints, FIVE - (150, 50), atol=6)
    assert len(read_given_face(net, np.full((90, 70, 3), 127, np.uint8), template)) == 0


def test_a_head_upside_down_is_read_as_such(net: LandmarkNet, astronaut: Image) -> None:
    """The keypoints that a detector gives for such a head are those of an upright face."""
    down = np.ascontiguousarray(astronaut[::-1, ::-1])
    true = np.array([511.0, 511.0]) - FIVE
    upright = (2 * true.mean(axis=1, keepdims=True) - true).astype(np.float32)
    found = refine_landmarks(net, down, faces_at([[240, 330, 340, 450]]))
    for seen in (read_new_faces(net, down, upright), found):
        assert abs(seen.pose_rad[0, 2]) > 2.6
        np.testing.assert_allclose(seen.keypoints, true, atol=8)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turn_deg", range(-180, 180, 45))
def test_a_head_at_any_angle_is_read_as_such(net: LandmarkNet, astronaut: Image, turn_deg: int, mirrored: bool) -> None:
    """Detectors give the keypoints of an upright face, whatever the angle of the head."""
    image = np.ascontiguousarray(astronaut[:300, 70:370][:, ::-1] if mirrored else astronaut[:300, 70:370])
    true = np.where(mirrored, (299, 0), (0, 0)) + (FIVE - (70, 0)) * ((-1, 1) if mirrored else (1, 1))
    if mirrored:  # the left eye of the image is the first one
        true = true[:, [1, 0, 2, 4, 3]]
    matrix = cv2.getRotationMatrix2D((149.5, 149.5), -turn_deg, 1.0)  # OpenCV turns to the other side
    turned = cv2.warpAffine(image, matrix, (300, 300), borderMode=cv2.BORDER_REFLECT)
    centre = true.mean(axis=1) @ matrix[:, :2].T + matrix[:, 2]
    seen = read_new_faces(net, turned, (true - true.mean(axis=1) + centre).astype(np.float32))
    roll = float(net.read(image, true.astype(np.float32)).pose_rad[0, 2])
    error = np.degrees(seen.pose_rad[0, 2] - roll) - turn_deg
    assert abs((error + 180) % 360 - 180) < 15
    np.testing.assert_allclose(seen.keypoints[0], true[0] @ matrix[:, :2].T + matrix[:, 2], atol=10)


def test_upright_faces_are_read_as_before(net: LandmarkNet, astronaut: Image) -> None:
    places = np.concatenate([FIVE, FIVE + 5, FIVE - 200])
    seen, expected = read_new_faces(net, astronaut, places), net.read(astronaut, places)
    for name in ("boxes", "confidence", "keypoints", "landmarks", "pose_rad", "eyes_open"):
        np.testing.assert_array_equal(getattr(seen, name)[:2], getattr(expected, name)[:2], err_msg=name)
    assert seen.confidence[2] < 0.5
    assert len(read_new_faces(net, astronaut, FIVE[:0])) == 0
