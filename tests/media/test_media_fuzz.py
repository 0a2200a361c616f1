# SPDX-License-Identifier: Apache-2.0
"""Mutated images and videos: each is read, or is one error of mien; `make fuzz-media SECONDS=1800` takes longer."""

import faulthandler
import io
import os
import random
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from mien.core import MienError
from mien.media import find_inputs, load_image, open_video, picture_note
from tests.helpers.media_clips import Clip
from tests.helpers.media_mutants import mutated

_SECONDS = float(os.environ.get("MIEN_FUZZ_SECONDS", "20"))
_SEED = int(os.environ.get("MIEN_FUZZ_SEED", "0"))
_MAX_FRAMES = 200
_HANG_S = 60  # prints where a case hangs and ends the process
_VIDEOS = {
    "a.mp4": "libx264",
    "b.mp4": "mpeg4",
    "a.mkv": "libx264",
    "a.webm": "libvpx",
    "a.ts": "libx264",
    "a.avi": "mjpeg",
    "b.avi": "mpeg4",
    "a.flv": "flv",
    "a.mpg": "mpeg2video",
    "a.h264": "libx264",
    "a.m2v": "mpeg2video",
    "b.ts": "mpeg2video",
    "a.nut": "mpeg4",
}
_FRAGMENTED = {"part.mp4": "frag_keyframe+empty_moov", "dash.mp4": "dash+frag_every_frame+empty_moov"}


def _samples(make_clip: Clip) -> dict[str, bytes]:
    pictures = [Image.new("RGB", (24, 16), (60 * number, 200, 0)) for number in range(3)]
    samples = {}
    for kind, suffix, several in (
        *(("JPEG", "jpg", False), ("PNG", "png", False), ("PNG", "apng.png", True), ("GIF", "gif", True)),
        *(
            ("WEBP", "webp", True),
            ("TIFF", "tif", True),
            ("BMP", "bmp", False),
            ("PPM", "ppm", False),
            ("AVIF", "avif", False),
        ),
    ):
        stream = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        options = {"exif": exif} if kind not in ("GIF", "BMP", "PPM") else {}
        more = {"save_all": True, "append_images": pictures[1:]} if several else {}
        if suffix == "apng.png":
            more["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        pictures[0].save(stream, kind, **options, **more)
        samples[f"image.{suffix}"] = stream.getvalue()
    frames = [np.random.default_rng(number).integers(0, 255, (48, 64, 3), dtype=np.uint8) for number in range(12)]
    for name, codec in _VIDEOS.items():
        pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        samples[name] = make_clip(name, codec=codec, pictures=frames, pix_fmt=pix_fmt).read_bytes()
    for name, flags in _FRAGMENTED.items():
        clip = make_clip(name, codec="libx264", pictures=frames, container_options={"movflags": flags})
        samples[name] = clip.read_bytes()
    return samples


def _read(path: Path) -> None:
    with suppress(MienError):
        find_inputs([path])
    with suppress(MienError):
        picture_note(path)
    with suppress(MienError):
        image = load_image(path)
        assert image.ndim == 3
        assert image.dtype == np.uint8
    with suppress(MienError), open_video(path) as video:
        times_s = [frame.time_s for frame, _ in zip(video, range(_MAX_FRAMES), strict=False)]
        report = video.report
        assert all(first < second for first, second in pairwise(times_s))
        assert report.n_lost == sum(gap.n_frames for gap in report.gaps)
        assert all(gap.from_s <= gap.to_s and gap.n_frames > 0 for gap in report.gaps)


@pytest.mark.slow
def test_mutated_files_are_read_or_refused(make_clip: Clip, tmp_path: Path) -> None:
    samples = _samples(make_clip)
    names = sorted(samples)
    end = time.monotonic() + _SECONDS
    number = _SEED
    while time.monotonic() < end:
        chance = random.Random(number)
        name = names[number % len(names)]
        path = tmp_path / f"case_{name}"
        path.write_bytes(mutated(samples[name], chance))
        faulthandler.dump_traceback_later(_HANG_S, exit=True)
        try:
            _read(path)
        except Exception as error:
            error.add_note(f"MIEN_FUZZ_SEED={number} {path}")
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()
        number += 1
    assert number > _SEED
