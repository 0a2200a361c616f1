# SPDX-License-Identifier: Apache-2.0
"""What the pages say is true: code runs, commands parse, links and paths lead somewhere, versions agree."""

import contextlib
import doctest
import io
import re
from importlib import import_module
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import pytest

import mien
from mien.cli.main import mien as command_line
from mien.core import MissingExtraError
from mien.datasets import create_example
from mien.media import VideoWriter, save_image
from tests.helpers.markdown import Page
from tests.helpers.repository import ROOT, project_files, run_python

PAGES = {
    path.as_posix(): Page(ROOT / path)
    for path in project_files()
    if path.suffix == ".md" and (len(path.parts) == 1 or path.parts[0] == "docs")
}


GENERATED: set[str] = set()
"""Pages that a command writes beside others and that no menu needs."""


@pytest.fixture
def files_of_the_examples(tmp_path: Path, astronaut: npt.NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with what examples name: ``photo.jpg``, ``clip.mp4``, and Aff-Wild2 made up in ``PATH``."""
    monkeypatch.chdir(tmp_path)
    for name in ("affwild2-va", "affwild2-expr"):
        create_example(name, tmp_path / "PATH")
    save_image("photo.jpg", astronaut)
    with VideoWriter("clip.mp4", 512, 512, fps=25, threads=1) as writer:
        for index in range(4):
            writer.write(np.roll(astronaut, 4 * index, axis=1), index / 25)


@pytest.mark.usefixtures("files_of_the_examples")
@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if any(page.python_blocks())])
def test_python_examples_run(name: str) -> None:
    # A page is read from top to bottom: later blocks may use names of earlier ones.
    namespace: dict[str, object] = {"__name__": "__main__"}
    for line, code in PAGES[name].python_blocks():
        padded = "\n" * line + code  # so that a traceback names the line of the page
        try:
            exec(compile(padded, str(PAGES[name].path), "exec"), namespace)
        except MissingExtraError as error:
            pytest.skip(f"{name}: {error}")


def test_readme_shows_python_and_commands() -> None:
    readme = PAGES["README.md"]
    assert any(readme.python_blocks())
    assert ["analyze", "clip.mp4", "--out", "table.parquet"] in list(readme.mien_commands())


def parse(arguments: list[str]) -> None:
    """Let the command line take arguments apart, without running anything."""
    command: click.Command = command_line
    context = click.Context(command, info_name="mien")
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        name, found, arguments = command.resolve_command(context, arguments)
        assert found is not None
        command = found
        context = click.Context(command, info_name=name, parent=context)
    with contextlib.suppress(click.exceptions.Exit), contextlib.redirect_stdout(io.StringIO()):
        command.make_context(context.info_name, list(arguments), parent=context.parent)


@pytest.mark.parametrize("name", PAGES)
def test_commands_are_understood(name: str) -> None:
    for arguments in PAGES[name].mien_commands():
        parse(arguments)
    for arguments in PAGES[name].mien_mentions():
        with contextlib.suppress(click.MissingParameter):
            parse(arguments)


@pytest.mark.parametrize("arguments", [["analize"], ["analyze", "a.mp4", "--outt", "b"], ["data", "check"]])
def test_wrong_commands_are_noticed(arguments: list[str]) -> None:
    with pytest.raises(click.UsageError):
        parse(arguments)


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    page = PAGES[name]
    assert [target for target in page.links() if not (page.path.parent / target).exists()] == []


def test_columns_page_is_current() -> None:
    done = run_python("docs/reference/columns.py", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert PAGES["docs/reference/columns.md"].text == done.stdout, "run: make docs"


def test_every_user_report_is_answered_and_tested() -> None:
    tests = set(
        re.findall(
            r"^def (test_report_\w+)",
            (ROOT / "tests/user_reports/test_user_reports.py").read_text("utf-8"),
            re.MULTILINE,
        )
    )
    assert len({name[12:14] for name in tests}) >= 12
    assert set(re.findall(r"`(test_report_\w+)`", PAGES["docs/how-to/faq.md"].text)) == tests


_MENU = re.compile(r"^```{toctree}\n((?::.*\n)*)((?:[^`].*\n)*)```$", re.MULTILINE)


def test_every_page_is_in_the_menu() -> None:
    """The menus (`toctree`) lead from the first page to all others."""
    docs, reached, waiting = ROOT / "docs", set(), [ROOT / "docs/index.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page.relative_to(ROOT).as_posix())
        for options, entries in _MENU.findall(page.read_text("utf-8")):
            found = [
                path
                for entry in entries.split()
                for path in (page.parent.glob(f"{entry}.md") if ":glob:" in options else [page.parent / f"{entry}.md"])
            ]
            assert all(path.exists() for path in found), (page, entries)
            waiting += [path for path in found if path.relative_to(ROOT).as_posix() not in reached]
    assert docs.is_dir()
    assert {name for name in PAGES if name.startswith("docs/")} - reached - GENERATED == set()


def test_the_comparison_in_readme_is_current() -> None:
    done = run_python("docs/reference/comparison.py", "--print", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert PAGES["README.md"].text == done.stdout, "run: make docs"


def api_names() -> list[str]:
    """Functions and classes that the pages of the API take from docstrings; a whole module stands for its `__all__`."""
    names = []
    for name, page in PAGES.items():
        if name.startswith("docs/reference/api/"):
            names += re.findall(r"^\.\. auto(?:class|function):: ([\w.]+)$", page.text, re.MULTILINE)
            for module in re.findall(r"^\.\. automodule:: ([\w.]+)$", page.text, re.MULTILINE):
                names += [f"{module}.{member}" for member in import_module(module).__all__]
    return names


def test_the_reference_has_every_public_name() -> None:
    names = api_names()
    packages = ("Analyzer", "Faces", "Face", "Frame", "analyze", "metrics.ccc", "datasets.load_dataset")
    assert {f"mien.{name}" for name in packages} | {"mien.evaluation.evaluate", "mien.training.train"} <= set(names)
    errors = set(re.findall(r"autoexception:: mien\.(\w+)", PAGES["docs/reference/api/options.md"].text))
    constants = {"ACTION_UNITS", "ACTION_UNIT_SIDES", "EXPRESSIONS", "__version__"}
    assert {f"mien.{name}" for name in set(mien.__all__) - errors - constants} <= set(names)


@pytest.mark.parametrize("name", [name for name in api_names() if name.count(".") == 1 or name.endswith(".evaluate")])
def test_names_of_the_reference_have_an_executed_example(name: str) -> None:
    """In the docstring, which `make doctest` runs, or on a page of the API, which this file runs."""
    pages = "".join(
        code for page in PAGES if page.startswith("docs/reference/api/") for _, code in PAGES[page].python_blocks()
    )
    documented = resolve(name).__doc__ or ""
    examples = [example for example in doctest.DocTestParser().get_examples(documented) if example.source]
    assert examples or re.search(rf"\b{name.rpartition('.')[2]}\b", pages), f"{name} has no example"
    assert len(documented) > 40


def test_newest_version_of_the_changelog_is_this_one() -> None:
    versions = re.findall(r"^## \[(\d[^\]]*)\]", PAGES["CHANGELOG.md"].text, re.MULTILINE)
    assert versions
    assert versions[0] == mien.__version__
    kinds = set(re.findall(r"^### (.+)$", PAGES["CHANGELOG.md"].text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def touch_lists() -> dict[str, str]:
    """What CONTRIBUTING names as a thing to add -> the places to touch."""
    section = re.search(r"^## Touch lists$(.*?)(?=^## |\Z)", PAGES["CONTRIBUTING.md"].text, re.MULTILINE | re.DOTALL)
    assert section
    return dict(re.findall(r"^\| (an? [^|]+|a [^|]+) \| (.+) \|$", section[1], re.MULTILINE))


def test_touch_lists_name_what_exists() -> None:
    missing = {}
    for thing, places in touch_lists().items():
        paths = [text for text in re.findall(r"`([^`]+)`", places) if "/" in text]
        assert paths or "`pyproject.toml`" in places, thing
        lost = [path for path in paths if not any(ROOT.glob(re.sub(r"<\w+>", "*", path).rstrip("/")))]
        missing |= {thing: lost} if lost else {}
    assert missing == {}


def test_touch_lists_cover_every_table_of_records() -> None:
    """A table of records (`mien.core.Registry`) is where something is added, so a touch list names its module."""
    tables = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "src").rglob("*.py")
        if re.search(r"^[A-Z_]+(: [^=]+)? = Registry\(", path.read_text("utf-8"), re.MULTILINE)
    }
    assert len(tables) > 8
    listed = " ".join(touch_lists().values())
    assert {table for table in tables if f"`{table}`" not in listed} == set()


def test_records_are_added_where_touch_lists_say() -> None:
    for thing, places in touch_lists().items():
        for path in re.findall(r"one record in `(src/[^`]+)`", places):
            assert "Registry(" in (ROOT / path).read_text("utf-8"), (thing, path)


@pytest.mark.parametrize("name", PAGES)
def test_paths_lead_somewhere(name: str) -> None:
    paths = re.findall(r"`((?:src|tests|benchmarks|docs|examples)/[^`\s*<>]+)`", PAGES[name].text)
    if name == "docs/reference/how-a-frame-flows.md":
        paths += [f"src/mien/{path}" for path in re.findall(r"`(\w+/[\w/]+\.py|\w+/)`", PAGES[name].text)]
        assert len(paths) > 20
    if name == "CHANGELOG.md":  # history names what is gone
        return
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_pages_that_code_names_exist() -> None:
    named = {
        (path.relative_to(ROOT).as_posix(), page)
        for folder in ("src", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        for page in re.findall(r"\bdocs/[\w/-]+\.(?:md|svg)\b", path.read_text("utf-8"))
    }
    assert len(named) > 20
    assert [found for found in sorted(named) if not (ROOT / found[1]).exists()] == []


METADATA_KEYS = {"mien.baseline"}
"""Names in the metadata of tables, which are no names of Python."""


def resolve(dotted: str) -> object:
    """What a dotted name such as ``mien.affect.Smoothing.parse`` stands for."""
    names = dotted.split(".")
    found: object = import_module(names[0])
    for position, name in enumerate(names[1:], start=2):
        if not hasattr(found, name):
            import_module(".".join(names[:position]))
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("name", PAGES)
def test_names_of_the_package_exist(name: str) -> None:
    if name == "CHANGELOG.md":
        return
    unknown = []
    for dotted in sorted(set(re.findall(r"`(mien(?:\.\w+)+)[`(]", PAGES[name].text)) - METADATA_KEYS):
        try:
            resolve(dotted)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] == "mien":
                unknown.append(dotted)
        except (AttributeError, MissingExtraError) as error:
            unknown += [dotted] if isinstance(error, AttributeError) else []
    assert unknown == []
