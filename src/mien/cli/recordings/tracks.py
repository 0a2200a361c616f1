# SPDX-License-Identifier: Apache-2.0
"""The command ``mien tracks``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.field_options import private_option
from mien.cli.main import say
from mien.core import printable

if TYPE_CHECKING:
    from mien.pipeline import TrackList

_MAX_NAME = 200


@click.command(short_help="List the tracks of a table, name persons, or forget them.")
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--merge", multiple=True, metavar="ID,...=NAME", help="Give these tracks the name NAME. May be repeated.")
@click.option(
    "--forget",
    multiple=True,
    metavar="ID|NAME",
    help="Delete the rows of this track or person from TABLE, or from a copy at --out. May be repeated.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Path of the new table.")
@click.option(
    "--source",
    metavar="NAME",
    help="Source of the tracks of --merge and --forget, where the table has several sources.",
)
@click.option(
    "--thumbnails", type=click.Path(path_type=Path), metavar="DIR", help="Folder for a strip of faces of each track."
)
@click.option(
    "--video", type=click.Path(path_type=Path), help="Path of the analysed file. [default: the path in the table]"
)
@private_option
def tracks(
    table: Path,
    merge: tuple[str, ...],
    forget: tuple[str, ...],
    out: Path | None,
    source: str | None,
    thumbnails: Path | None,
    video: Path | None,
) -> None:
    """List when, where and how large each track of TABLE, or of the folder that analyze wrote, is seen.

    A track follows a face and not an identity: a person who comes back has a new track. Check the faces
    (--thumbnails), then name persons: --merge 1,3=patient --merge 2=interviewer --out NEW. Track numbers do not
    change. --forget 3 or --forget patient deletes a person's rows; a frame without another face keeps a blank row.
    """
    from mien.pipeline import json_text_notes, name_persons_in_file, tracks_of_file, write_thumbnails

    if forget and (merge or thumbnails is not None):
        raise click.UsageError("--forget stands alone; name persons and write strips of faces in another call")
    if forget:
        _forget(table, forget, out, source)
        return
    if bool(merge) != bool(out):
        raise click.UsageError("--merge and --out go together: only --forget changes the table itself")
    if source is not None and not merge:
        raise click.UsageError("--source names the source of the tracks of --merge and --forget")
    if video is not None and thumbnails is None:
        raise click.UsageError("--video is the file from which --thumbnails takes the faces")
    found = tracks_of_file(table) if out is None else name_persons_in_file(table, out, _persons(merge), source=source)
    for line in track_lines(found):
        say(line)
    for switch in found.id_switches:
        source_name = printable(switch.source, limit=_MAX_NAME)
        say(
            f"note: {source_name}: tracks {switch.track_ids[0]} and {switch.track_ids[1]} change sides between"
            f" {switch.first_s:.2f} and {switch.last_s:.2f} s; check whether people moved or tracks were mistaken",
            err=True,
        )
    if out is not None:
        for note in json_text_notes(table, out):
            say(f"note: {note}", err=True)
        say(f"wrote {out}")
    if thumbnails is not None:
        say(f"wrote {len(write_thumbnails(table, thumbnails, video=video))} strips of faces in {thumbnails}")


def _forget(table: Path, names: tuple[str, ...], out: Path | None, source: str | None) -> None:
    from mien.pipeline import forget_in_file

    tracks = [int(name) for name in names if name.isascii() and name.isdecimal()]
    persons = [name.strip() for name in names if not (name.isascii() and name.isdecimal())]
    n_rows = forget_in_file(table, tracks, persons, out=out, source=source)
    say(f"deleted {n_rows} rows; wrote {table if out is None else out}")
    say(
        "note: overlays, reports, strips of faces, features and summaries that were made before still hold what was "
        "forgotten, and a new run over the same recording reads it again",
        err=True,
    )


def _persons(merge: tuple[str, ...]) -> dict[str, list[int]]:
    persons: dict[str, list[int]] = {}
    for text in merge:
        numbers, equals, name = text.partition("=")
        parts = [part.strip() for part in numbers.split(",")]
        if not equals or not all(part.isascii() and part.isdecimal() for part in parts):
            raise click.BadParameter(f"--merge takes track numbers and a name, such as 1,3=patient; got {text!r}")
        persons.setdefault(name.strip(), []).extend(map(int, parts))
    return persons


def track_lines(found: TrackList) -> list[str]:
    """The tracks as the lines of a table for the terminal."""
    if not found.tracks:
        return ["no tracks: the table holds no face that is followed over time"]
    several = len({track.source for track in found.tracks}) > 1
    head = ["track", "person", "from s", "to s", "frames", "coverage", "face px", "place px"]
    rows = [[*(["source"] if several else []), *head]]
    for track in found.tracks:
        size = "-" if math.isnan(track.width_px) else f"{track.width_px:.0f} x {track.height_px:.0f}"
        places = (track.place_first_px, track.place_last_px)
        place = "-" if math.isnan(places[0][0]) else " > ".join(f"{x:.0f},{y:.0f}" for x, y in places)
        person = printable(track.person or "-", limit=_MAX_NAME)
        rows.append(
            [
                *([printable(track.source, limit=_MAX_NAME)] if several else []),
                *(
                    str(track.track_id),
                    person,
                    f"{track.first_s:.2f}",
                    f"{track.last_s:.2f}",
                ),
                *(str(track.n_rows), f"{track.coverage:.0%}", size, place),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
