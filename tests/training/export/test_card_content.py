# SPDX-License-Identifier: Apache-2.0
"""Every sentence of a card comes from the training data and their records, none from the code."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")

from mien.core import EXPRESSIONS
from mien.training.data.source_records import LabelOrigin, SourceRecord, WeakLabels
from mien.training.data.sources import load_training_data
from mien.training.data.training_set import TrainingSet, join_sets
from mien.training.export.card_content import create_card
from mien.training.recipes.settings import DataSettings, SourceSettings
from tests.helpers.synthetic_data import create_landmark_samples, create_recipe, create_samples, create_vector_recipe
from tests.training.data.test_sources import write_vectors

FOREIGN = ("fer+", "fer2013", "ferplus", "lfw", "fairface", "mediapipe", "affectnet", "au06", "aff-wild")

RECORD = SourceRecord(
    title="Busts of Rome, train",
    licence="CC0",
    terms="licence",
    weak=(WeakLabels(task="action_units", sentence="Action units were guessed from marble.", inferred=("AU01",)),),
    origins=(
        LabelOrigin(name="Marble Net", role="teacher", licence="MIT"),
        LabelOrigin(name="Poll", role="votes", licence="", n=7),
    ),
    protocols=("marble",),
)


def samples_of(record: SourceRecord, n: int = 200) -> TrainingSet:
    """Samples with one rare expression and a narrow range of valence."""
    samples = create_samples(n, create_vector_recipe())
    expression = np.zeros((n, 8), np.float32)
    expression[np.arange(n), np.arange(n) % 7] = 1
    expression[:4] = np.eye(8)[7]
    samples.targets["expression"][:] = expression
    samples.targets["valence_arousal"][:, 0] = np.linspace(-0.25, 0.5, n)
    return dataclasses.replace(samples, records=(record,))


def test_facts_of_the_records_and_numbers_of_the_data() -> None:
    card = create_card(samples_of(RECORD))
    assert card.notice == "Trained on Busts of Rome, train (CC0): check their terms before commercial use."
    assert [(source.name, source.n) for source in card.training_sources] == [
        ("Busts of Rome, train", 200),
        ("Marble Net", 200),
        ("Poll", 7),
    ]
    assert (card.inferred, card.protocols) == (("AU01",), ("marble",))
    text = " ".join(card.limitations)
    assert "Action units were guessed from marble." in text
    assert "valence within [-0.25, 0.50], arousal within [-0.9" in text
    assert f"Rare among the training targets for expression, so expect misses: {EXPRESSIONS[7]} (2.0%)." in text


def test_a_full_range_and_common_classes_need_no_sentence() -> None:
    samples = samples_of(RECORD)
    samples.targets["valence_arousal"][:] = np.linspace(-1, 1, 200)[:, None]
    samples.targets["expression"][:] = 1 / 8
    text = " ".join(create_card(samples).limitations)
    assert "within [" not in text
    assert "Rare" not in text


def test_sets_are_counted_alone_and_those_without_rows_left_out() -> None:
    other = dataclasses.replace(RECORD, title="Coins", terms="owners", weak=(), protocols=())
    joined = join_sets([samples_of(RECORD), samples_of(other).take(np.arange(50))])
    card = create_card(joined)
    assert [source.n for source in card.training_sources] == [200, 50, 250, 7]  # the net labelled the rows of both
    assert "Trained on Coins: the terms of the owners decide who may use the weights" in card.notice
    alone = create_card(joined.take(joined.record == 1))
    assert [source.name for source in alone.training_sources] == ["Coins", "Marble Net", "Poll"]
    assert alone.inferred == ()


def test_landmark_cards_tell_the_range_of_poses() -> None:
    samples = dataclasses.replace(create_landmark_samples(100), records=(RECORD,))
    text = " ".join(create_card(samples).limitations)
    assert "pitch within [-0." in text
    assert "rad" in text
    assert "raters" not in text  # nobody rated anything


def test_a_network_of_other_data_carries_no_fact_of_the_open_sets(tmp_path: Path) -> None:
    write_vectors(tmp_path, n=80)
    recipe = create_vector_recipe(data=DataSettings(sources=(SourceSettings(name="vectors"),)))
    card = load_training_data(recipe, tmp_path).card
    text = " ".join([card.notice, *card.limitations, *(str(source) for source in card.training_sources)]).lower()
    assert "vectors, train" in text
    assert [word for word in FOREIGN if word in text] == []
    assert "covered mouths" not in text  # vectors are no pictures
    pictures = dataclasses.replace(create_samples(40, create_recipe()), records=(RECORD,))
    assert "covered mouths" in " ".join(create_card(pictures).limitations)


def test_no_sentence_of_the_code_names_a_data_set() -> None:
    path = Path(__file__).parents[3] / "src/mien/training/export/card_content.py"
    text = path.read_text("utf-8").lower()
    assert [word for word in FOREIGN if word in text] == []
