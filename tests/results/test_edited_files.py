# SPDX-License-Identifier: Apache-2.0
"""Manifests, lists of failures, notes and parts that were edited by hand: one sentence, and no row is lost."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mien.core import FrameGap, InputError, MienError, OutputError
from mien.results import (
    FAILURES_NAME,
    FailureRow,
    InputFailure,
    InputRecord,
    RunManifest,
    TableWriter,
    read_failures,
    read_openface,
    read_table,
    recover,
    update_failures,
)
from mien.results.reports.report_texts import manifest_facts

_DEEP = b"[" * 100_000
_WRONG: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "\x00",
    "\ud800",
    "a" * 100_000,
    [],
    [[]],
    [None],
    {},
    {"a": {}},
)
_MANIFEST = RunManifest(
    bundle_name="tiny",
    bundle_sha256="00ff",
    arguments={"inputs": ["a.mp4"], "threads": 2},
    started=datetime(2026, 5, 1, 10, 0, 0, tzinfo=UTC),
    finished=datetime(2026, 5, 1, 10, 0, 30, tzinfo=UTC),
    inputs=(
        InputRecord(
            path="a.mp4",
            kind="video",
            sha256="ab" * 32,
            size_bytes=10,
            n_frames_decoded=98,
            n_frames_lost=2,
            n_rows=120,
            n_faces=110,
            messages=("2 frames are damaged",),
            gaps=(FrameGap(1.5, 1.58, 2),),
            start_offset_s=0.5,
        ),
    ),
    failures=(InputFailure(path="b.mp4", reason="is empty"),),
)


def _places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value of nested JSON, the whole first."""
    yield path
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield from _places(value, (*path, key))


def _edited(content: Any, path: tuple[Any, ...], value: Any = None, *, delete: bool = False) -> Any:
    """A copy of JSON in which the value at a path is another one, or gone."""
    if not path:
        return value
    copy = json.loads(json.dumps(content))
    place = copy
    for key in path[:-1]:
        place = place[key]
    if delete:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return copy


def _edits(text: bytes) -> Iterator[bytes]:
    """A JSON file with every value replaced and deleted in turn, cut off, and with bytes that do not belong there."""
    content = json.loads(text)
    for path in _places(content):
        for value in _WRONG:
            yield json.dumps(_edited(content, path, value)).encode()
        if path:
            yield json.dumps(_edited(content, path, delete=True)).encode()
            deep = json.dumps(_edited(content, path, "DEEP")).encode()
            yield deep.replace(b'"DEEP"', _DEEP)
            yield deep.replace(b'"DEEP"', _DEEP + b"]" * len(_DEEP))
            yield from (deep.replace(b'"DEEP"', number) for number in (b"9" * 5000, b"1e999", b"-Infinity"))
    yield from (text[: len(text) * k // 20] for k in range(20))
    yield from (text.replace(b":", junk, 2) for junk in (b"\x00", b"\xff\xfe", b":\x00", b";"))


def _check_sentence(error: MienError, name: str) -> None:
    text = str(error)
    assert name in text
    assert "\n" not in text
    assert len(text) < 1000


def test_an_edited_manifest_is_read_or_named(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    path = _MANIFEST.save(table)
    text = path.read_bytes()
    n_refused = 0
    for edit in _edits(text):
        path.write_bytes(edit)
        try:
            manifest = RunManifest.load(table)
        except InputError as error:
            _check_sentence(error, path.name)
            n_refused += 1
        else:  # what is read can be shown and written again
            manifest_facts(table)
            manifest.save(table)
    assert n_refused > 100


def test_edited_notes_of_an_openface_file_are_read_or_named(tmp_path: Path) -> None:
    path = tmp_path / "of.csv"
    path.write_text("frame,face_id,timestamp,confidence,success,AU12_r\n1,0,0,1,1,2\n")
    notes = tmp_path / "of.csv.about.json"
    content = {"source": "a.mp4", "action_unit_thresholds": {"AU12": 0.4}, "intensities": ["AU12"]}
    n_refused = 0
    for edit in _edits(json.dumps(content).encode()):
        notes.write_bytes(edit)
        try:
            assert len(read_openface(path)) == 1
        except InputError as error:
            _check_sentence(error, notes.name)
            n_refused += 1
    assert n_refused > 20


_LIST = b"source,error,message\r\na.mp4,InputError,a.mp4: is empty\r\nb.mp4,PartlyDecoded,2 of 98 frames lost\r\n"


@pytest.mark.parametrize(
    "edit",
    [
        *(_LIST[:n] for n in range(0, len(_LIST), 7)),
        _LIST.replace(b",", b";"),
        _LIST.replace(b"a.mp4,", b"a\x00.mp4,"),
        _LIST.replace(b"b.mp4", b"\xff\xfe"),
        _LIST.replace(b"a.mp4,", b'"a.mp4,'),
        _LIST.replace(b"is empty", b"x" * 200_000),
        _LIST.replace(b"\r\n", b"\r"),
        _LIST + b"c.mp4\r\n",
        _LIST.replace(b"source", b"Source"),
        b"\xef\xbb\xbf" + _LIST,
        b"\x00" * 100,
        b"PK\x03\x04" + bytes(range(256)),
    ],
)
def test_an_edited_list_of_failures_is_read_or_stays_as_it_is(edit: bytes, tmp_path: Path) -> None:
    path = tmp_path / FAILURES_NAME
    path.write_bytes(edit)
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    try:
        rows = read_failures(tmp_path)
    except OutputError as error:
        _check_sentence(error, FAILURES_NAME)
        with pytest.raises(OutputError, match=FAILURES_NAME):
            update_failures(tmp_path, [FailureRow("c", "InputError", "c: is empty")], ())
        assert path.read_bytes() == edit
    else:
        assert all(isinstance(row, FailureRow) for row in rows)
        update_failures(tmp_path, [FailureRow("c", "InputError", "c: is empty")], ())
        assert read_failures(tmp_path)[-1] == FailureRow("c", "InputError", "c: is empty")


def _arrow(batches: list[pa.RecordBatch], schema: pa.Schema) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def _part_edits(text: bytes) -> dict[str, bytes]:
    table = pa.ipc.open_file(text).read_all()
    renamed = table.rename_columns([f"x{name}" for name in table.schema.names])
    as_text = table.set_column(1, "frame", table["frame"].cast(pa.string()))
    bare = table.replace_schema_metadata(None)
    edits = {f"cut {k}": text[: len(text) * k // 10] for k in range(10)}
    edits |= {f"flipped {k}": _flipped(text, len(text) * k // 40) for k in range(40)}
    edits |= {
        "junk": b"\x00" * 1000,
        "text": b"source,frame\n",
        "deep": _DEEP,
        "columns": _arrow(renamed.to_batches(), renamed.schema),
        "types": _arrow(as_text.to_batches(), as_text.schema),
        "metadata": _arrow(bare.to_batches(), bare.schema),
        "no rows": _arrow([], table.schema),
        "length": text[:-10] + b"\xff\xff\xff\x7f" + text[-6:],
    }
    return edits


def _flipped(text: bytes, at: int) -> bytes:
    return text[:at] + bytes(255 - byte for byte in text[at : at + 8]) + text[at + 8 :]


@pytest.fixture
def crashed(tmp_path: Path, schema, make_frame) -> Path:
    """A table whose run stopped after three parts of two rows each."""
    table = tmp_path / "table.parquet"
    writer = TableWriter(table, schema, rows_per_part=2, seconds_per_part=3600)
    for index in range(6):
        writer.append("clip.mp4", make_frame(index))
    writer.flush()
    writer._spool.release()
    return table


@pytest.mark.parametrize("number", [0, 1, 2])
def test_an_edited_part_costs_no_row_of_the_others(crashed: Path, schema, number: int) -> None:
    folder = crashed.with_name(f"{crashed.name}.parts")
    parts = {path: path.read_bytes() for path in sorted(folder.glob("part-*.arrow"))}
    assert len(parts) == 3
    damaged = list(parts)[number]
    for name, edit in _part_edits(parts[damaged]).items():
        folder.mkdir(exist_ok=True)
        for path, text in parts.items():
            path.write_bytes(text)
        damaged.write_bytes(edit)
        others = {frame for n in range(3) if n != number for frame in (2 * n, 2 * n + 1)}
        try:
            recovery = recover(crashed)
        except MienError as error:  # nothing is deleted
            _check_sentence(error, crashed.name)
            assert all(path.exists() for path in parts), name
            continue
        assert recovery.path is not None, name
        with suppress(InputError):  # flipped numbers may be impossible ones
            assert others <= set(read_table(recovery.path)["frame"].to_pylist()), name
        assert recovery.messages or "flipped" in name or name in ("no rows", "metadata"), name
        assert read_table(recovery.path).schema.metadata == schema.metadata or "flipped" in name, name
        kept = list(folder.glob("kept-*.arrow"))
        assert [path.read_bytes() for path in kept] == ([edit] if name in ("columns", "types") else []) or (
            "flipped" in name
        ), name
        for path in kept:
            path.unlink()
        for message in recovery.messages:
            assert damaged.name in message, (name, message)
        recovery.path.unlink()


def test_rows_survive_where_the_first_part_was_edited(crashed: Path, schema, make_frame) -> None:
    first = crashed.with_name(f"{crashed.name}.parts") / "part-00000.arrow"
    edit = _part_edits(first.read_bytes())["columns"]
    first.write_bytes(edit)
    with TableWriter(crashed, schema, leftovers="redo") as writer:  # the same rows are made again
        writer.append("clip.mp4", make_frame(0))
    assert read_table(crashed)["frame"].to_pylist() == [0]
    (kept,) = first.parent.iterdir()
    assert (kept.name, kept.read_bytes()) == ("kept-1-part-00000.arrow", edit)
