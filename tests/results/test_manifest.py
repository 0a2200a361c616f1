# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from mien._version import __version__
from mien.core import ConfigError, InputError, OutputError
from mien.results import SCHEMA_VERSION, InputFailure, InputRecord, RunManifest, hash_file, manifest_path

MANIFEST = RunManifest(
    bundle_name="tiny",
    bundle_sha256="00ff",
    arguments={"inputs": ["clips/"], "threads": 2, "smooth": None},
    started=datetime(2026, 5, 1, 12, 0, 0, tzinfo=timezone(timedelta(hours=2))),
    finished=datetime(2026, 5, 1, 10, 0, 30, tzinfo=UTC),
    inputs=(
        InputRecord(
            path="clips/Ωmega.mp4",
            kind="video",
            sha256="ab" * 32,
            size_bytes=10,
            n_frames_decoded=98,
            n_frames_lost=2,
            n_rows=120,
            n_faces=110,
            messages=("2 frames are damaged",),
        ),
    ),
    failures=(InputFailure(path="clips/caf\udce9.mp4", reason="is empty"),),
)


def test_a_manifest_reads_back_as_it_was(tmp_path: Path) -> None:
    path = MANIFEST.save(tmp_path / "table.parquet")
    assert path == manifest_path(tmp_path / "table.parquet") == tmp_path / "table.parquet.manifest.json"
    assert RunManifest.load(tmp_path / "table.parquet") == MANIFEST
    assert list(tmp_path.iterdir()) == [path]


def test_a_manifest_is_json_that_others_understand(tmp_path: Path) -> None:
    values = json.loads(MANIFEST.save(tmp_path / "table.csv").read_bytes())
    assert (values["mien_version"], values["schema_version"]) == (__version__, SCHEMA_VERSION)
    assert (values["started"], values["finished"]) == ("2026-05-01T10:00:00Z", "2026-05-01T10:00:30Z")
    assert values["arguments"] == MANIFEST.arguments
    assert values["inputs"][0]["path"] == "clips/Ωmega.mp4"
    assert values["inputs"][0]["messages"] == ["2 frames are damaged"]
    assert values["failures"][0]["reason"] == "is empty"


def test_times_need_a_zone() -> None:
    with pytest.raises(ConfigError, match="finished"):
        replace(MANIFEST, finished=datetime(2026, 5, 1))


@pytest.mark.parametrize("value", [object(), float("nan")])
def test_arguments_must_be_json_and_a_failed_save_leaves_the_old_one(value: object, tmp_path: Path) -> None:
    MANIFEST.save(tmp_path / "table.csv")
    with pytest.raises(ConfigError, match="JSON"):
        replace(MANIFEST, arguments={"x": value}).save(tmp_path / "table.csv")
    assert RunManifest.load(tmp_path / "table.csv") == MANIFEST


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"absent.*table\.csv\.manifest\.json"):
        MANIFEST.save(tmp_path / "absent" / "table.csv")


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"manifest_version": 3}', b'{"manifest_version": 1, "started": "soon"}', b"\xff"],
)
def test_a_damaged_or_newer_manifest_is_refused(content: bytes, tmp_path: Path) -> None:
    manifest_path(tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"table\.csv\.manifest\.json"):
        RunManifest.load(tmp_path / "table.csv")


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    path = MANIFEST.save(tmp_path / "table.csv")
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "colour": "red"}))
    with pytest.raises(InputError, match="colour"):
        RunManifest.load(tmp_path / "table.csv")


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"table\.csv\.manifest\.json"):
        RunManifest.load(tmp_path / "table.csv")


def test_hash_of_a_file(tmp_path: Path) -> None:
    content = b"frame" * 100_000
    (tmp_path / "clip.mp4").write_bytes(content)
    assert hash_file(tmp_path / "clip.mp4") == hashlib.sha256(content).hexdigest()
    for path in (tmp_path, tmp_path / "absent.mp4"):
        with pytest.raises(InputError, match=path.name):
            hash_file(path)
