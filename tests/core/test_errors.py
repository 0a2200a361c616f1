# SPDX-License-Identifier: Apache-2.0
import pickle

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
    assert "pip install 'mien[openvino]'" in str(error)
