# SPDX-License-Identifier: Apache-2.0
"""The Dockerfile fits the project: it copies what exists, has a Python that mien supports, and runs as no root."""

import re
import shlex
import tomllib

from packaging.specifiers import SpecifierSet

from tests.helpers.repository import ROOT

LINES = [
    line.partition(" ")
    for line in (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
    if line and not line.startswith("#")
]
KNOWN = {"ARG", "CMD", "COPY", "ENTRYPOINT", "FROM", "RUN", "USER", "WORKDIR"}


def of(keyword: str) -> list[str]:
    return [rest for word, _, rest in LINES if word == keyword]


def test_every_line_is_an_instruction() -> None:
    assert {word for word, _, _ in LINES} <= KNOWN
    assert LINES[0][0] == "FROM"


def test_the_base_is_one_python_that_mien_supports() -> None:
    (base,) = of("FROM")
    match = re.fullmatch(r"python:(3\.\d+)-slim", base)  # a version, never latest
    assert match
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert match[1] in SpecifierSet(project["requires-python"])
    assert f"Programming Language :: Python :: {match[1]}" in project["classifiers"]


def test_what_it_copies_exists_and_is_not_ignored() -> None:
    sources = [source for line in of("COPY") for source in shlex.split(line)[:-1]]
    assert {"pyproject.toml", "src"} <= {source.strip("./") for source in sources}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source.removeprefix("./") in let_in, f"{source} is ignored by .dockerignore"


def test_it_runs_mien_as_a_user_without_rights() -> None:
    assert of("ENTRYPOINT") == ['["mien"]']
    (user,) = of("USER")
    assert int(user) >= 1000
    assert any(f"--uid {user} " in line for line in of("RUN"))
