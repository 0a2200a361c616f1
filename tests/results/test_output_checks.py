# SPDX-License-Identifier: Apache-2.0
"""Outputs that would destroy something, and places that cannot be written, are refused before any work."""

import os
import socket
from pathlib import Path

import pytest

from mien.core import ConfigError, DraftFile, OutputError
from mien.results import OutputFile, TableWriter, check_output, check_outputs, refuse_other_file
from mien.results.output_checks import is_affect_table

needs_posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and modes of this kind are POSIX")


def outputs(*paths: Path) -> list[OutputFile]:
    return [OutputFile(f"--{number}", path) for number, path in enumerate(paths)]


@pytest.fixture(params=[".csv", ".parquet", ".jsonl"])
def table(request: pytest.FixtureRequest, tmp_path: Path, schema, make_frame) -> Path:
    path = tmp_path / f"t{request.param}"
    with TableWriter(path, schema) as writer:
        writer.append("clip.mp4", make_frame(0))
    return path


@pytest.mark.parametrize("other", ["x.csv", "X.CSV", "folder/../x.csv", "./x.csv"])
def test_two_outputs_of_one_name(tmp_path: Path, other: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match=r"--1 .* and --0 .*x\.csv are the same file; choose another name"):
        check_outputs(outputs(tmp_path / "x.csv", Path(f"{tmp_path}/{other}")))


def test_composed_and_decomposed_letters_are_one_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="are the same file"):
        check_outputs(
            outputs(
                tmp_path / "caf\N{LATIN SMALL LETTER E WITH ACUTE}.csv", tmp_path / "cafe\N{COMBINING ACUTE ACCENT}.csv"
            )
        )


@needs_posix
@pytest.mark.parametrize("link", ["hard", "symbolic", "folder"])
def test_links_to_an_input(tmp_path: Path, link: str) -> None:
    place = tmp_path / "media"
    place.mkdir()
    clip, out = place / "clip.mp4", tmp_path / "o.mp4"
    clip.write_bytes(b"frames")
    if link == "hard":
        os.link(clip, out)
    elif link == "symbolic":
        out.symlink_to(clip)
    else:
        (tmp_path / "again").symlink_to(place)
        out = tmp_path / "again" / "clip.mp4"
    with pytest.raises(ConfigError, match=r"--0 .* and the input .*clip\.mp4 are the same file"):
        check_outputs(outputs(out), [("the input", clip)])
    check_outputs(outputs(tmp_path / "other.mp4", tmp_path / "o2.mp4"), [("the input", clip)])


def test_another_command_replaces_no_table(table: Path) -> None:
    assert is_affect_table(table)
    with pytest.raises(ConfigError, match="a table of that name exists, and only mien analyze replaces one"):
        check_output("--out", table)
    assert check_output("--out", table, replaces_tables=True) == table
    refuse_other_file(OutputFile("--out", table, is_table=True))


@pytest.mark.parametrize("content", ["", "my,own,notes\n1,2,3\n", "{", "[" * 100_000])
@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl"])
def test_a_file_of_the_user_is_not_replaced(tmp_path: Path, ending: str, content: str) -> None:
    path = tmp_path / f"mine{ending}"
    path.write_text(content)
    with pytest.raises(ConfigError, match="a file of that name exists and is no table of mien"):
        refuse_other_file(OutputFile("--out", path, is_table=True))
    (tmp_path / f"new{ending}.manifest.json").write_text('{"mine": 1}')
    with pytest.raises(ConfigError, match="is no manifest of mien and would be replaced"):
        refuse_other_file(OutputFile("--out", tmp_path / f"new{ending}", is_table=True))


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    for path, message in (("", "--out is empty"), ("a\0.csv", "null character")):
        with pytest.raises(ConfigError, match=message):
            check_output("--out", path)
    with pytest.raises(OutputError, match="its name is 5 bytes too long; shorten it"):
        check_outputs([OutputFile("--out", tmp_path / ("x" * 242 + ".csv"), is_table=True)])
    with pytest.raises(OutputError, match="cannot write"):
        check_output("--out", tmp_path / ("x" * 300) / "t.csv")


@needs_posix
def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.csv"))
        cases = [("pipe.csv", "it is a pipe"), ("folder.csv", "it is a folder"), ("socket.csv", "it is a socket")]
        for name, message in [*cases, ("file/t.csv", "Not a directory")]:
            with pytest.raises(OutputError, match=message):
                check_output("--out", tmp_path / name)
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    assert check_output("--out", tmp_path / "loop.csv") == tmp_path / "loop.csv", "writing replaces the link"


def test_nothing_is_created(tmp_path: Path) -> None:
    check_output("--out", tmp_path / "new" / "below" / "t.csv")
    assert list(tmp_path.iterdir()) == []


@needs_posix
@pytest.mark.parametrize("folder", ["/proc", "/sys", "/proc/self"])
def test_a_file_system_that_refuses_files_is_found_before_the_work(folder: str) -> None:
    if not Path(folder).is_dir():
        pytest.skip(f"{folder} is of Linux")
    with pytest.raises(OutputError, match=rf"^cannot write {folder}/report\.html: .+; check that the folder exists"):
        check_outputs(outputs(Path(folder, "report.html")))


def test_many_outputs_of_one_folder_try_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    class Counted(DraftFile):
        def __init__(self, target: Path) -> None:
            made.append(target)
            super().__init__(target)

    monkeypatch.setattr("mien.results.output_checks.DraftFile", Counted)
    check_outputs(outputs(*(tmp_path / "new" / f"{number}.csv" for number in range(50)), tmp_path / "a.csv"))
    assert len(made) == 1
    assert list(tmp_path.iterdir()) == []
