# SPDX-License-Identifier: Apache-2.0
"""Reads and writes images and video frames with true timestamps, reads audio, and draws results on frames.

Every image inside mien is (H, W, 3) uint8 RGB, C-contiguous and upright.
"""

from mien.media.anonymize import RecentHeads, anonymize_faces
from mien.media.audio_stream import SPEECH_RATE_HZ, audio_blocks
from mien.media.camera import CameraReader, Capture, open_camera
from mien.media.drawing import draw_faces
from mien.media.frames import DecodeReport, FrameSource, VideoFrame, VideoInfo
from mien.media.images import (
    MAX_PIXELS,
    SAVE_SUFFIXES,
    Picture,
    as_rgb,
    cut_box,
    decode_image,
    encode_jpeg,
    jpeg_thumbnail,
    load_image,
    picture_note,
    read_image,
    read_picture,
    require_image_suffix,
    save_image,
)
from mien.media.inputs import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    MediaInput,
    camera_number,
    find_inputs,
    input_identity,
)
from mien.media.network_stream import NetworkReader, is_address, is_endless, open_address, public_address
from mien.media.panels import blank_frame
from mien.media.video import VideoReader, open_video
from mien.media.video_writer import VIDEO_SAVE_SUFFIXES, VideoWriter

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
    "NetworkReader",
    "Picture",
    "RecentHeads",
    "VideoFrame",
    "VideoInfo",
    "VideoReader",
    "VideoWriter",
    "anonymize_faces",
    "as_rgb",
    "audio_blocks",
    "blank_frame",
    "camera_number",
    "cut_box",
    "decode_image",
    "draw_faces",
    "encode_jpeg",
    "find_inputs",
    "input_identity",
    "is_address",
    "is_endless",
    "jpeg_thumbnail",
    "load_image",
    "open_address",
    "open_camera",
    "open_video",
    "picture_note",
    "public_address",
    "read_image",
    "read_picture",
    "require_image_suffix",
    "save_image",
]
