# SPDX-License-Identifier: Apache-2.0
"""Affect tables with defects, as editors, scripts and broken disks leave them, and every command that reads tables."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet as pq
from hypothesis import strategies as st

from mien.affect import Smoothing
from mien.cli.recordings.summarize import summary_view
from mien.cli.recordings.tracks import track_lines
from mien.evaluation import TablePredictor, write_submission
from mien.evaluation.challenge.table_scores import load_video_scores
from mien.pipeline import (
    calibrate_file,
    compound_file,
    convert_file,
    convert_to_openface,
    name_persons_in_file,
    smooth_file,
    summarize_files,
    tracks_of_file,
    write_report,
    write_thumbnails,
)
from mien.results import (
    OpenFacePlan,
    read_table,
    write_openface_files,
)
from tests.helpers.affect_tables import NOBODY, faces, write_frames

FORMATS = ("parquet", "csv", "jsonl", "openface")

ODD_VALUES: tuple[Any, ...] = (
    None,
    "",
    "text",
    "=1+1",
    "nan",
    "a\0b",
    "\x1b[2J",
    "x" * 5000,
    "../../etc/passwd",
    "/dev/zero",
    True,
    -7,
    -1,
    0,
    2,
    1.5,
    1e10,
    2**31 - 1,
    2**62,
    -(2**63),
    1e300,
    float("inf"),
    float("nan"),
    [1, 2],
    {"a": {"b": 1}},
    b"\xff\xfe",
)

_TYPES = (
    pa.string(),
    pa.large_string(),
    pa.int8(),
    pa.int64(),
    pa.uint64(),
    pa.float16(),
    pa.float64(),
    pa.bool_(),
    pa.timestamp("ns"),
    pa.date32(),
    pa.decimal128(20, 6),
    pa.dictionary(pa.int32(), pa.string()),
    pa.binary(),
    pa.null(),
)

_METADATA = (
    b"",
    b"notjson",
    b"[]",
    b"{}",
    b"[1]",
    b'["AU01", "AU01"]',
    b'{"AU01": 7}',
    b"\xff",
    b"9" * 5000,
    b"[" * 50000,
)

Mutation = Callable[[pa.Table], pa.Table]


def base_table(folder: Path) -> pa.Table:
    """30 rows: two sources, two tracks, frames without a face."""
    both = faces((0, "happiness", 0.3, 0.9), (1, "anger", -0.4, 0.2))
    a = [(index / 25, NOBODY if index == 5 else both) for index in range(10)]
    b = [(index / 25, faces((0, "neutral", 0.0, 0.1))) for index in range(11)]
    path = write_frames(folder / "base.parquet", {"clips/a.mp4": a, "b.mp4": b}, action_unit_thresholds='{"AU12": 0.4}')
    return read_table(path)


def write_as(table: pa.Table, path: Path, kind: str) -> None:
    """Writes a table, however odd, in one of `FORMATS`, without any of mien's checks."""
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=7)
    elif kind == "jsonl":
        rows = table.to_pylist()
        path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows), "utf-8", "surrogatepass")
    else:
        out = io.StringIO()
        out.write(",".join(table.schema.names) + "\n")
        for row in table.to_pylist():
            out.write(
                ",".join("" if v is None else f'"{v}"' if isinstance(v, list | dict) else str(v) for v in row.values())
            )
            out.write("\n")
        path.write_text(out.getvalue(), "utf-8")


def as_openface(table: pa.Table, path: Path) -> pa.Table:
    """The first source in OpenFace's columns, as a table of numbers."""
    own = table.filter(pa.compute.equal(table["source"], "clips/a.mp4"))
    write_openface_files(OpenFacePlan.of([own]), [own], {"clips/a.mp4": path}, groups=["aus", "pose"])
    return pa.csv.read_csv(path)


@st.composite
def mutations(draw: st.DrawFn) -> Mutation:
    """One defect of a table's rows, columns or metadata."""
    kind = draw(st.sampled_from(("cell", "cell", "cell", "drop", "rename", "twice", "type", "own", "rows", "metadata")))
    place, row = draw(st.integers(0, 60)), draw(st.integers(0, 40))
    value, number = draw(st.sampled_from(ODD_VALUES)), draw(st.integers(0, 9))

    def changed(table: pa.Table) -> pa.Table:
        at = place % table.num_columns
        name = table.schema.names[at]
        if kind == "cell":
            values = table[at].to_pylist()
            if values:
                values[row % len(values)] = value
            return _with_column(table, at, name, values)
        if kind == "drop":
            return table.remove_column(at)
        if kind == "rename":
            names = table.schema.names
            return table.rename_columns([*names[:at], f"{value}"[:50], *names[at + 1 :]])
        if kind == "twice":
            return table.append_column(name, table[at])
        if kind == "type":
            try:
                return table.set_column(at, name, table[at].cast(_TYPES[place % len(_TYPES)]))
            except pa.ArrowException:
                return table.set_column(at, name, pa.nulls(len(table), _TYPES[place % len(_TYPES)]))
        if kind == "own":
            return _with_column(
                table, None, ("note", "=note", "AU99", "expression_mine")[number % 4], [value] * len(table)
            )
        if kind == "rows":
            order = [*range(len(table))]
            order = [order[::-1], order + order[-1:], order[:1], order[::2] + order[1::2], []][number % 5]
            return table.take(pa.array(order, pa.int64()))
        keys = sorted(table.schema.metadata or {b"mien.schema_version": b"1"})
        metadata = {**(table.schema.metadata or {}), keys[place % len(keys)]: _METADATA[row % len(_METADATA)]}
        return table.replace_schema_metadata(metadata)

    return changed


def _with_column(table: pa.Table, at: int | None, name: str, values: list[Any]) -> pa.Table:
    try:
        column = pa.array(values)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        column = pa.array([None if value is None else str(value) for value in values], pa.string())
    return table.append_column(name, column) if at is None else table.set_column(at, name, column)


@st.composite
def byte_changes(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Bytes of a file flipped, cut off, cut out or put in."""
    kind = draw(st.sampled_from(("flip", "cut", "out", "in")))
    share, byte, length = draw(st.floats(0, 1)), draw(st.integers(0, 255)), draw(st.integers(1, 200))

    def changed(content: bytes) -> bytes:
        at = int(share * max(len(content) - 1, 0))
        if kind == "flip":
            return content[:at] + bytes([byte]) + content[at + 1 :]
        if kind == "cut":
            return content[:at]
        if kind == "out":
            return content[:at] + content[at + length :]
        return content[:at] + bytes([byte]) * length + content[at:]

    return changed


def _summarize(path: Path, out: Path) -> None:
    files = {name: out / f"{name}.csv" for name in ("out", "events", "transitions")}
    result = summarize_files([path], window_s=None, **files)
    if result.summary.windows.num_rows:
        summary_view(result.summary.windows, windowed=False)


def _submit(path: Path, out: Path) -> None:
    load_video_scores(path.parent, ["valence", "arousal"], per_frame=False)
    names = [f"{video}/{frame:05d}.jpg" for video in ("a", "b") for frame in range(1, 10)]
    listed = out / "list.txt"
    listed.write_text("image_location,valence,arousal\n" + "".join(f"{name}\n" for name in names))
    write_submission("va", path.parent, listed, out / "va.txt")
    TablePredictor([path.parent])


COMMANDS: dict[str, Callable[[Path, Path], object]] = {
    "summarize": _summarize,
    "windows": lambda path, out: summarize_files([path], out=out / "w.parquet", window_s=0.1),
    "smooth": lambda path, out: smooth_file(path, out / "s.csv", Smoothing(expr=2, va=2, au=2)),
    "smooth median": lambda path, out: smooth_file(path, out / "s.jsonl", Smoothing(expr=2, kernel="median")),
    "baseline": lambda path, out: calibrate_file(path, out / "b.parquet"),
    "report": lambda path, out: write_report([path], out / "r.html"),
    "tracks": lambda path, _: track_lines(tracks_of_file(path)),
    "persons": lambda path, out: name_persons_in_file(path, out / "p.csv", {"=anna": [0]}, source="b.mp4"),
    "thumbnails": lambda path, out: write_thumbnails(path, out / "strips"),
    "csv": lambda path, out: convert_file(path, out / "c.csv"),
    "json lines": lambda path, out: convert_file(path, out / "c.jsonl"),
    "largest": lambda path, out: convert_file(path, out / "c.parquet", faces="largest"),
    "openface": lambda path, out: convert_to_openface(path, out / "of"),
    "compound": lambda path, out: compound_file(path, out / "k.csv", half_width=3),
    "submit": _submit,
}
