# SPDX-License-Identifier: Apache-2.0
"""`NetworkReader`, the `FrameSource` of a stream or a file at a network address, and the rule for such addresses."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from fractions import Fraction
from urllib.parse import urlsplit

import av

from mien.core import ConfigError, InputError
from mien.media.file_types import VIDEO_DEMUXERS
from mien.media.frames import DecodedFrames, FrameConverter, VideoFrame, VideoInfo
from mien.media.images import MAX_PIXELS
from mien.media.timeline import Timeline

SCHEMES = ("rtsp", "rtsps", "http", "https")
"""Beginnings of the addresses that are read."""

_ADDRESS = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://")
_TIMEOUT_S = 10.0
_FALLBACK_FPS = 25
_MAX_FPS = 1000
_MAX_ERRORS = 100  # in a row
# Only the network, never a file of this machine that a stream or a playlist names.
_OPTIONS = {
    "protocol_whitelist": "rtsp,rtp,srtp,udp,tcp,tls,http,https,httpproxy,crypto",
    "format_whitelist": ",".join((*VIDEO_DEMUXERS, "rtsp", "rtp")),
    "rtsp_transport": "tcp",  # cameras behind a router are reached, and no packet is lost on the way
}


def is_address(name: str) -> bool:
    """Whether a name is a network address, such as ``rtsp://HOST/PATH``.

    Examples:
        >>> is_address("rtsp://10.0.0.5/stream"), is_address("clip.mp4"), is_address("C:/clip.mp4")
        (True, False, False)
    """
    return _ADDRESS.match(name) is not None


def is_endless(name: str) -> bool:
    """Whether a name is the address of a camera, whose stream has no end.

    Examples:
        >>> is_endless("rtsp://10.0.0.5/stream"), is_endless("https://host/clip.mp4")
        (True, False)
    """
    found = _ADDRESS.match(name)
    return found is not None and found[1].lower() in ("rtsp", "rtsps")


def require_network(name: str, *, network: bool) -> None:
    """Refuses an address where the network was not asked for, and one of another kind.

    Args:
        name: Address.
        network: Whether the user allowed the network.

    Raises:
        ConfigError: The network was not allowed, or the address is of another kind.
    """
    found = _ADDRESS.match(name)
    scheme = found[1].lower() if found else ""
    shown = public_address(name)
    if scheme not in SCHEMES:
        raise ConfigError(f"{shown}: addresses begin with {', '.join(f'{known}://' for known in SCHEMES)}")
    if not network:
        raise ConfigError(
            f"{shown}: is a network address, and mien uses no network unless asked: mien analyze and mien live take"
            " --network (in Python network=True)"
        )


def public_address(address: str) -> str:
    """An address for tables and messages, without user, password and the text of its query.

    Examples:
        >>> public_address("rtsp://admin:secret@10.0.0.5:554/stream")
        'rtsp://10.0.0.5:554/stream'
        >>> public_address("https://host/clip.mp4?token=secret")
        'https://host/clip.mp4?~1359227d'
    """
    if not is_address(address):
        return address
    scheme, _, rest = address.partition("://")
    place, mark, query = rest.partition("?")
    host, slash, path = place.partition("/")
    digest = f"?~{hashlib.sha256(query.encode('utf-8', 'replace')).hexdigest()[:8]}" if mark else ""
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path.partition('#')[0]}{digest}"


def open_address(
    address: str,
    *,
    network: bool = False,
    start_s: float | None = None,
    stop_s: float | None = None,
    every: int = 1,
) -> NetworkReader:
    """Opens a stream or a video file at a network address.

    Args:
        address: Address that begins with one of `SCHEMES`.
        network: Whether the user allowed the network.
        start_s: First time to yield, in seconds from the first frame; None for 0.
        stop_s: Time in seconds before which to stop; None for the end.
        every: Step between frames: frames whose index is a multiple of it are yielded.

    Returns:
        A `FrameSource`, to use in a ``with`` statement. It has read its first frame already.

    Raises:
        ConfigError: The network was not allowed, or the address is of another kind.
        InputError: Nothing is received within 10 s, or it is no video.
    """
    require_network(address, network=network)
    return NetworkReader(address, start_s or 0.0, float("inf") if stop_s is None else stop_s, every)


class NetworkReader(DecodedFrames):
    """`FrameSource` of a network address, created by `open_address`.

    Times are those of the stream, from 0 at its first frame. It is read once and forwards; if nothing comes for 10 s or
    the connection ends in an error, the iteration ends with a message in `report`.
    """

    def __init__(self, address: str, start_s: float, stop_s: float, every: int) -> None:
        self._name = public_address(address)
        self._start_s, self._stop_s, self._every = start_s, stop_s, every
        self._n_packets = 0
        try:
            if not urlsplit(address).hostname:
                raise InputError(f"{self._name}: names no host; check the address")
            self._container = av.open(address, "r", container_options=_OPTIONS, timeout=(_TIMEOUT_S, _TIMEOUT_S))
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = self._reason(error)
            raise InputError(f"{self._name}: cannot be opened ({reason}); check the address and the network") from error
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        if not self._container.streams.video:
            raise InputError(f"{self._name}: has no video stream; give the address of a video")
        self._stream = stream = self._container.streams.video[0]
        context = stream.codec_context
        if context is None:
            raise InputError(f"{self._name}: no decoder for its video")
        if context.width * context.height > MAX_PIXELS:
            raise InputError(f"{self._name}: frames of {context.width} x {context.height} are too large")
        rate = next((rate for rate in (stream.average_rate, stream.guessed_rate) if rate and rate <= _MAX_FPS), None)
        self._timeline = Timeline(
            time_base_s=Fraction(stream.time_base or Fraction(1, 1000)),
            start_pts=None,
            step_s=float(1 / rate) if rate else 1 / _FALLBACK_FPS,
            ordered=True,
            all_shown=True,
        )
        decoded = self._decoded()
        first = next(decoded, None)
        if first is None:
            raise InputError(
                f"{self._name}: gives no frame that can be decoded; save the file and analyse it: an MP4 whose index "
                "is at its end is read only from servers that send parts of a file"
            )
        converter = FrameConverter(first, stream.sample_aspect_ratio, self._name, context.name)
        self._info = VideoInfo(
            path=None,
            name=self._name,
            width=converter.width,
            height=converter.height,
            codec=context.name,
            average_fps=float(rate) if rate else None,
            rotation_deg=converter.rotation_deg,
        )
        self._frames = self._converted(converter, first, decoded)

    def _converted(
        self, converter: FrameConverter, first: av.VideoFrame, rest: Iterator[av.VideoFrame]
    ) -> Iterator[VideoFrame]:
        frame: av.VideoFrame | None = first
        while frame is not None and self._open:
            place = self._timeline.place(frame.pts)
            if place is not None:
                self._n_decoded += 1
                if place.time_s >= self._stop_s:
                    return
                if place.time_s >= self._start_s and place.index % self._every == 0:
                    yield converter.frame(frame, place)
            if not self._open:
                return
            frame = next(rest, None)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        n_errors = 0
        packets = self._container.demux(self._stream)
        while self._open:
            try:
                packet = next(packets, None)
                if packet is None:
                    self._finish()
                    return
                if packet.size:
                    self._n_packets += 1
                    self._timeline.packet_sent(packet.pts)
            except (av.FFmpegError, OSError) as error:
                self._complete = False
                self._timeline.note(f"the stream ended early ({self._reason(error)})")
                return
            try:
                frames = packet.decode()
                n_errors = 0
            except av.FFmpegError as error:
                self._timeline.note(f"undecodable data ({self._reason(error)})")
                self._timeline.packet_failed(packet.pts)
                n_errors += 1
                if n_errors > _MAX_ERRORS:
                    self._complete = False
                    return
                continue
            yield from (frame for frame in frames if not frame.is_corrupt)

    def _finish(self) -> None:
        """Counts the frames that a container promises and that did not come."""
        promised = self._stream.frames if "mov" in self._container.format.name.split(",") else 0
        self._timeline.finish(promised - self._n_packets, None, damaged=False)
        self._complete = self._complete and promised <= self._n_packets

    @staticmethod
    def _reason(error: Exception) -> str:
        """What went wrong, without the address, which may hold a password."""
        if isinstance(error, av.ExitError):
            return f"no answer within {_TIMEOUT_S:g} s"
        return getattr(error, "strerror", None) or type(error).__name__
