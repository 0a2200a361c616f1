# SPDX-License-Identifier: Apache-2.0
"""Pixels in and out: images, video frames with their true times, and results drawn on them; and sound in.

Everything inside mien is (H, W, 3) uint8 RGB, C-contiguous and upright.
"""

from mien.media.anonymize import RecentHeads, anonymize_faces
from mien.media.audio import SPEECH_RATE_HZ, audio_blocks
from mien.media.camera import CameraReader, Capture, open_camera
from mien.media.drawing import draw_faces
from mien.media.frames import DecodeReport, FrameSource, VideoFrame, VideoInfo
from mien.media.images import MAX_PIXELS, as_rgb, cut_box, decode_image, load_image
from mien.media.inputs import IMAGE_SUFFIXES, VIDEO_SUFFIXES, MediaInput, find_inputs
from mien.media.save import SAVE_SUFFIXES, encode_jpeg, save_image
from mien.media.thumbnails import jpeg_thumbnail
from mien.media.video import VideoReader, open_video
from mien.media.writer import VIDEO_SAVE_SUFFIXES, VideoWriter

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "SAVE_SUFFIXES",
    "SPEECH_RATE_HZ",
    "VIDEO_SAVE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "CameraReader",
    "Capture",
    "DecodeReport",
    "FrameSource",
    "MediaInput",
    "RecentHeads",
    "VideoFrame",
    "VideoInfo",
    "VideoReader",
    "VideoWriter",
    "anonymize_faces",
    "as_rgb",
    "audio_blocks",
    "cut_box",
    "decode_image",
    "draw_faces",
    "encode_jpeg",
    "find_inputs",
    "jpeg_thumbnail",
    "load_image",
    "open_camera",
    "open_video",
    "save_image",
]
