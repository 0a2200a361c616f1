# SPDX-License-Identifier: Apache-2.0
"""`LastPicture`, which finds out whether the last packet of a stream is whole where its container does not tell."""

from __future__ import annotations

from typing import Any, cast

import av

_MAX_BYTES = 32 << 20
"""Number of bytes of packets that are kept at most."""


class LastPicture:
    """Keeps the packets from the last keyframe on and decodes them once more, strictly, at the end of the file.

    A decoder conceals the missing part of a picture that is cut off. With ``err_detect`` set to ``explode`` it gives an
    error; only an error in the last packet alone is a sign of a cut, since damaged data earlier have other signs.
    """

    def __init__(self) -> None:
        self._packets: list[av.Packet[Any]] = []
        self._n_bytes = 0

    def add(self, packet: av.Packet[Any]) -> None:
        """Note a packet of the video; packets before a keyframe, and more than 32 MB, are dropped."""
        if packet.is_keyframe or self._n_bytes > _MAX_BYTES:
            self._packets, self._n_bytes = [], 0
        if packet.is_keyframe or self._packets:
            self._packets.append(packet)
            self._n_bytes += packet.size

    def is_cut(self, codec: av.VideoCodecContext) -> bool:
        """Whether the last packet alone cannot be decoded strictly.

        Args:
            codec: Codec context of the stream.
        """
        strict = cast("av.VideoCodecContext", av.CodecContext.create(codec.name, "r"))
        strict.extradata = codec.extradata
        strict.options = {"err_detect": "explode"}
        strict.thread_count = 1  # else an error comes with a later packet
        for packet in self._packets[:-1]:
            try:
                strict.decode(packet)
            except av.FFmpegError:
                return False
        try:
            for last in (*self._packets[-1:], None):
                strict.decode(last)
        except av.FFmpegError:
            return True
        return False
