# SPDX-License-Identifier: Apache-2.0
"""Identifies the format of a file from its first bytes, since its suffix can be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien.core import InputError, open_regular

Content = Literal["image", "video", "audio", "document"]

HEAD_BYTES = 1024
"""Number of leading bytes that `identify` needs."""

_TS_PACKET = 188  # bytes between the sync bytes of an MPEG transport stream


@dataclass(frozen=True)
class Format:
    """One known file format.

    Attributes:
        name: Common name of the format, for messages.
        content: Kind of content.
        advice: What the user can do if mien cannot read the format; empty if it can.
        several: What becomes of a file with several pictures; empty where a file holds one, or for other contents.
    """

    name: str
    content: Content
    advice: str = ""
    several: str = ""


_TO_JPEG = "convert it to JPEG or PNG first"
_EXPORT = "export its image as JPEG or PNG first"
_NAME_THE_VIDEO = "it only refers to other files: name those"
AS_VIDEO = "an animation is read as a video"
"""`Format.several` of images that are videos if they hold several pictures."""
_FIRST_ONLY = "the first one is read, with a message"

# (offset, bytes) -> format. The first match wins, so longer signatures stand before shorter ones.
_SIGNATURES: tuple[tuple[int, bytes, Format], ...] = (
    (0, b"\xff\xd8\xff", Format("JPEG", "image", several=_FIRST_ONLY)),
    (0, b"\x89PNG\r\n\x1a\n", Format("PNG", "image", several=AS_VIDEO)),
    (0, b"GIF87a", Format("GIF", "image", several=AS_VIDEO)),
    (0, b"GIF89a", Format("GIF", "image", several=AS_VIDEO)),
    (0, b"II*\0\x10\0\0\0CR", Format("Canon raw", "image", _TO_JPEG)),
    (0, b"II*\0", Format("TIFF", "image", several=_FIRST_ONLY)),
    (0, b"MM\0*", Format("TIFF", "image", several=_FIRST_ONLY)),
    (0, b"II+\0", Format("BigTIFF", "image", _TO_JPEG)),
    (0, b"MM\0+", Format("BigTIFF", "image", _TO_JPEG)),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", Format("JPEG 2000", "image", _TO_JPEG)),
    (0, b"\xff\x4f\xff\x51", Format("JPEG 2000", "image", _TO_JPEG)),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", Format("JPEG XL", "image", _TO_JPEG)),
    (0, b"\xff\x0a", Format("JPEG XL", "image", _TO_JPEG)),
    (0, b"8BPS", Format("Photoshop", "image", _TO_JPEG)),
    (0, b"v/1\x01", Format("OpenEXR", "image", _TO_JPEG)),
    (0, b"\0\0\x01\0", Format("Windows icon", "image", _TO_JPEG)),
    (0, b"\x1aE\xdf\xa3", Format("Matroska or WebM", "video")),
    (0, b"\0\0\x01\xba", Format("MPEG program stream", "video")),
    (0, b"\0\0\x01\xb3", Format("MPEG video", "video")),
    (0, b"\0\0\0\x01\x67", Format("H.264 stream", "video")),
    (0, b"FLV\x01", Format("Flash video", "video")),
    (0, b"0&\xb2u\x8ef\xcf\x11", Format("Windows Media", "video")),
    (0, b"OggS", Format("Ogg", "video")),
    (0, b"fLaC", Format("FLAC", "audio")),
    (0, b"ID3", Format("MP3", "audio")),
    (0, b"%PDF", Format("PDF", "document", _EXPORT)),
    (0, b"%!PS", Format("PostScript", "document", _EXPORT)),
    (0, b"PK\x03\x04", Format("ZIP or office document", "document", "unpack it first")),
    (0, b"Rar!", Format("RAR archive", "document", "unpack it first")),
    (0, b"\x1f\x8b", Format("gzip archive", "document", "unpack it first")),
    (0, b"7z\xbc\xaf", Format("7z archive", "document", "unpack it first")),
    (0, b"#EXTM3U", Format("HLS playlist", "document", _NAME_THE_VIDEO)),
    (0, b"ffconcat", Format("FFmpeg playlist", "document", _NAME_THE_VIDEO)),
    (0, b"v=0", Format("SDP session", "document", _NAME_THE_VIDEO)),
    (0, b"version https://git-lfs", Format("Git LFS pointer", "document", "fetch the file itself: git lfs pull")),
    (0, b"\x93NUMPY", Format("NumPy array", "document", "load it and pass the array")),
)

_RIFF_KINDS = {
    b"WEBP": Format("WebP", "image", several=_FIRST_ONLY),
    b"AVI ": Format("AVI", "video"),
    b"WAVE": Format("WAV", "audio"),
}

# Brands of the ISO base media container that do not mean a video.
_AVIF = Format("AVIF", "image", several=_FIRST_ONLY)
_HEIC = Format(
    "HEIC",
    "image",
    "install mien[heic], or convert it to JPEG first (a phone does so when it shares 'most compatible')",
    several=_FIRST_ONLY,
)
_BRANDS = {
    b"avif": _AVIF,
    b"avis": _AVIF,
    b"heic": _HEIC,
    b"heix": _HEIC,
    b"hevc": _HEIC,
    b"heim": _HEIC,
    b"heis": _HEIC,
    b"mif1": _HEIC,
    b"msf1": _HEIC,
    b"crx ": Format("Canon raw", "image", _TO_JPEG),
    b"M4A ": Format("M4A", "audio"),
}
_BMP = Format("BMP", "image")
_PNM = Format("PNM", "image")
_TRANSPORT_STREAM = Format("MPEG transport stream", "video")
_MOTION_JPEG = Format("Motion JPEG stream", "video")  # only the suffix tells it from a single picture
_MOTION_JPEG_SUFFIXES = (".mjpeg", ".mjpg")
_MP4 = Format("MP4 or QuickTime", "video")
_SVG = Format("SVG", "document", _EXPORT)
_DASH = Format("DASH playlist", "document", _NAME_THE_VIDEO)
_HTML = Format("HTML page", "document", "a download may have returned a page instead of the file")
_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


KNOWN_FORMATS: tuple[Format, ...] = tuple(
    dict.fromkeys(
        [
            *(known for _, _, known in _SIGNATURES),
            *_RIFF_KINDS.values(),
            *_BRANDS.values(),
            *(_BMP, _PNM, _TRANSPORT_STREAM, _MOTION_JPEG, _MP4, _SVG, _DASH, _HTML),
        ]
    )
)
"""Every format that mien recognises: those without ``advice`` are read, the others are refused with it."""


def readable_names(content: Content) -> str:
    """Names of the formats of a kind that are read, for messages.

    Examples:
        >>> readable_names("image")
        'JPEG, PNG, GIF, TIFF, WebP, AVIF, BMP and PNM'
    """
    names = [known.name for known in KNOWN_FORMATS if known.content == content and not known.advice]
    return f"{', '.join(names[:-1])} and {names[-1]}"


# FFmpeg's demuxers of files that hold their own data. Left out are those that open other files (playlists, image
# sequences, sessions) and those that accept any text.
VIDEO_DEMUXERS = (
    *("mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "h264", "hevc", "vvc", "m4v", "h263", "h261", "vc1"),
    *(
        "flv",
        "live_flv",
        "asf",
        "ogg",
        "gif",
        "apng",
        "mjpeg",
        "mjpeg_2000",
        "mpjpeg",
        "ivf",
        "obu",
        "av1",
        "nut",
        "mxf",
    ),
    *("dv", "rm", "wtv", "yuv4mpegpipe", "dirac", "cavsvideo", "swf", "gxf", "lvf", "nsv", "pva", "nuv"),
)
"""FFmpeg's names of the containers that are opened."""

AUDIO_DEMUXERS = (
    "wav",
    "w64",
    "mp3",
    "flac",
    "aac",
    "aiff",
    "ac3",
    "eac3",
    "amr",
    "caf",
    "au",
    "tta",
    "wv",
    "ape",
    "dts",
)
"""FFmpeg's names of the containers without pictures that are opened."""


def identify(head: bytes) -> Format | None:
    """Format of a file from its first `HEAD_BYTES` bytes; None if it is unknown.

    Examples:
        >>> identify(bytes.fromhex("89504e470d0a1a0a"))
        Format(name='PNG', content='image', advice='', several='an animation is read as a video')
        >>> identify(b"%PDF-1.7").content
        'document'
        >>> identify(b"plain text") is None
        True
    """
    for offset, signature, known in _SIGNATURES:
        if head.startswith(signature, offset):
            return known
    if head.startswith(b"RIFF"):
        return _RIFF_KINDS.get(head[8:12])
    if head[4:8] in _FIRST_BOXES:
        return _iso_media(head)
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return _BMP
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return _PNM
    if len(head) > _TS_PACKET and head[0] == head[_TS_PACKET] == 0x47:
        return _TRANSPORT_STREAM
    if b"<MPD" in head:
        return _DASH
    if b"<svg" in head[:HEAD_BYTES].lower():
        return _SVG
    if head.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        return _HTML
    return None


def identify_file(path: Path) -> Format | None:
    """Format of a file on disk, see `identify`.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        with open_regular(path) as stream:
            known = identify(stream.read(HEAD_BYTES))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if known is not None and known.name == "JPEG" and path.suffix.lower() in _MOTION_JPEG_SUFFIXES:
        return _MOTION_JPEG
    return known


def forced_demuxer(path: Path) -> str | None:
    """FFmpeg's name of the container of a file that FFmpeg would take for a single picture; None for other files."""
    try:
        return "mjpeg" if identify_file(path) == _MOTION_JPEG else None
    except InputError:
        return None  # opening it reports the error


def require_file(path: Path) -> None:
    """Check that a path names a regular file that is not empty.

    Raises:
        InputError: The path is missing, a folder, a device or a pipe, or the file has zero bytes.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a folder; name a file in it")
        if not path.exists():
            raise InputError(f"{path}: no such file; check the name")
        if not path.is_file():
            raise InputError(f"{path}: is not a regular file; copy its content into one first")
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty (0 bytes); copy or download it again")
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name (before Python 3.13 on some systems)
        raise InputError(f"{path}: cannot be reached ({error}); check the name and its permissions") from error


def _iso_media(head: bytes) -> Format:
    """Distinguish videos, still images and audio in the ISO base media container (MP4, MOV, HEIC, AVIF)."""
    if head[4:8] != b"ftyp":
        return _MP4
    end = min(int.from_bytes(head[:4], "big"), len(head))
    # The compatible brands decide where the major brand is the generic "mif1", which AVIF files use as well.
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, end - 3, 4))]
    if brands[0] in (b"mif1", b"msf1") and b"avif" in brands:
        return _BRANDS[b"avif"]
    return _BRANDS.get(brands[0], _MP4)
