# SPDX-License-Identifier: Apache-2.0
"""The runner lists every benchmark, calls the named one, and turns errors into messages and exit codes."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import ROOT, __main__
from benchmarks.__main__ import BENCHMARKS, MISSING_PACKAGE, USAGE_ERROR, Benchmark, main
from mien.core import ConfigError, MissingExtraError


def module_of(benchmark: Benchmark) -> ModuleType:
    try:
        return import_module(benchmark.target.partition(":")[0])
    except ModuleNotFoundError as error:
        if str(error.name).startswith("benchmarks"):
            raise
        pytest.skip(f"{error.name} is an extra: {benchmark.install}")
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_explains_its_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module_of(BENCHMARKS[name])
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    assert f"python -m benchmarks {name}" in capsys.readouterr().out


def test_the_help_lists_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listing = capsys.readouterr().out
    assert [name for name in BENCHMARKS if f"  {name} " not in listing] == []
    assert list(BENCHMARKS) == sorted(BENCHMARKS)


@pytest.mark.parametrize(
    ("arguments", "message"), [(["trakking"], "Did you mean 'tracking'?"), ([], "name a benchmark")]
)
def test_a_wrong_name_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == USAGE_ERROR
    assert message in capsys.readouterr().err


def test_errors_have_messages_and_the_exit_codes_of_mien(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def needs_torch(_: list[str]) -> int:
        raise ModuleNotFoundError(name="torch.nn")

    def refuses(_: list[str]) -> int:
        raise ConfigError("no such row")

    table = {
        "one": Benchmark("benchmarks.fake:one", "", "pip install torch"),
        "two": Benchmark("benchmarks.fake:two", ""),
    }
    fake = ModuleType("fake")
    fake.one, fake.two = needs_torch, refuses  # type: ignore[attr-defined]  # made up here
    monkeypatch.setattr(__main__, "BENCHMARKS", table)
    monkeypatch.setattr(__main__, "import_module", lambda _: fake)
    assert main(["one"]) == MISSING_PACKAGE
    assert main(["two"]) == 2
    assert capsys.readouterr().err == "one needs torch: pip install torch\ntwo: no such row\n"


def test_no_module_name_occurs_twice() -> None:
    modules = [path for path in (ROOT / "benchmarks").rglob("*.py") if path.name != "__init__.py"]
    stems = [path.stem for path in modules]
    assert sorted(stems) == sorted(set(stems))
    folders = [path.parent for path in modules]
    assert [folder for folder in set(folders) if folders.count(folder) > 15] == []
    assert [path for path in modules if _n_lines(path) > 500] == []


def _n_lines(path: Path) -> int:
    return path.read_text("utf-8").count("\n")
