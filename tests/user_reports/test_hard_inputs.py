# SPDX-License-Identifier: Apache-2.0
"""Inputs that broke other tools and that no other test makes: each gives rows with true times, or one sentence."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pil

from mien.core import InputError
from mien.media import DecodeReport, VideoWriter, audio_blocks, load_image, open_video

Pixels = npt.NDArray[np.uint8]


def picture(number: int, size: tuple[int, int] = (64, 48)) -> Pixels:
    """(H, W, 3) gray ramp that is brighter in every frame."""
    width, height = size
    return np.full((height, width, 3), 40 + 5 * number, np.uint8)


def write(path: Path, n: int, codec: str = "libx264", pix_fmt: str = "yuv420p", **more: Any) -> Path:
    """A clip of n frames at 25 per second."""
    size, shift = more.get("size", (64, 48)), more.get("shift", 0)
    with av.open(str(path), "w", format=more.get("kind"), options=more.get("options", {})) as container:
        stream: Any = container.add_stream(codec, rate=25, options=more.get("coding", {}))
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        container.start_encoding()
        for number in range(n):
            frame = av.VideoFrame.from_ndarray(picture(number, size), format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            for packet in stream.encode(frame):
                _mux(container, packet, shift)
        for packet in stream.encode(None):
            _mux(container, packet, shift)
    return path


def _mux(container: Any, packet: Any, shift: int) -> None:
    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
    container.mux(packet)


def read(path: Path) -> tuple[list[float], list[Pixels], DecodeReport]:
    with open_video(path) as video:
        frames = list(video)
        return [frame.time_s for frame in frames], [frame.image for frame in frames], video.report


def test_an_edit_list_hides_frames_without_a_loss(tmp_path: Path) -> None:
    """Report 3: a cut without new coding; the header counts more frames than are shown."""
    coding = {"bf": "0", "g": "50"}
    path = write(tmp_path / "cut.mp4", 30, coding=coding, shift=-12, options={"avoid_negative_ts": "disabled"})
    with av.open(str(path)) as container:
        declared = container.streams.video[0].frames
    times, images, report = read(path)
    assert len(times) <= declared == 30
    assert (report.n_lost, report.complete) == (0, True)
    assert np.diff(times) == pytest.approx(0.04, abs=1e-3)
    assert times[0] == pytest.approx(0, abs=1e-3)
    if len(times) == 18:  # FFmpeg follows the list
        assert images[0].mean() == pytest.approx(picture(12).mean(), abs=4)


def test_ten_bits_of_hlg_keep_their_brightness(tmp_path: Path) -> None:
    """Report 4: HEVC of phones."""
    path = tmp_path / "hlg.mp4"
    write(
        path, 6, "libx265", "yuv420p10le", coding={"x265-params": "colorprim=bt2020:transfer=arib-std-b67:log-level=0"}
    )
    times, images, _ = read(path)
    assert len(times) == 6
    assert [image.mean() for image in images] == pytest.approx([picture(n).mean() for n in range(6)], abs=4)


def write_spatial(path: Path, n_streams: int) -> Path:
    """A clip of 25 frames whose first audio stream has a codec that nothing decodes, as a phone's spatial sound."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sounds: list[Any] = [container.add_stream("aac", rate=48_000, layout="stereo") for _ in range(n_streams)]
        for number in range(25):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
            for sound in sounds:
                noise = np.random.default_rng(number).normal(0, 0.1, (2, 1920)).astype(np.float32)
                block = av.AudioFrame.from_ndarray(noise, format="fltp", layout="stereo")
                block.sample_rate, block.pts, block.time_base = 48_000, number * 1920, Fraction(1, 48_000)
                container.mux(sound.encode(block))
        for each in (stream, *sounds):
            container.mux(each.encode(None))
    # The name of the codec, and the description of AAC below it.
    path.write_bytes(path.read_bytes().replace(b"mp4a", b"apac", 1).replace(b"esds", b"dapa", 1))
    return path


@pytest.mark.parametrize("n_streams", [1, 2])
def test_a_sound_without_a_decoder_is_never_touched(tmp_path: Path, n_streams: int) -> None:
    """Report 5: PyAV ends the process, or fails, where it touches a stream that has no decoder."""
    path = write_spatial(tmp_path / "phone.mp4", n_streams)
    with av.open(str(path)) as container:
        decoders: list[object] = [stream.codec_context for stream in container.streams.audio]
        assert [decoder is None for decoder in decoders] == [True, False][:n_streams]
    times, _, report = read(path)
    assert len(times) == 25
    assert (report.n_lost, report.complete, report.messages) == (0, True, ())
    overlay = tmp_path / "overlay.mp4"
    if n_streams == 1:
        with pytest.raises(InputError, match=r"phone\.mp4: no decoder for its audio; convert it to AAC or WAV first"):
            list(audio_blocks(path))
        with pytest.raises(InputError, match="no decoder for its audio"):
            VideoWriter(overlay, 64, 48, sound_of=path)
        assert not overlay.exists()
        return
    assert sum(map(len, audio_blocks(path))) == pytest.approx(16_000, rel=0.1)
    with VideoWriter(overlay, 64, 48, sound_of=path) as writer:
        writer.begin_sound(0.0)
        for number in range(25):
            writer.write(picture(number), number / 25)
    assert sum(map(len, audio_blocks(overlay))) == pytest.approx(16_000, rel=0.2)


def test_data_and_subtitles_of_unknown_codecs_are_left_alone(tmp_path: Path) -> None:
    """Report 5: other streams without a decoder."""
    path = tmp_path / "data.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        other: Any = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
            block = av.AudioFrame.from_ndarray(np.zeros((1, 320), np.int16), format="s16", layout="mono")
            block.sample_rate, block.pts, block.time_base = 8000, number * 320, Fraction(1, 8000)
            container.mux(other.encode(block))
        container.mux(stream.encode(None))
    for name in (b"A_UNKNOWN/LIT", b"S_UNKNOWN/LIT", b"D_UNKNOWN/LIT"):
        changed = tmp_path / f"{name[:1].decode()}.mkv"
        changed.write_bytes(path.read_bytes().replace(b"A_PCM/INT/LIT", name))
        with av.open(str(changed)) as container:
            decoders: list[object] = [each.codec_context for each in container.streams.audio]
            assert not any(decoders)
        times, _, report = read(changed)
        assert len(times) == 6
        assert (report.n_lost, report.complete) == (0, True)


@pytest.mark.parametrize("shift", [-13, -40])
def test_negative_times_begin_at_zero(tmp_path: Path, shift: int) -> None:
    """Report 6."""
    options = {"avoid_negative_ts": "disabled"}
    times, _, report = read(write(tmp_path / "neg.mkv", 30, shift=shift, options=options))
    assert len(times) == 30
    assert times[0] >= 0
    assert (np.diff(times) > 0).all()
    assert report.n_lost == 0


def test_repeated_times_rise(tmp_path: Path) -> None:
    """Report 6: two transport streams, one after the other."""
    part = write(tmp_path / "a.ts", 20).read_bytes()
    (tmp_path / "twice.ts").write_bytes(part + part)
    times, _, report = read(tmp_path / "twice.ts")
    assert len(times) >= 39
    assert (np.diff(times) > 0).all()
    assert report.n_lost <= 1


def test_no_frame_at_all_is_one_sentence(tmp_path: Path) -> None:
    """Report 11."""
    path = write(tmp_path / "zero.mkv", 0)
    with pytest.raises(InputError, match=r"zero\.mkv: (cannot be opened|has no video|no frame)"):
        open_video(path)


@pytest.mark.parametrize("name", ["one.mp4", "one.mkv", "one.avi", "one.ts"])
def test_one_frame_is_one_frame(tmp_path: Path, name: str) -> None:
    """Report 12."""
    times, images, report = read(write(tmp_path / name, 1, "mpeg4" if name.endswith("avi") else "libx264"))
    assert times == [0]
    assert images[0].mean() == pytest.approx(40, abs=4)
    assert (report.n_lost, report.complete) == (0, True)


@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le", "gray16le"])
def test_gray_videos_are_gray(tmp_path: Path, pix_fmt: str) -> None:
    """Report 19."""
    times, images, _ = read(write(tmp_path / "gray.mkv", 5, "ffv1", pix_fmt))
    assert len(times) == 5
    for number, image in enumerate(images):
        assert image.mean() == pytest.approx(40 + 5 * number, abs=3)
        assert (image.max(axis=2) - image.min(axis=2) <= 1).all()


@pytest.mark.parametrize("size", [(321, 241), (17, 9)])
def test_odd_sizes_keep_their_size(tmp_path: Path, size: tuple[int, int]) -> None:
    """Report 27."""
    _, images, _ = read(write(tmp_path / "odd.mp4", 4, "libx264", "yuv444p", size=size))
    assert {image.shape for image in images} == {(size[1], size[0], 3)}


def _exif_99(path: Path, image: Any) -> None:
    exif = Pil.Exif()
    exif[0x0112] = 99
    image.save(path, exif=exif)


_STILLS: dict[str, Callable[[Path, Any], None]] = {
    "exif.jpg": _exif_99,  # report 16: an orientation that does not exist
    "cmyk.jpg": lambda path, image: image.convert("CMYK").save(path),  # report 20
    "gray_alpha.png": lambda path, image: image.convert("LA").save(path),  # report 18
    "one_bit.png": lambda path, image: image.convert("1").save(path),
    "palette.png": lambda path, image: image.convert("P").save(path),
    "views.jpg": lambda path, image: image.save(path, "MPO", save_all=True, append_images=[image]),  # report 17
    "strip.png": lambda path, image: image.resize((3000, 12)).save(path),  # report 23
    "wide.bmp": lambda path, image: image.save(path),
}


@pytest.mark.parametrize("name", _STILLS)
def test_stills_keep_their_place_and_brightness(tmp_path: Path, name: str) -> None:
    ramp = np.zeros((60, 90, 3), np.uint8)
    ramp[:, 45:] = 255
    _STILLS[name](tmp_path / name, Pil.fromarray(ramp))
    image = load_image(tmp_path / name)
    width = image.shape[1]
    assert image.shape[2] == 3
    assert image[:, : width // 3].mean() < 30
    assert image[:, -width // 3 :].mean() > 225


def test_names_with_a_dash_or_a_pattern_are_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Report 15."""
    monkeypatch.chdir(tmp_path)
    for name in ("-dash.mp4", "per%cent %03d.mp4", "dossier été 日本.mp4", "é" * 100 + ".mp4"):
        write(tmp_path / "plain.mp4", 3).rename(tmp_path / name)
        assert len(read(Path(name))[0]) == 3
