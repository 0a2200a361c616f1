# SPDX-License-Identifier: Apache-2.0
"""Aff-Wild2 expressions, crops and videos with sound, in which face and voice each tell half of the class."""

from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np

HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
FPS, RATE_HZ = 25, 16_000
# Loudness of the voice and brightness of the face by bit.
_LOUD, _BRIGHT = (0.05, 0.6), (60, 190)


def speech_graph(path: Path, *, stride: int = 320, field: int = 400) -> Path:
    """A user's speech model in ONNX: mean, peak and energy over strided windows of samples, (1, n) to (1, T, 3)."""
    from onnx import TensorProto, helper, numpy_helper

    kernel = numpy_helper.from_array(np.full((1, 1, field), 1 / field, np.float32), "kernel")
    axes = numpy_helper.from_array(np.array([1], np.int64), "axes")
    nodes = [
        helper.make_node("Unsqueeze", ["sound", "axes"], ["mono"]),
        helper.make_node("Abs", ["mono"], ["loud"]),
        helper.make_node("Mul", ["mono", "mono"], ["energy"]),
        helper.make_node("Conv", ["mono", "kernel"], ["a"], strides=[stride]),
        helper.make_node("Conv", ["loud", "kernel"], ["b"], strides=[stride]),
        helper.make_node("Conv", ["energy", "kernel"], ["c"], strides=[stride]),
        helper.make_node("Concat", ["a", "b", "c"], ["channels"], axis=1),
        helper.make_node("Transpose", ["channels"], ["states"], perm=[0, 2, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "speech",
        [helper.make_tensor_value_info("sound", TensorProto.FLOAT, [1, "n"])],
        [helper.make_tensor_value_info("states", TensorProto.FLOAT, [1, "t", 3])],
        [kernel, axes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def write_spoken_videos(folder: Path, *, n_videos: int = 4, n_frames: int = 80) -> Path:
    """Annotations of both splits, crops, and videos with sound; half of the videos are of each split.

    The class changes every 20 frames among 0, 1, 4 and 6 (two bits): the brightness of the crop shows the first bit,
    the loudness of the voice the second. No crop is there in every 10th frame.
    """
    rng = np.random.default_rng(7)
    (folder / "videos").mkdir(parents=True)
    for number in range(n_videos):
        name = f"video{number}"
        split = "Train_Set" if number < n_videos // 2 else "Validation_Set"
        bits = rng.permutation(np.arange(n_frames // 20) % 4)
        of_frame = np.repeat(bits, 20)
        place = folder / "EXPR_Classification_Challenge" / split
        place.mkdir(parents=True, exist_ok=True)
        classes = np.array([0, 1, 4, 6])[of_frame]
        (place / f"{name}.txt").write_text("\n".join([HEADER, *map(str, classes)]) + "\n")
        crops = folder / "cropped_aligned" / name
        crops.mkdir(parents=True)
        for frame, code in enumerate(of_frame, start=1):
            if frame % 10:
                noise = rng.normal(_BRIGHT[code // 2], 25, (40, 40, 3)).clip(0, 255).astype(np.uint8)
                cv2.imwrite(str(crops / f"{frame:05d}.jpg"), noise)
        _write_video(folder / "videos" / f"{name}.mp4", of_frame, rng)
    return folder


def _write_video(path: Path, codes: Sequence[int] | np.ndarray, rng: np.random.Generator) -> None:
    volume = np.repeat([_LOUD[code % 2] for code in codes], RATE_HZ // FPS)
    sound = (volume * rng.uniform(-1, 1, len(volume)) * 32767).astype(np.int16)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=FPS)
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=RATE_HZ)
        audio.layout = "mono"
        for index in range(len(codes)):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), index % 256, np.uint8), "rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for start in range(0, len(sound), 1024):
            piece = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], "s16", "mono")
            piece.sample_rate = RATE_HZ
            container.mux(audio.encode(piece))
        container.mux(audio.encode())
