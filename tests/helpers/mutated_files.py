# SPDX-License-Identifier: Apache-2.0
"""Command lines over small data sets, predictions, tables, runs and bundles, and damage to any of their files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from mien.core import Frame
from mien.datasets import ACTION_UNITS_12, DATASETS, create_example
from mien.evaluation import PREDICTION_FORMATS
from mien.results import TableWriter, table_schema
from tests.helpers.command_lines import run_line
from tests.helpers.json_mutants import mutants
from tests.helpers.mutated_tables import byte_changes, mutations
from tests.helpers.scored_tables import table_faces, write_tables
from tests.helpers.small_sequences import write_small_sequence

_TEXT = (".csv", ".txt", ".jsonl", ".toml")
_TRAINS = find_spec("torch") is not None


@dataclass(frozen=True)
class Scenario:
    """A command line that works on undamaged files.

    Attributes:
        words: Words of the command line; paths are relative to the workspace.
        folders: Folders of the workspace that it reads; any file in them may be damaged.
        code: Exit code without damage.
    """

    words: tuple[str, ...]
    folders: tuple[str, ...]
    code: int = 0


# Protocol -> (data set, split, names of its rows)
_ROWS = {
    "va": ("affwild2-va", "valid", [f"video59/{n:05d}.jpg" for n in (1, 2, 3)]),
    "expr": ("affwild2-expr", "valid", [f"24-30-1920x1080/{n:05d}.jpg" for n in (1, 2, 3)]),
    "au": ("affwild2-au", "valid", ["video2/00001.jpg"]),
    "mtl": ("affwild2-mtl", "valid", ["video9/00003.jpg"]),
    "lsd": (
        "lsd",
        "valid",
        [f"real_{name}.jpg" for name in ["anger", "disgust", "fear", "happiness", "sadness", "surprise"]],
    ),
    "ce": ("cexpr", "train", [f"02/{n:05d}.jpg" for n in (1, 2, 3, 4)]),
    "emi": ("emi", "train", ["00000", "00001"]),
    "eri": ("eri", "valid", ["00002"]),
    "affectnet": ("affectnet", "valid", ["668/e.JPG"]),
    "rafdb": ("rafdb", "test", ["test_0001_aligned.jpg"]),
    "ferplus-csv": ("ferplus", "test", ["fer0000004.png"]),
}

_BLENDED = ("va", "expr", "au", "mtl")
_RUN = "run"


def write_workspace(folder: Path) -> list[Scenario]:
    """Writes data sets, predictions, tables, a finished run and a bundle, and returns what can be done with them."""
    scenarios = [Scenario(("data", "check", name, name), (name,)) for name in DATASETS]
    for name in DATASETS:
        create_example(name, folder / name)
    for task, (dataset, split, names) in _ROWS.items():
        _write_predictions(folder / "preds" / task / "p.csv", task, names)
        _write_list(folder / "lists" / task / "list.txt", task, names)
        data = ("--data", dataset, "--split", split)
        scenarios.append(
            Scenario(
                ("evaluate", task, *data, "--predictions", f"preds/{task}/p.csv", "--json"), (dataset, f"preds/{task}")
            )
        )
    videos = {names[0].split("/")[0]: len(names) for _, _, names in map(_ROWS.get, (*_BLENDED, "ce"))}
    for number, model in enumerate(("a", "b")):
        _write_videos(folder / "models" / model, videos, number)
    models = ("--predictions", "models/a", "--predictions", "models/b")
    for task in _BLENDED:
        dataset, split, _ = _ROWS[task]
        data = ("--data", dataset, "--split", split)
        scenarios += [
            Scenario(("evaluate", task, *data, *models, "--smooth", "expr=1,va=2,au=1"), (dataset, "models")),
            Scenario(("blend", task, *data, *models), (dataset, "models")),
            Scenario(
                ("submit", task, "--list", f"lists/{task}/list.txt", *models, "--out", "out.txt"),
                (f"lists/{task}", "models"),
            ),
            Scenario(
                ("submit", task, "--list", f"lists/{task}/list.txt", "--validate", f"preds/{task}/p.csv"),
                (f"lists/{task}", f"preds/{task}"),
            ),
        ]
    scenarios.append(
        Scenario(("evaluate", "au", "--data", "affwild2-au", *models[:2], "--search-thresholds"), ("models",))
    )
    scenarios += _scenarios_of_run(folder)
    scenarios += [Scenario(("models", "show", "bundle", *more), ("bundle",)) for more in ((), ("--json",))]
    _write_bundle(folder / "bundle")
    write_small_sequence(folder / "sequence")
    scenarios += _scenarios_of_utterances(folder / "talk")
    return scenarios + _scenarios_of_models(folder)


def _scenarios_of_utterances(folder: Path) -> list[Scenario]:
    """Tables of utterances beside the model that scores them."""
    folder.mkdir()
    np.save(folder / "a.npy", np.ones((2, 2)))
    (folder / "talk.csv").write_text("id,text,audio\nu1,yes,a.npy\nu2,no,\nu3,well,\n")
    texts, sound = ["yes", "no", "well"], [[[1.0, 2.0]], None, [[0.5, 0.5], [0.0, 1.0]]]
    pq.write_table(pa.table({"text": texts, "audio": sound}), folder / "talk.parquet")
    return [
        Scenario(("utterances", f"talk/talk.{ending}", "--model", "sequence"), ("talk", "sequence"))
        for ending in ("csv", "parquet")
    ]


def _write_predictions(path: Path, task: str, names: Iterable[str]) -> None:
    form = PREDICTION_FORMATS[task]
    row = ",".join("1" if field.whole else "0.25" for field in form.fields)
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{line}\n" for line in (form.header_line, *(f"{name},{row}" for name in names))))


def _write_list(path: Path, task: str, names: Iterable[str]) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{line}\n" for line in (PREDICTION_FORMATS[task].header_line, *names)))


def _write_videos(folder: Path, videos: dict[str, int], number: int) -> None:
    folder.mkdir(parents=True)
    shown = {video: [table_faces([0.3 * number + 0.1 * k]) for k in range(n)] for video, n in videos.items()}
    write_tables(folder, shown)


def _scenarios_of_run(folder: Path) -> list[Scenario]:
    """A photo and a broken video that a run into a folder has dealt with, and an unfinished table beside it."""
    (folder / "media").mkdir()
    (folder / "unfinished").mkdir()
    cv2.imencode(".png", np.full((40, 60, 3), 90, np.uint8))[1].tofile(folder / "media" / "tiny.png")
    (folder / "media" / "text.mp4").write_text("no video")
    run_line(["analyze", "media", "--out", f"{_RUN}/", "--landmark-model", "none"], folder)
    writer = TableWriter(
        folder / "unfinished" / "tiny.parquet", table_schema(action_unit_labels=ACTION_UNITS_12), rows_per_part=2
    )
    for index in range(6):
        writer.append("media/tiny.png", Frame(index=index, time_s=index / 30, faces=table_faces([0.1])))
    writer.flush()
    writer._spool.release()
    table = f"{_RUN}/tiny.parquet"
    again = ("--out", f"{_RUN}/", "--landmark-model", "none")
    return [
        Scenario(("analyze", "media/tiny.png", "media/text.mp4", *again), (_RUN,), code=1),
        Scenario(("analyze", "media/tiny.png", "--out", "unfinished/tiny.parquet"), ("unfinished",)),
        Scenario(("summarize", table, "--out", "s.csv"), (_RUN,)),
        Scenario(("report", table, "--out", "r.html"), (_RUN, "media")),
        Scenario(("tracks", table), (_RUN,)),
        Scenario(("convert", table, "--to", "openface", "--out", "of/"), (_RUN,)),
        Scenario(("compound", table, "--out", "c.csv"), (_RUN,)),
        Scenario(("smooth", table, "--expr", "2", "--out", "s.csv"), (_RUN,)),
    ]


def _scenarios_of_models(folder: Path) -> list[Scenario]:
    """Commands that train, write variants, measure the speed and keep vectors; their data are too small for more."""
    (folder / "recipe").mkdir()
    (folder / "empty").mkdir()
    (folder / "empty" / "note.txt").write_text("nothing")
    recipes = ("mien-light", "hse-va", "utterances-early")
    for name in recipes:
        content = (files("mien.training") / "recipes" / f"{name}.toml").read_bytes()
        (folder / "recipe" / f"{name}.toml").write_bytes(content)
    run_line(["features", "media/tiny.png", "media/text.mp4", "--out", "vectors"], folder)
    return [
        *(
            Scenario(
                ("train", f"recipe/{name}.toml", "--data", "empty", "--out", "trained"),
                ("recipe",),
                3 if _TRAINS else 5,
            )
            for name in recipes
        ),
        *(
            Scenario(("export", "--model", "bundle", *way, "--out", "small"), ("bundle",), 4 if _TRAINS else 5)
            for way in (("--variant", "fp16"), ("--join", "bundle"))
        ),
        Scenario(("bench", "media/text.mp4", "--json"), ("media",), 3),
        Scenario(("features", "media/tiny.png", "media/text.mp4", "--out", "vectors"), ("vectors",), 1),
    ]


def _write_bundle(folder: Path) -> None:
    from mien.inference import find_bundle

    folder.mkdir()
    for path in find_bundle("mien-light").iterdir():
        if path.suffix != ".onnx":
            shutil.copy(path, folder)
    (folder / "model.onnx").write_bytes(b"\x08\x0a")


@st.composite
def damages(draw: st.DrawFn) -> Callable[[Path, st.DataObject], None]:
    """One change of a file: of its rows, values or bytes, or of the file as a whole."""
    kind = draw(st.sampled_from(("content",) * 6 + ("bytes", "bytes", "whole")))
    way = draw(st.sampled_from(_WHOLE if kind == "whole" else ("",)))

    def change(path: Path, data: st.DataObject) -> None:
        if kind == "whole":
            path.unlink()
            if way == "folder":
                path.mkdir()
            elif way == "loop":
                path.symlink_to(path.name)
            elif way == "empty":
                path.touch()
            elif way == "pipe":
                os.mkfifo(path)
        elif kind == "content" and path.suffix in _TEXT:
            path.write_bytes(_changed_lines(path.read_bytes(), data))
        else:
            changed = _changed_content(path, data) if kind == "content" else None
            path.write_bytes(data.draw(byte_changes())(path.read_bytes()) if changed is None else changed)

    return change


def _changed_content(path: Path, data: st.DataObject) -> bytes | None:
    """A JSON or Parquet file with a change of its values; None for others, and where an earlier change broke it."""
    try:
        if path.suffix == ".json":
            content = json.dumps(data.draw(mutants(json.loads(path.read_bytes()))))
            return content.encode("utf-8", "surrogatepass")
        if path.suffix == ".parquet":
            sink = pa.BufferOutputStream()
            pq.write_table(data.draw(mutations())(pq.read_table(pa.BufferReader(path.read_bytes()))), sink)
            return bytes(sink.getvalue().to_pybytes())
    except (pa.ArrowException, OSError, ValueError):
        pass
    return None


_WHOLE = ("missing", "folder", "loop", "empty", "pipe")
_CELLS = (
    *(b"", b" ", b"x", b"nan", b"inf", b"-1", b"0", b"1", b"2", b"7", b"1e999", b"9" * 400, b"-5", b"0.5", b"1,1"),
    *(b'"', b"'", b"=1+1", b"\x00", b"\xff\xfe", b"\xc3\x28", b"\x1b[2J", b"../../x.jpg", b"/dev/zero", b"x" * 70_000),
    *(b"\xef\xbb\xbf", b"\r", b"\t", "½".encode(), b"00001", b"a/00000.jpg", b"a/99999999999999999999.jpg"),
)


def _changed_lines(text: bytes, data: st.DataObject) -> bytes:
    """A text file with a cell, a line or the separators changed."""
    lines = text.splitlines()
    if not lines:
        return data.draw(st.binary(max_size=20))
    at, other = data.draw(st.integers(0, len(lines) - 1)), data.draw(st.integers(0, len(lines) - 1))
    kind = data.draw(st.sampled_from(("cell", "cell", "cell", "more", "fewer", "twice", "swap", "drop", "separator")))
    cells = lines[at].split(b",")
    place = data.draw(st.integers(0, len(cells) - 1))
    cell = data.draw(st.sampled_from(_CELLS))
    if kind == "cell":
        cells[place] = cell
    elif kind == "more":
        cells.insert(place, cell)
    elif kind == "fewer":
        del cells[place]
    lines[at] = b",".join(cells)
    if kind == "twice":
        lines.insert(at, lines[other])
    elif kind == "swap":
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == "drop":
        del lines[at]
    end = data.draw(st.sampled_from((b"\n", b"\n", b"\r\n", b"\r")))
    content = end.join(lines) + end
    return content.replace(b",", data.draw(st.sampled_from((b";", b"\t", b" ,")))) if kind == "separator" else content
