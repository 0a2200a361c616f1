# SPDX-License-Identifier: Apache-2.0
"""Reports of tables as HTML files, with images cut from the media that were analysed."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from mien.affect import Smoothing
from mien.core import (
    DISPLAY_SMOOTHING,
    ConfigError,
    Image,
    InputError,
    PathName,
    is_folder,
    is_regular_file,
    printable,
    require_path,
    source_path,
)
from mien.media import find_inputs, jpeg_thumbnail, load_image, open_video
from mien.pipeline.postprocessing.smooth import shown_values
from mien.pipeline.postprocessing.summarize import bundle_thresholds, thresholds_notes
from mien.results import (
    Moment,
    OutputFile,
    Picture,
    Pieces,
    RunManifest,
    atomic_write,
    check_outputs,
    hash_file,
    list_tables,
    output_errors,
    render_report,
)

_TIME_SLACK_S = 1e-3
_SHOWN = 200
_MAX_EMBEDDED_BYTES = 64 << 20  # of all files of a page: browsers read it in one piece
_PLAYED = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",  # most browsers play what is in it, under this name only
    ".webm": "video/webm",
    ".ogv": "video/ogg",
}

PLAYBACK_MODES = ("embed", "link")
"""Ways in which a report plays the analysed video: as a part of the page, or from the file beside it."""


def write_report(
    tables: Sequence[PathName] | PathName,
    out: PathName,
    *,
    videos: Sequence[PathName] = (),
    frames: bool = True,
    playback: str | None = None,
    within: Sequence[PathName] = (),
    smooth: Smoothing | str | None = DISPLAY_SMOOTHING,
) -> tuple[str, ...]:
    """Writes the report of affect tables as one self-contained page.

    Images come only from files that the caller names and from the folder of the table: a table from elsewhere could
    name any file of this machine.

    Args:
        tables: Path of an affect table or of a folder of `mien.analyze`, or several of them.
        out: Path of the page, ``.html`` or ``.htm``. Missing folders are created.
        videos: Paths of the analysed files, or of folders with them, if they are not in the folder of their table. They
            are matched by name, and a single file with a table of a single source whatever its name.
        frames: Whether small images of faces are part of the page.
        playback: ``"embed"`` puts the analysed videos into the page, up to 64 MB of them; ``"link"`` plays them from
            where they are, relative to the page; None leaves them out.
        within: Further files and folders from which the page may show images, where the tables name them.
        smooth: Smoothing of the values that the page shows, as for `mien.summarize`; None or ``"none"`` for raw ones.

    Returns:
        Notes for the user, such as that key frames of a file are missing.

    Raises:
        ConfigError: There is no table, the smoothing is malformed, an ending is unknown, a video fits no source, or
            videos are given although ``frames`` is false, or ``playback`` has another value or is given although
            ``frames`` is false.
        InputError: A table cannot be read.
        OutputError: The page cannot be written.
    """
    named = [Path(table) for table in ([tables] if isinstance(tables, (str, os.PathLike)) else tables)]
    page = Path(out)
    if not named:
        raise ConfigError("a report needs at least one table")
    check_report_name(page)
    paths = [table for path in named for table in list_tables(path)]
    inputs = [("TABLE", path) for path in paths] + [("--video", video) for video in videos]
    check_outputs([OutputFile("--out", page)], inputs)
    if videos and not frames:
        raise ConfigError("videos are for key frames; leave them out, or write the report with frames")
    if playback is not None and playback not in PLAYBACK_MODES:
        raise ConfigError(f"playback must be one of {', '.join(PLAYBACK_MODES)}, got {playback!r}")
    if playback is not None and not frames:
        raise ConfigError("a report without images of faces plays no video; leave out one of the two")
    media = player = None
    if frames:
        media = _AnalysedMedia(paths, [Path(video) for video in videos], [Path(place) for place in within])
        player = _Player(media, page, embedded=playback == "embed") if playback is not None else None
    settings = Smoothing.of_display(smooth)

    def smoothed(table: Path) -> tuple[Pieces | None, str]:
        shown = shown_values(table, settings)
        return shown.pieces, shown.note

    html = render_report(paths, images=media, playback=player, thresholds=bundle_thresholds, smoothed=smoothed)
    if media is not None:
        media.check_all_used()
    with output_errors(page, "choose a folder with room that you may write"):
        page.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(page) as file:
            file.write(html.encode())
    notes = () if media is None else tuple(media.notes)
    return (*notes, *thresholds_notes(paths))


def check_report_name(page: PathName) -> None:
    """Refuses, before any work is done, a path that does not name a page.

    Raises:
        ConfigError: The path does not end in ``.html`` or ``.htm``.
    """
    require_path(page, "the report")
    if Path(page).suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{os.fspath(page)} must end in .html; a report is a page")


class _AnalysedMedia:
    """The media of tables' sources, from which it cuts images for `mien.results.render_report`.

    Args:
        tables: Tables, whose manifests hold the digests of the inputs.
        videos: Files to use in place of the sources' own names, and folders of such files.
        within: Files and folders that the sources' own names may lead to, beside the folder of their table.
    """

    def __init__(self, tables: Sequence[Path], videos: Sequence[Path], within: Sequence[Path]) -> None:
        self.notes: list[str] = []
        self._videos = [video for video in videos if not is_folder(video)]
        self._folders = [video for video in videos if is_folder(video)]
        self._within = [*self._folders, *within]
        self._used: set[Path] = set()
        self._digests = _digests(tables)
        self._checked: dict[tuple[Path, str], Path | None] = {}

    def __call__(self, table: Path, source: str, moments: Sequence[Moment]) -> Mapping[Moment, Picture]:
        """Images of the moments of a source; none, and a note, where the file is gone or is another one."""
        path = self.find(table, source)
        if path is None or not moments:
            return {}
        try:
            return self._cut(path, moments)
        except InputError as error:
            self._checked[table.parent, source] = None
            self.notes.append(f"no key frames: {error}")
            return {}

    def find(self, table: Path, source: str) -> Path | None:
        """The file of a source of a table; None, and a note, where it is gone, another one, or not to be shown."""
        key = table.parent, source
        if key not in self._checked:
            self._checked[key] = self._find(table, source)
        return self._checked[key]

    def check_all_used(self) -> None:
        """Refuses a video that has no use.

        Raises:
            ConfigError: A video fits no source.
        """
        for video in self._videos:
            if video not in self._used:
                sources = dict.fromkeys(source for _, source in self._checked)
                raise ConfigError(f"{video} fits no source of the tables; sources are {', '.join(sources)}")

    def _find(self, table: Path, source: str) -> Path | None:
        same_name = [video for video in self._videos if video.name == Path(source).name]
        if not same_name and len(self._videos) == 1 and len(self._digests) <= 1:
            same_name = self._videos
        named = [*same_name, *(folder / Path(source).name for folder in self._folders)]
        path = next((path for path in named if is_regular_file(path)), source_path(source))
        self._used.update(same_name[:1])
        name = printable(source, limit=_SHOWN)
        if not is_regular_file(path):
            self.notes.append(f"no key frames of {name}: the file is not there; name it with --video")
            return None
        if path not in named and not any(_is_inside(path, place) for place in (table.parent, *self._within)):
            self.notes.append(f"no key frames of {name}: it is outside the table's own folder; name it with --video")
            return None
        digest = self._digests.get(source)
        if digest is not None and hash_file(path) != digest:
            self.notes.append(f"no key frames of {name}: {path} is not the file that was analysed")
            return None
        return path

    def _cut(self, path: Path, moments: Sequence[Moment]) -> dict[Moment, Picture]:
        if find_inputs([path])[0].kind == "image":
            image = load_image(path)
            return {moment: _picture(image, moment) for moment in moments}
        wanted: dict[int, list[Moment]] = {}
        for moment in moments:
            wanted.setdefault(moment.frame, []).append(moment)
        stop_s = max(moment.time_s for moment in moments) + _TIME_SLACK_S
        found: dict[Moment, Picture] = {}
        with open_video(path, stop_s=max(stop_s, _TIME_SLACK_S), only=wanted.keys()) as video:
            for frame in video:
                for moment in wanted[frame.index]:
                    found[moment] = _picture(frame.image, moment)
        return found


class _Player:
    """Gives what plays a recording, for `mien.results.render_report`.

    Args:
        media: Media of the tables.
        page: Path of the page.
        embedded: Whether the page contains the files.
    """

    def __init__(self, media: _AnalysedMedia, page: Path, *, embedded: bool) -> None:
        self._media = media
        self._page = page
        self._embedded = embedded
        self._n_bytes = 0

    def __call__(self, table: Path, source: str) -> str | None:
        """A data URI or a path from the page; None, and a note, for what browsers do not play or is too large."""
        path = self._media.find(table, source)
        if path is None:
            return None
        kind = _PLAYED.get(path.suffix.lower())
        if kind is None:
            known = ", ".join(sorted(_PLAYED))
            self._media.notes.append(f"no playback of {path}: browsers play {known}; convert it to MP4 first")
            return None
        if not self._embedded:
            return self._link(path)
        try:
            n_bytes = path.stat().st_size
            if self._n_bytes + n_bytes > _MAX_EMBEDDED_BYTES:
                limit = _MAX_EMBEDDED_BYTES >> 20
                self._media.notes.append(f"no playback of {path}: a page holds {limit} MB of video; link it instead")
                return None
            self._n_bytes += n_bytes
            return f"data:{kind};base64," + base64.b64encode(path.read_bytes()).decode("ascii")
        except OSError as error:
            self._media.notes.append(f"no playback of {path}: it cannot be read ({error.strerror})")
            return None

    def _link(self, path: Path) -> str:
        """The path from the page as a URL; of a file on another drive its own."""
        try:
            relative = os.path.relpath(path.resolve(), self._page.resolve().parent)
        except ValueError:  # Windows: another drive
            return path.resolve().as_uri()
        return quote(os.fsencode(relative.replace(os.sep, "/")))


def _is_inside(path: Path, place: Path) -> bool:
    """Whether a file is the place or below it, links followed."""
    try:
        return path.resolve(strict=True).is_relative_to(place.resolve(strict=True))
    except (OSError, RuntimeError, ValueError):
        return False


def _picture(image: Image, moment: Moment) -> Picture:
    height, width = image.shape[:2]
    return Picture(jpeg=jpeg_thumbnail(image, moment.box, moment.side_px), width=width, height=height)


def _digests(tables: Sequence[Path]) -> dict[str, str]:
    """Source -> SHA-256, for the sources of tables with a manifest."""
    digests: dict[str, str] = {}
    for table in tables:
        try:
            manifest = RunManifest.load(table)
        except InputError:
            continue  # the report itself notes that there is none
        digests |= {record.path: record.sha256 for record in manifest.inputs if record.sha256 is not None}
    return digests
