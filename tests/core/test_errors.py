# SPDX-License-Identifier: Apache-2.0
import pickle
from pathlib import Path

import pytest

from mien.core import (
    ConfigError,
    DatasetError,
    InputError,
    JobError,
    MienError,
    MissingExtraError,
    ModelError,
    OutputError,
    install_command,
)


@pytest.mark.parametrize("kind", [ConfigError, DatasetError, InputError, JobError, ModelError, OutputError])
def test_every_error_is_a_mien_error_and_survives_another_process(kind: type[MienError]) -> None:
    error = pickle.loads(pickle.dumps(kind("photo.jpg: not an image")))
    assert isinstance(error, MienError)
    assert (type(error), str(error)) == (kind, "photo.jpg: not an image")


def test_a_missing_extra_names_the_command_also_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(MissingExtraError("openvino", "openvino")))
    assert isinstance(error, MienError)
    assert (error.package, error.extra) == ("openvino", "openvino")
    assert install_command("openvino") in str(error)


def test_the_command_for_an_extra_of_a_checkout_and_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    core = tmp_path / "src" / "mien" / "core"
    core.mkdir(parents=True)
    assert install_command("train", core / "errors.py") == "pip install 'mien[train]'"
    (tmp_path / "pyproject.toml").write_text("")
    assert install_command("train", core / "errors.py") == f"pip install '{tmp_path.resolve()}[train]'"
    monkeypatch.chdir(tmp_path)
    assert install_command("train", core / "errors.py") == "pip install '.[train]'"
