# SPDX-License-Identifier: Apache-2.0
"""The check of the built site notices what it is for."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from tests.helpers.repository import ROOT


@pytest.fixture
def check_site() -> ModuleType:
    loader = SourceFileLoader("check_site", str(ROOT / ".ci/check-site"))
    spec = spec_from_loader("check_site", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def write_site(folder: Path, body: str, *, style: str = "", index: str = "Search.setIndex({})") -> Path:
    for number in range(40):
        (folder / f"page{number}.html").write_text('<a href="page0.html#top">first</a>', "utf-8")
    (folder / "index.html").write_text(body, "utf-8")
    (folder / "style.css").write_text(style, "utf-8")
    (folder / "searchindex.js").write_text(index, "utf-8")
    return folder


def test_a_right_site_passes(check_site: ModuleType, tmp_path: Path) -> None:
    body = '<link href="style.css"><a href="https://example.org">elsewhere</a><a href="page1.html?q=a#b">here</a>'
    assert check_site.problems_of(write_site(tmp_path, body)) == []


@pytest.mark.parametrize(
    ("body", "style", "index", "said"),
    [
        (
            '<script src="https://cdn.example/a.js"></script>',
            "",
            "Search.setIndex({})",
            "loads https://cdn.example/a.js",
        ),
        ('<img alt="x" src="//cdn.example/a.png">', "", "Search.setIndex({})", "loads //cdn.example/a.png"),
        ('<a href="gone.html">gone</a>', "", "Search.setIndex({})", "links to gone.html"),
        (
            "",
            "a { background: url('https://cdn.example/a.png') }",
            "Search.setIndex({})",
            "style.css loads from elsewhere",
        ),
        ("", "", '{"terms": {}}', "searchindex.js is no script"),
    ],
)
def test_what_is_wrong_is_named(
    check_site: ModuleType, tmp_path: Path, body: str, style: str, index: str, said: str
) -> None:
    (problem,) = check_site.problems_of(write_site(tmp_path, body, style=style, index=index))
    assert said in problem
