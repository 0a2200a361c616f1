# SPDX-License-Identifier: Apache-2.0
"""Settings of data, models and heads: lengths of vectors, channels, and values that do not fit."""

import dataclasses

import pytest

from mien.core import ConfigError
from mien.training.recipes.settings import (
    DataSettings,
    HeadSettings,
    ModelSettings,
    SourceSettings,
    VectorSettings,
)

STRETCHES = (VectorSettings(part="features", n=5), VectorSettings(part="scores", n=3))


def test_vectors_have_the_length_of_their_stretches() -> None:
    model = ModelSettings(backbone="", vectors=STRETCHES)
    assert model.n_vector == 8
    assert dataclasses.replace(model, clip="statistics").n_vector == 32
    sequence = dataclasses.replace(model, clip="sequence", n_steps=12)
    assert (sequence.n_vector, sequence.columns_of("scores")) == (96, (60, 96))
    with pytest.raises(ConfigError, match="in 2 of the 3"):
        dataclasses.replace(model, vectors=(*STRETCHES, STRETCHES[1])).columns_of("scores")


def test_channels_follow_the_colour() -> None:
    assert [ModelSettings(colour=colour).n_channels for colour in ("gray", "rgb")] == [1, 3]


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (lambda: SourceSettings(name="x", split="val"), "split must be one of 'train', 'valid', 'test'"),
        (lambda: SourceSettings(name="x", epoch_share=1.5), "epoch_share must be in"),
        (lambda: DataSettings(sources=()), "at least one source"),
        (lambda: DataSettings(sources=(SourceSettings(name="x"),), expressions="mine"), "expressions must be one of"),
        (lambda: VectorSettings(part="pixels", n=1), "part must be one of"),
        (lambda: VectorSettings(part="scores", n=0), "n and every must be at least 1"),
        (lambda: ModelSettings(vectors=STRETCHES), "either a backbone, or vectors, or n_inputs"),
        (lambda: ModelSettings(backbone="", n_inputs=3, n_steps=2), "n_steps is for clip = 'sequence'"),
        (lambda: ModelSettings(crop="tight"), "crop must be one of"),
        (lambda: HeadSettings(columns=(1,)), "columns must be empty"),
        (lambda: HeadSettings(columns=(1, 2), sees="scores"), "either columns or sees"),
    ],
)
def test_values_that_do_not_fit_are_refused(create, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create()


@pytest.mark.parametrize("split", ["valid", "test"])
def test_super_resolution_is_refused_for_held_out_images(split: str) -> None:
    assert SourceSettings(name="lsd", upscale="span-x4").upscale == "span-x4"
    with pytest.raises(ConfigError, match="for training images"):
        SourceSettings(name="lsd", split=split, upscale="span-x4")  # type: ignore[arg-type]  # one of the splits
    train = SourceSettings(name="lsd")
    with pytest.raises(ConfigError, match="for training images"):
        DataSettings(sources=(train,), valid=(dataclasses.replace(train, upscale="bicubic"),))
