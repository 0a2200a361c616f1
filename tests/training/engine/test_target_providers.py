# SPDX-License-Identifier: Apache-2.0
"""Target providers: which rows they draw, how much predictions count, at which size, and what is kept in files."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("torch", reason="an extra: pip install 'mien[train]'")
pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")

import torch
from torch import Tensor

from mien.core import ConfigError
from mien.faces import align_faces, resize_face
from mien.inference import load_bundle
from mien.training.data.source_records import SourceRecord
from mien.training.data.training_set import TrainingSet
from mien.training.engine.target_providers import gray_copy, load_network, predict_bundle
from mien.training.engine.targets import StageContext, create_providers, provide_targets
from mien.training.engine.trainer import CHECKPOINT, Trainer
from mien.training.models.network import AffectNetwork
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import CouplingSettings
from mien.training.recipes.target_settings import (
    AbsentUnitsSettings,
    AuxiliaryRowsSettings,
    CoAnnotationSettings,
    PseudoLabelSettings,
    SelfDistillationSettings,
    TargetSettings,
    TeacherSettings,
    UnknownLabelsSettings,
)
from tests.helpers.synthetic_data import create_recipe, create_samples, create_vector_recipe

pytestmark = pytest.mark.filterwarnings("default")  # torch warns about itself


class Watched(AffectNetwork):
    """Remembers the sides of its inputs."""

    sides: set[int]

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        self.sides = {*getattr(self, "sides", set()), inputs.shape[1]}
        return tuple(super().forward(inputs))


def context_of(recipe: Recipe, samples: TrainingSet, folder: Path) -> StageContext:
    torch.manual_seed(0)
    network = Watched(recipe, samples.labels)
    return StageContext(samples=samples, recipe=recipe, stage=0, network=network, folder=folder)


def provided(context: StageContext, *settings: TargetSettings) -> dict[str, np.ndarray]:
    return provide_targets(create_providers(settings), dict(context.samples.targets), context)


@pytest.mark.parametrize(("share", "size_px"), [(0.0, 0), (0.7, 48), (1.0, 64)])
@pytest.mark.parametrize("copy_px", [0, 24])
def test_shares_and_sizes_of_predictions(share: float, size_px: int, copy_px: int, tmp_path: Path) -> None:
    recipe = create_recipe()
    context = context_of(recipe, create_samples(20, recipe), tmp_path)
    after = provided(
        context,
        PseudoLabelSettings(label_weight=share, size_px=size_px, copy_px=copy_px),
        SelfDistillationSettings(weight=1 - share, size_px=size_px, copy_px=copy_px),
    )["expression"]
    assert context.network.sides == {size_px or recipe.model.input_px}
    before = context.samples.targets["expression"]
    known = ~np.isnan(before).any(axis=1)
    assert not known.all()
    assert not np.isnan(after).any()  # an unknown label becomes the prediction
    with (
        np.load(tmp_path / "pseudo_labels-0.npz") as auxiliary,
        np.load(tmp_path / "self_distillation-0.npz") as primary,
    ):
        seen = np.concatenate([primary["expression"], auxiliary["expression"]])  # auxiliary rows are the last
    # The label keeps the same share in both kinds of rows here.
    np.testing.assert_allclose(after[known], share * before[known] + (1 - share) * seen[known], atol=1e-6)
    np.testing.assert_allclose(after[~known], seen[~known], atol=1e-6)


def test_predictions_of_copies_are_others_and_are_kept(tmp_path: Path) -> None:
    recipe = create_recipe()
    samples = create_samples(20, recipe)
    found = []
    for name, copy_px in (("whole", 0), ("copies", 12)):
        (tmp_path / name).mkdir()
        context = context_of(recipe, samples, tmp_path / name)
        found.append(provided(context, PseudoLabelSettings(copy_px=copy_px)))
        again = dataclasses.replace(context, network=AffectNetwork(recipe, samples.labels))  # other weights
        np.testing.assert_array_equal(
            provided(again, PseudoLabelSettings(copy_px=copy_px))["expression"][-4:], found[-1]["expression"][-4:]
        )
    assert not np.allclose(found[0]["expression"][-4:], found[1]["expression"][-4:])
    np.testing.assert_array_equal(found[0]["expression"][:-4], samples.targets["expression"][:-4])
    assert not np.isnan(found[0]["valence_arousal"]).any()
    np.testing.assert_array_equal(found[0]["action_units"], samples.targets["action_units"])  # not among its tasks


def test_auxiliary_rows_are_drawn_without_replacement() -> None:
    recipe = create_vector_recipe()
    samples = create_samples(30, recipe)
    rng = np.random.default_rng(0)
    (provider,) = create_providers([AuxiliaryRowsSettings(n=3)])
    rows = provider.rows(samples, rng)
    assert len(set(rows)) == 3
    assert set(rows) <= {26, 27, 28, 29}
    (provider,) = create_providers([AuxiliaryRowsSettings(n=2, n_labelled=9)])
    rows = provider.rows(samples, rng)
    labelled = {row for row in (26, 27, 28, 29) if samples.known("expression")[row]}
    assert set(rows[2:]) == labelled  # all that there are
    (provider,) = create_providers([AuxiliaryRowsSettings(n_labelled=1, task="gaze")])
    with pytest.raises(ConfigError, match="'gaze': the data have no such task"):
        provider.rows(samples, rng)


def test_a_teacher_and_co_annotation_take_part(tmp_path: Path) -> None:
    teacher_recipe = create_vector_recipe()
    samples = create_samples(24, teacher_recipe)
    Trainer(teacher_recipe, samples, tmp_path / "teacher").run()
    teacher = TeacherSettings(path=str(tmp_path / "teacher" / CHECKPOINT), weight=0.25, temperature=2.0)
    blended = provided(context_of(teacher_recipe, samples, tmp_path), teacher)
    known = samples.known("expression")
    assert not np.isnan(blended["expression"]).any()
    np.testing.assert_allclose(blended["expression"].sum(axis=1), 1, atol=1e-5)
    predicted = (blended["expression"][known] - 0.75 * samples.targets["expression"][known]) / 0.25
    np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-4)
    recipe = create_vector_recipe(
        targets=(teacher, CoAnnotationSettings(soft=True)),
        coupling=CouplingSettings(matching=1.0),
        task_balance="rows",
    )
    sums = []

    class Noting(Trainer):
        def end_epoch(self, number: int) -> None:
            super().end_epoch(number)
            sums.append(self.progress.sums)

    Noting(recipe, samples, tmp_path / "student").run()
    assert {"expression", "valence_arousal", "action_units", "matching"} == set(sums[0])
    alone = {"expression": recipe.heads["expression"]}, {"expression": recipe.losses["expression"]}
    recipe = dataclasses.replace(recipe, heads=alone[0], losses=alone[1])
    with pytest.raises(ConfigError, match="needs an expression and an action_units head"):
        Trainer(recipe, samples, tmp_path)
    with pytest.raises(ConfigError, match="co_annotation needs an expression and an action_units head"):
        provide_targets(
            create_providers([CoAnnotationSettings()]),
            {"expression": blended["expression"]},
            context_of(teacher_recipe, samples, tmp_path),
        )


def test_co_annotation_fills_unknown_units(tmp_path: Path) -> None:
    recipe = create_vector_recipe()
    samples = create_samples(24, recipe)
    filled = provided(context_of(recipe, samples, tmp_path), CoAnnotationSettings())["action_units"]
    before = samples.targets["action_units"]
    known = ~np.isnan(before)
    np.testing.assert_array_equal(filled[known], before[known])
    assert np.isnan(filled).sum() < np.isnan(before).sum()


def test_a_bundle_is_a_teacher_of_pictures(tmp_path: Path) -> None:
    recipe = create_recipe()
    context = context_of(recipe, create_samples(6, recipe), tmp_path)
    blended = provided(context, TeacherSettings(path="mien-light"))
    assert not np.isnan(blended["expression"]).any()
    assert len(list(tmp_path.glob("teacher-*.npz"))) == 1  # computed once, kept
    vectors = create_vector_recipe()
    other = context_of(vectors, create_samples(6, vectors), tmp_path / "other")
    with pytest.raises(ConfigError, match="takes pictures; this recipe trains on vectors"):
        provided(other, TeacherSettings(path="mien-light"))
    with pytest.raises(ConfigError, match="not \\['gaze'\\]"):
        provided(
            dataclasses.replace(
                context,
                samples=dataclasses.replace(
                    context.samples, targets={**context.samples.targets, "gaze": np.zeros((6, 2))}
                ),
            ),
            TeacherSettings(path="mien-light", tasks=("gaze",)),
        )


def test_a_bundle_reads_pictures_of_known_faces_aligned_as_it_reads_given_crops() -> None:
    recipe = create_recipe()
    samples = create_samples(6, recipe)
    bundle = load_bundle("mien-light", threads=1)
    spec = bundle.spec
    assert (spec.crop.given, recipe.model.colour) == ("aligned", spec.input.colour)
    keypoints = np.where(np.arange(6)[:, None, None] < 3, 0.3 + 0.5 * np.asarray(spec.crop.template), np.nan)
    samples = dataclasses.replace(samples, keypoints=keypoints.astype(np.float32))
    labels, found = predict_bundle(samples, TeacherSettings(path="mien-light"), recipe)["expression"]
    task = spec.task("expression")
    assert task is not None
    assert labels == task.labels
    for row in range(6):
        picture, size = samples.inputs[row], spec.input.size_px
        pixels = samples.keypoints[row] * picture.shape[1::-1]
        crop = (
            align_faces(picture, pixels[None], spec.crop.template, size)[0] if row < 3 else resize_face(picture, size)
        )
        logits = bundle.run(crop[None])[task.output]
        expected = np.exp(logits[0]) / np.exp(logits[0]).sum()
        np.testing.assert_allclose(found[row], expected, atol=1e-5)


def test_the_network_of_a_checkpoint_has_its_recipe(tmp_path: Path) -> None:
    recipe = create_vector_recipe(ema_decay=0.5, targets=(CoAnnotationSettings(),))
    samples = create_samples(24, recipe)
    trained = Trainer(recipe, samples, tmp_path).run()
    network, own, labels = load_network(tmp_path / CHECKPOINT)
    assert (own, labels) == (recipe, dict(samples.labels))
    for name, value in network.state_dict().items():
        assert torch.equal(value, trained.state_dict()[name])


def test_gray_copies_keep_their_channels() -> None:
    colour = np.random.default_rng(0).integers(0, 255, (96, 60, 3), dtype=np.uint8)
    copy = gray_copy(colour, 48)
    assert copy.shape == (48, 30, 3)
    assert (copy[..., 0] == copy[..., 2]).all()
    small = colour[:40, :40, 0]
    assert gray_copy(small, 48) is small


def write_predictions(path: Path, names: list[str], columns: dict[str, np.ndarray]) -> None:
    pq.write_table(pa.table({"name": names, **columns}), path)


def test_a_teachers_predictions_from_a_file(tmp_path: Path) -> None:
    recipe = create_recipe()
    samples = create_samples(12, recipe)
    context = dataclasses.replace(context_of(recipe, samples, tmp_path), data=tmp_path / "data")
    (tmp_path / "data").mkdir()
    labels, rng = samples.labels["expression"], np.random.default_rng(0)
    predicted = rng.dirichlet(np.ones(8), 11).astype(np.float32)
    names = list(reversed(samples.groups[1:]))  # another order, and no prediction for the first picture
    columns = dict(zip(labels, predicted.T, strict=True)) | {"AU12": np.full(11, 0.25, np.float32)}
    write_predictions(tmp_path / "data" / "teacher.parquet", names, columns)
    before = samples.targets["expression"]
    after = provided(context, TeacherSettings(path="teacher.parquet", weight=0.25, auxiliary_weight=0.75))
    known = ~np.isnan(before).any(axis=1)
    share = np.where(samples.primary, 0.25, 0.75)[1:, None]
    expected = (1 - share) * before[1:] + share * predicted[::-1]
    np.testing.assert_allclose(after["expression"][1:][known[1:]], expected[known[1:]], atol=1e-6)
    np.testing.assert_allclose(after["expression"][1:][~known[1:]], predicted[::-1][~known[1:]], atol=1e-6)
    np.testing.assert_array_equal(after["expression"][0], before[0])  # no prediction
    np.testing.assert_array_equal(after["valence_arousal"], samples.targets["valence_arousal"])  # not in the file
    unit = samples.labels["action_units"].index("AU12")
    assert not np.isnan(after["action_units"][1:, unit]).any()
    others = np.delete(np.arange(len(samples.labels["action_units"])), unit)
    np.testing.assert_array_equal(after["action_units"][:, others], samples.targets["action_units"][:, others])


def test_a_file_of_other_pictures_is_refused(tmp_path: Path) -> None:
    recipe = create_recipe()
    samples = create_samples(8, recipe)
    context = context_of(recipe, samples, tmp_path)
    columns = {label: np.full(1, 0.125, np.float32) for label in samples.labels["expression"]}
    write_predictions(tmp_path / "other.parquet", ["nobody"], columns)
    with pytest.raises(ConfigError, match="names none of the 8 pictures, such as face 0"):
        provided(context, TeacherSettings(path=str(tmp_path / "other.parquet")))


def test_labels_of_some_sources_are_left_out_and_others_kept(tmp_path: Path) -> None:
    recipe = create_recipe()
    samples = dataclasses.replace(
        create_samples(20, recipe),
        records=(SourceRecord(title="a", licence="", source="a"), SourceRecord(title="b", licence="", source="b")),
        record=np.arange(20) % 2,
    )
    context = context_of(recipe, samples, tmp_path)
    before = samples.targets["action_units"]
    brows = ("AU01", "AU04")
    after = provided(context, UnknownLabelsSettings(task="action_units", labels=brows, sources=("a",)))["action_units"]
    columns = [samples.labels["action_units"].index(name) for name in brows]
    others = [column for column in range(before.shape[1]) if column not in columns]
    assert np.isnan(after[::2][:, columns]).all()
    np.testing.assert_array_equal(after[1::2], before[1::2])
    np.testing.assert_array_equal(after[:, others], before[:, others])
    part = provided(context, UnknownLabelsSettings(task="action_units", labels=brows, share=0.5))["action_units"]
    left_out = np.isnan(part[:, columns]).all(axis=1)
    assert 3 < left_out.sum() < 17
    np.testing.assert_array_equal(part[~left_out], before[~left_out])
    whole = provided(context, UnknownLabelsSettings(task="expression"))
    assert np.isnan(whole["expression"]).all()
    for settings, words in (
        (UnknownLabelsSettings(task="pose"), "no head for 'pose'"),
        (UnknownLabelsSettings(task="action_units", labels=("AU99",)), "AU99"),
        (UnknownLabelsSettings(task="action_units", sources=("c",)), "reads no sources"),
    ):
        with pytest.raises(ConfigError, match=words):
            provided(context, settings)


def test_rows_apart_get_no_predictions_and_are_drawn_by_their_source(tmp_path: Path) -> None:
    recipe = create_recipe()
    records = (
        SourceRecord(title="photos", licence="", source="photos"),
        SourceRecord(title="rendered", licence="", source="rendered", own_statistics=True),
    )
    record = (np.arange(20) >= 10).astype(np.intp)
    samples = dataclasses.replace(create_samples(20, recipe), records=records, record=record, primary=record == 0)
    assert samples.domains.tolist() == [0] * 10 + [1] * 10
    after = provided(context_of(recipe, samples, tmp_path), PseudoLabelSettings(label_weight=0.0))
    np.testing.assert_array_equal(after["expression"], samples.targets["expression"])
    (drawn,) = create_providers([AuxiliaryRowsSettings(n=4, sources=("rendered",))])
    rows = drawn.rows(samples, np.random.default_rng(0))
    assert len(rows) == 4
    assert (record[rows] == 1).all()
    (none,) = create_providers([AuxiliaryRowsSettings(n=4, sources=("photos",))])
    assert not len(none.rows(samples, np.random.default_rng(0)))  # photos are primary here


def test_neutral_faces_lack_the_named_units(tmp_path: Path) -> None:
    recipe = create_recipe()
    samples = create_samples(20, recipe)
    expression = samples.targets["expression"].copy()
    expression[:6] = np.eye(8)[0]  # neutral
    expression[6] = 0.7 * np.eye(8)[0] + 0.3 * np.eye(8)[1]
    samples = dataclasses.replace(samples, targets={**samples.targets, "expression": expression})
    before = samples.targets["action_units"]
    settings = AbsentUnitsSettings(labels=("AU04", "AU12"))
    after = provided(context_of(recipe, samples, tmp_path), settings)["action_units"]
    columns = [samples.labels["action_units"].index(name) for name in settings.labels]
    assert (after[:6][:, columns] == 0).all()
    np.testing.assert_array_equal(np.delete(after, columns, axis=1), np.delete(before, columns, axis=1))
    np.testing.assert_array_equal(after[6], before[6])
    sides = dataclasses.replace(
        samples,
        targets={**samples.targets, "action_unit_sides": np.full((20, 2), np.nan, np.float32)},
        labels={**samples.labels, "action_unit_sides": ("AU12_left", "AU20_left")},
    )
    after = provided(context_of(recipe, sides, tmp_path), settings)["action_unit_sides"]
    assert (after[:6, 0] == 0).all()
    assert np.isnan(after[6:]).all()
    assert np.isnan(after[:, 1]).all()
    with pytest.raises(ConfigError, match="AU99"):
        provided(context_of(recipe, samples, tmp_path), AbsentUnitsSettings(labels=("AU99",)))
    with pytest.raises(ConfigError, match="min_share"):
        AbsentUnitsSettings(labels=())
