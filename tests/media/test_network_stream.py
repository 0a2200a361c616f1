# SPDX-License-Identifier: Apache-2.0
"""Videos at network addresses: read only when asked, from a server of this machine here, and without their secrets."""

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mien.core import ConfigError, InputError
from mien.media import VideoWriter, find_inputs, open_address, public_address
from mien.media import network_stream as module
from tests.helpers.local_server import served


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Address of a server of this machine, with ``clip.mp4`` of 12 frames, ``cut.mp4`` and ``text.mp4``."""
    with VideoWriter(tmp_path / "clip.mp4", 64, 48) as writer:
        for index in range(12):
            writer.write(np.full((48, 64, 3), 20 * index, np.uint8), index / 10)
    noise = np.random.default_rng(0)
    with VideoWriter(tmp_path / "cut.mp4", 64, 48) as writer:
        for index in range(40):
            writer.write(noise.integers(0, 255, (48, 64, 3), np.uint8), index / 10)
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "cut.mp4").read_bytes()[:-20_000])
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\nfile://{tmp_path}/clip.mp4\n#EXT-X-ENDLIST\n")
    with served(tmp_path) as host:
        yield f"http://{host}"


def test_frames_come_with_their_times(server: str) -> None:
    with open_address(f"{server}/clip.mp4", network=True) as source:
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time_s for frame in frames] == pytest.approx([index / 10 for index in range(12)], abs=1e-3)
    assert frames[5].image.mean() == pytest.approx(100, abs=6)
    assert (source.info.path, source.info.width, source.report.n_decoded) == (None, 64, 12)


def test_a_part_of_the_frames(server: str) -> None:
    with open_address(f"{server}/clip.mp4", network=True, start_s=0.2, stop_s=0.9, every=3) as source:
        assert [frame.index for frame in source] == [3, 6]


def test_nothing_is_read_unless_asked(server: str) -> None:
    for read in (open_address, lambda address: find_inputs([address])):
        with pytest.raises(ConfigError, match=r"uses no network unless asked: .*--network \(in Python network=True\)"):
            read(f"{server}/clip.mp4")
    (found,) = find_inputs([f"{server}/clip.mp4"], network=True)
    assert (found.kind, found.path, found.address) == ("stream", None, f"{server}/clip.mp4")


@pytest.mark.parametrize("address", ["ftp://host/clip.mp4", "file:///etc/passwd", "concat://a|b", "rtmp://host/x"])
def test_other_kinds_of_addresses_are_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"addresses begin with rtsp://"):
        open_address(address, network=True)


def test_what_is_no_video_is_one_sentence(server: str) -> None:
    for name in ("gone.mp4", "text.mp4", "list.m3u8"):
        with pytest.raises(InputError, match=rf"{server}/{name}: cannot be opened"):
            open_address(f"{server}/{name}", network=True)
    with pytest.raises(InputError, match="names no host"):
        open_address("http:///clip.mp4", network=True)


def test_a_broken_connection_keeps_the_frames_before(server: str) -> None:
    with open_address(f"{server}/cut.mp4", network=True) as source:
        n_frames = len(list(source))
    assert 0 < n_frames < 40
    assert not source.report.complete
    assert n_frames + source.report.n_lost == 40
    assert source.report.messages


def test_an_address_that_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://user:secret@127.0.0.1:{silent.getsockname()[1]}/clip.mp4?token=secret"
        with pytest.raises(InputError, match="check the address and the network") as caught:
            open_address(address, network=True)
    assert "secret" not in str(caught.value)


def test_secrets_are_not_in_names() -> None:
    for address in ("rtsp://admin:p%40ss@10.0.0.5/live", "https://host/a/clip.mp4?sig=p%40ss#p%40ss"):
        assert "p%40ss" not in public_address(address)
        assert "p%40ss" not in find_inputs([address], network=True)[0].name
    assert public_address("https://h/c?a=1") != public_address("https://h/c?a=2")
    assert public_address("clips/a?.mp4") == "clips/a?.mp4"


class RtspCamera(socketserver.StreamRequestHandler):
    """A camera that sends 30 frames of MPEG-4 in RTP over the connection itself (RFC 2326 and 3016), then hangs up."""

    timeout = 10

    def handle(self) -> None:
        """Answer each request; PLAY starts the stream and ends the connection."""
        config, packets = mpeg4_frames()
        sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
        sdp += (
            f"a=rtpmap:96 MP4V-ES/90000\r\na=fmtp:96 profile-level-id=1;config={config.hex()}\r\na=control:track1\r\n"
        )
        answers = {
            "OPTIONS": ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
            "DESCRIBE": ("Content-Type: application/sdp\r\n", sdp),
            "SETUP": ("Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", ""),
            "PLAY": ("Session: 1\r\n", ""),
        }
        while line := self.rfile.readline().decode():
            method = line.split()[0]
            headers = {}
            while header := self.rfile.readline().decode().strip():
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            extra, body = answers.get(method, ("", ""))
            length = f"Content-Length: {len(body)}\r\n" if body else ""
            self.wfile.write(f"RTSP/1.0 200 OK\r\nCSeq: {headers['cseq']}\r\n{extra}{length}\r\n{body}".encode())
            if method == "PLAY":
                for number, packet in enumerate(packets):
                    rtp = struct.pack(">BBHII", 0x80, 0x80 | 96, number, 9000 * number, 1) + packet
                    self.wfile.write(b"$\0" + struct.pack(">H", len(rtp)) + rtp)
                return


def mpeg4_frames() -> tuple[bytes, list[bytes]]:
    """Configuration and packets of 30 gray frames, 10 a second."""
    encoder = av.CodecContext.create("mpeg4", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = 64, 48, "yuv420p", Fraction(10)
    encoder.time_base = Fraction(1, 10)
    encoder.flags |= 1 << 22  # the configuration apart from the frames
    packets = []
    for index in range(30):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 8 * index, np.uint8), format="rgb24")
        frame.pts = index
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    packets += [bytes(packet) for packet in encoder.encode(None)]
    return bytes(encoder.extradata or b""), packets


def test_a_camera_that_speaks_rtsp() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), RtspCamera) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"rtsp://admin:secret@127.0.0.1:{server.server_address[1]}/live"
        with open_address(address, network=True) as source:
            frames = list(source)
        server.shutdown()
    assert source.info.name == f"rtsp://127.0.0.1:{server.server_address[1]}/live"
    assert len(frames) >= 28  # the decoder may hold the last ones
    assert [frame.time_s for frame in frames[:5]] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4], abs=0.01)
    assert frames[20].image.mean() == pytest.approx(160, abs=8)


def test_an_index_at_the_end_needs_a_server_of_ranges(server: str, tmp_path: Path) -> None:
    """Such a file gives no frame from a server that sends files whole, and the message says what to do."""
    with av.open(str(tmp_path / "late.mp4"), "w") as container:  # without faststart: the index follows the frames
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        noise = np.random.default_rng(0)
        for _ in range(30):
            picture = noise.integers(0, 255, (240, 320, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="save the file and analyse it"):
        open_address(f"{server}/late.mp4", network=True)
