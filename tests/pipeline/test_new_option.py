# SPDX-License-Identifier: Apache-2.0
"""A field that is added to an options class reaches Python, the command line, the manifest and resume by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import mien
from mien.cli.field_options import field_options
from mien.core import AnalyzerConfig, Outputs, VideoOptions, option, read_options
from mien.pipeline import RunResult
from mien.results import RunManifest


@dataclass(frozen=True, kw_only=True)
class MirroredVideo(VideoOptions):
    """Test-only options with a field that changes rows, and one that does not."""

    mirror: bool = field(default=False, metadata=option("Mirror every frame.", "--mirror"))
    comment: str = field(
        default="", metadata=option("Remark on the run.", "--comment", metavar="TEXT", changes_rows=False)
    )


def run(photo: Path, out: Path, **shortcuts: Any) -> RunResult:
    return mien.analyze(photo, out, video=MirroredVideo(), threads=1, **shortcuts)


def test_python_manifest_and_resume(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (table,) = run(photo, out, mirror=True).tables
    arguments = RunManifest.load(table).arguments
    assert (arguments["mirror"], arguments["comment"]) == (True, "")
    assert read_options(MirroredVideo, arguments) == MirroredVideo(mirror=True)
    assert run(photo, out, mirror=True, comment="the same rows").skipped == (table,)
    assert run(photo, out, mirror=False).skipped == (), "an option that changes rows was ignored"


def test_the_command_line(photo: Path, tmp_path: Path) -> None:
    @click.command()
    @click.argument("inputs", nargs=-1)
    @field_options(Outputs, MirroredVideo, AnalyzerConfig)
    def analyze(inputs: tuple[str, ...], **options: Any) -> None:
        mien.analyze(inputs, video=MirroredVideo(), **options)

    out = tmp_path / "t.csv"
    done = CliRunner().invoke(analyze, [str(photo), "--out", str(out), "--mirror", "--comment", "x", "--threads", "1"])
    assert done.exit_code == 0, done.output
    arguments = RunManifest.load(out).arguments
    assert (arguments["mirror"], arguments["comment"], arguments["threads"]) == (True, "x", 1)
    shown = CliRunner().invoke(analyze, ["--help"]).output
    assert "--mirror" in shown
    assert "--comment TEXT" in shown
    assert "Remark on the run." in shown


def test_without_the_field_the_name_is_unknown(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="unknown option 'mirror'"):
        mien.analyze(photo, tmp_path / "t.csv", mirror=True)
