# SPDX-License-Identifier: Apache-2.0
"""Which tables of an earlier run are still good, without models and without media."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mien.core import AnalyzerConfig, Faces, Frame, Outputs, VideoOptions, row_options
from mien.media import MediaInput
from mien.pipeline.resume import WORK_KEY, ResumeIndex, work_digest
from mien.results import InputFailure, InputRecord, RunManifest, TableWriter, hash_file, manifest_path, table_schema

BUNDLE = "b" * 64
ROWS = row_options(AnalyzerConfig(), VideoOptions(), Outputs())


@pytest.fixture
def media(tmp_path: Path) -> MediaInput:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"frames")
    return MediaInput(name=str(path), kind="video", path=path, camera=None)


@pytest.fixture
def table(tmp_path: Path, media: MediaInput) -> Path:
    """A finished table of one row in a folder, with its manifest."""
    assert media.path is not None
    path = tmp_path / "out" / "clip.parquet"
    sha256 = hash_file(media.path)
    with TableWriter(path, table_schema(metadata={WORK_KEY: work_digest(ROWS, BUNDLE, sha256)})) as writer:
        writer.append(media.name, Frame(index=0, time_s=0.0, faces=Faces.empty()))
    record = InputRecord(
        path=media.name,
        kind="video",
        sha256=sha256,
        size_bytes=6,
        n_frames_decoded=1,
        n_frames_lost=0,
        n_rows=1,
        n_faces=0,
    )
    now = datetime.now(UTC)
    RunManifest(bundle_name="b", bundle_sha256=BUNDLE, arguments={}, started=now, finished=now, inputs=(record,)).save(
        path
    )
    return path


def is_finished(table: Path, media: MediaInput, rows: Any = ROWS, bundle: str = BUNDLE) -> bool:
    return ResumeIndex.load(table.parent).finished(table, media, rows, bundle) is not None


def test_an_unchanged_table_is_finished(table: Path, media: MediaInput) -> None:
    index = ResumeIndex.load(table.parent)
    assert is_finished(table, media)
    assert index.names_in_use == ["clip.parquet"]
    assert index.name_for(media) == "clip.parquet"
    assert index.name_for(replace(media, path=Path("other.mp4"))) is None
    assert index.name_for(MediaInput(name="camera 0", kind="camera", path=None, camera=0)) is None


def test_an_empty_folder_and_none_at_all(tmp_path: Path) -> None:
    assert ResumeIndex.load(tmp_path / "nowhere") == ResumeIndex()


def change_input(media: MediaInput, _: Path) -> None:
    assert media.path is not None
    media.path.write_bytes(b"FRAMES")


def grow_input(media: MediaInput, _: Path) -> None:
    assert media.path is not None
    media.path.write_bytes(b"frames+")


def lose_input(media: MediaInput, _: Path) -> None:
    assert media.path is not None
    media.path.unlink()


def damage_table(_: MediaInput, table: Path) -> None:
    table.write_bytes(table.read_bytes()[:-10])


def damage_manifest(_: MediaInput, table: Path) -> None:
    manifest_path(table).write_text("{")


def stop(_: MediaInput, table: Path) -> None:
    replace(RunManifest.load(table), stopped=True).save(table)


def fail(_: MediaInput, table: Path) -> None:
    replace(RunManifest.load(table), failures=(InputFailure(path="x", reason="y"),)).save(table)


def count_other_rows(_: MediaInput, table: Path) -> None:
    manifest = RunManifest.load(table)
    replace(manifest, inputs=(replace(manifest.inputs[0], n_rows=2),)).save(table)


@pytest.mark.parametrize(
    "change",
    [change_input, grow_input, lose_input, damage_table, damage_manifest, stop, fail, count_other_rows],
)
def test_what_changed_is_not_finished(
    change: Callable[[MediaInput, Path], None], table: Path, media: MediaInput
) -> None:
    change(media, table)
    assert not is_finished(table, media)


def test_another_bundle_or_input_is_not_finished(table: Path, media: MediaInput) -> None:
    assert not is_finished(table, media, bundle="c" * 64)
    assert not is_finished(table, replace(media, name="elsewhere.mp4"))
    assert not is_finished(table.with_name("other.parquet"), media)


@pytest.mark.parametrize("name", ROWS)
def test_every_option_that_changes_rows_changes_the_digest(name: str) -> None:
    assert work_digest({**ROWS, name: "other"}, BUNDLE, "i") != work_digest(ROWS, BUNDLE, "i")


def test_version_bundle_and_input_change_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = work_digest(ROWS, BUNDLE, "i")
    assert work_digest(dict(reversed(ROWS.items())), BUNDLE, "i") == before
    assert work_digest(ROWS, "c" * 64, "i") != before
    assert work_digest(ROWS, BUNDLE, "j") != before
    monkeypatch.setattr("mien.pipeline.resume.__version__", "99")
    assert work_digest(ROWS, BUNDLE, "i") != before
