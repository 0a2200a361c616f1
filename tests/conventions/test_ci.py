# SPDX-License-Identifier: Apache-2.0
"""CI runs the command that README gives to strangers."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import mien
from tests.helpers.markdown import Page
from tests.helpers.repository import ROOT

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="CI's scripts need bash")


def readme_command(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", str(root / ".ci" / "readme-command")], capture_output=True, text=True, check=False)


def test_ci_takes_the_command_from_readme() -> None:
    done = readme_command(ROOT)
    assert done.returncode == 0, done.stderr
    command = done.stdout.removesuffix("\n")
    assert command in list(Page(ROOT / "README.md").shell_lines())
    assert re.search(r"pip install .*\.\[test\]", command)
    assert 'bash -euo pipefail -c "$readme_command"' in (ROOT / ".ci" / "run").read_text("utf-8")


@pytest.mark.parametrize("text", ["# mien\n", "a -m pytest\nb -m pytest\n"], ids=["none", "two"])
def test_a_readme_without_a_single_command_stops_ci(tmp_path: Path, text: str) -> None:
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    (tmp_path / "README.md").write_text(text, "utf-8")
    done = readme_command(tmp_path)
    assert done.returncode == 1
    assert "exactly one line" in done.stderr


@pytest.mark.parametrize("name", ["run", "readme-command", "walk"])
def test_scripts_are_valid_and_stop_at_the_first_failure(name: str) -> None:
    script = ROOT / ".ci" / name
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert "\nset -euo pipefail\n" in script.read_text("utf-8")


def test_the_workflow_and_the_citation_follow_the_project() -> None:
    """The workflow runs the same script, and the citation names the version that is installed."""
    workflow = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    assert "run: bash .ci/run" in workflow
    assert f"\nversion: {mien.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
