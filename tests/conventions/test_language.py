# SPDX-License-Identifier: Apache-2.0
"""Code and pages use the terms of the field: words of the old dialect do not come back."""

import ast
import re
from pathlib import Path

import pytest

from tests.helpers.repository import ROOT

# Banned word or phrase -> what to write instead.
BANNED = {
    "anew": "again",
    "whoever": "a noun: the caller, the owner",
    "nobody": "a noun: no annotator, no caller",
    "learnt": "trained, or learned",
    "goes on": "continues, resumes",
    "somebody": "a noun: the caller, a person",
    "taught": "trained",
    "untaught": "untrained",
    "teach": "train",
    "teaches": "trains",
    "teaching": "training",
    "lesson": "training data",
    "lessons": "training data",
    "chances": "probabilities",
    "answers": "predictions, outputs",
    "workshop": "training",
    "film": "video",
    "films": "videos",
    "figure": "metric, result, number",
    "figures": "metrics, results, numbers",
    "look at": "run on, take as input",
    "looks at": "runs on, takes as input",
    "looked at": "run on",
    "believe": "accept, trust",
    "believed": "accepted",
    "believes": "accepts",
    "hears": "receives",
    "heard": "received",
    "told": "given, reported",
    "said twice": "repeated",
    "a kill": "a crash, SIGKILL",
    "as it stands": "unchanged, whole",
    "as they stand": "unchanged, whole",
    "a little kind": "slightly optimistic",
    "made-up": "synthetic",
    "yardstick": "benchmark, metric",
}

# File -> banned words that it may have, each with a reason.
ALLOWED: dict[str, dict[str, str]] = {
    "src/mien/core/model_spec.py": {"figures": "the old key of metrics in model.json, which is still read"},
    "src/mien/results/plots.py": {"figure": "the class and the module of matplotlib"},
}

_PATTERNS = {word: re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])", re.IGNORECASE) for word in BANNED}
_NO_LEADING_ZERO = re.compile(r"(?<![\w.\)\]}'\"%*/])(?<![:+,=]{2})\.\d(?!\d*[defg%])")


def texts() -> list[Path]:
    """Modules of the package, pages, and what the package carries as text."""
    found = [path for ending in ("*.py", "*.toml", "*.html") for path in (ROOT / "src").rglob(ending)]
    pages = [
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "docs").rglob("*.py"),
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
    ]
    return sorted({*found, *pages})


def banned_words(path: Path) -> list[str]:
    """Line and advice of every banned word in a file that the file may not have."""
    allowed = ALLOWED.get(path.relative_to(ROOT).as_posix(), {})
    return [
        f"line {number}: {word!r}, write {BANNED[word]}"
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        for word, pattern in _PATTERNS.items()
        if word not in allowed and pattern.search(line)
    ]


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_banned_word(path: Path) -> None:
    assert banned_words(path) == []


def test_banned_words_are_noticed() -> None:
    text = "A frame is read anew.\nTeach-in and untaughtness pass.\nFilms are as they stand.\n"
    found = [word for word, pattern in _PATTERNS.items() if any(pattern.search(line) for line in text.splitlines())]
    assert found == ["anew", "films", "as they stand"]
    assert ROOT / "docs/index.md" in texts()


@pytest.mark.parametrize(
    "path", [path for path in texts() if path.suffix != ".html"], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_numbers_have_a_leading_zero(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert [f"{number}: {line}" for number, line in enumerate(lines, start=1) if _NO_LEADING_ZERO.search(line)] == []


def test_numbers_without_leading_zero_are_noticed() -> None:
    assert [text for text in ("a .5", "(.5", "-.5", "=.5", "[.5,.7]") if not _NO_LEADING_ZERO.search(text)] == []
    assert [text for text in ("0.5", "v1.2", "x[0].5", "1..2", "a.5") if _NO_LEADING_ZERO.search(text)] == []


def test_the_allow_list_is_used() -> None:
    for name, words in ALLOWED.items():
        text = (ROOT / name).read_text("utf-8")
        assert [word for word in words if not _PATTERNS[word].search(text)] == [], name


def undefined_lines(path: Path) -> list[str]:
    """Lines of ``Args``, ``Attributes`` and ``Raises`` that do not begin with a capital letter, as definitions do."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        section = ""
        for line in (ast.get_docstring(node) or "").splitlines():
            if heading := re.fullmatch(r"(\w+):", line):
                section = heading[1]
            elif section in ("Args", "Attributes", "Raises") and _ELLIPTIC.match(line):
                found.append(f"{node.name}: {line.strip()}")
    return found


# A name of code, a unit or a number may begin a definition: "(N,) ...", "``"train"``", "xyxy".
_ELLIPTIC = re.compile(r"    \*{0,2}\w[\w., ]*: (?!xyxy\b|\w*[_\d]\w*)[a-z]")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "src").rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_arguments_are_defined(path: Path) -> None:
    assert undefined_lines(path) == []


def test_elliptic_lines_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        'def f(a, b):\n    """Do it.\n\n    Args:\n        a: of the set.\n        b: (N,) numbers.\n'
        '        c: Number of images.\n\n    Raises:\n        ValueError: it fails.\n    """\n',
        "utf-8",
    )
    assert undefined_lines(path) == ["f: a: of the set.", "f: ValueError: it fails."]


# Identifiers of the old dialect; old keys of JSON files are texts and stay readable.
_OLD_NAMES = """
AffectTables AnswerFile AnswerForm Answers BatchMaker BELIEVED DegradedReadings EarlierTables FaceChoice FaceReader
Figure FoundFaces ImageReading LandmarkReading Lessons Measure PartsStore PointReader Reading SeenFrame Selection
Stillness Swap Tally TeachingSet TeachingSource Told TrueFrame VideoFaces VideoReading WholeRuns Yardstick
accuracy_without answers answers_px chance chances create_reader cut_and_mix draw_rows durable_file
expression_chances figure figures film films gray_48_copy how_made lessons load_lessons moment_numbers
named_rows named_share ordered_pairs other_rows outputs_of parts_of read_answers run_here selection_limits
self_teach set_aside siblings taught taught_by teaching told trusts unread with_points without_traces yardstick
yardstick_of
"""
OLD_NAMES = frozenset(_OLD_NAMES.split())
# Names of other libraries.
_FOREIGN_NAMES = {"src/mien/results/plots.py": ("Figure", "figure")}


def identifiers(path: Path) -> set[str]:
    """Names that a module defines or uses, without those in texts."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            found.add(node.arg)
    return found


@pytest.mark.parametrize(
    "path", sorted((ROOT / "src").rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_old_names_do_not_come_back(path: Path) -> None:
    foreign = set(_FOREIGN_NAMES.get(path.relative_to(ROOT).as_posix(), ()))
    assert {name.lstrip("_") for name in identifiers(path)} & OLD_NAMES == foreign


def test_identifiers_are_found(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("class A:\n    def f(self, b):\n        return self.c(d, e='g')\n", "utf-8")
    assert identifiers(path) == {"A", "f", "self", "b", "c", "d", "e"}
