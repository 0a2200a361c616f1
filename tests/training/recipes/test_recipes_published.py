# SPDX-License-Identifier: Apache-2.0
"""The recipes of the papers: their published schedules, and choices that are not published."""

import re
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra train: pip install 'mien[train]'")

import mien.training
from mien.training import list_recipes, load_recipe


@pytest.mark.parametrize("name", ["emotieffnet-b0", "emotieffnet-b2", "mt-emotieffnet", "mt-ddamfn"])
def test_the_head_first_schedule_of_the_affectnet_runs(name: str) -> None:
    recipe = load_recipe(name)
    head, whole = recipe.stages
    assert (head.epochs, head.peak_lr, head.freeze_backbone) == (3, 1e-3, True)
    assert (whole.epochs, whole.peak_lr, whole.freeze_backbone) == (6, 1e-4, False)
    assert (whole.keep, whole.best_by) == ("best", "expression accuracy")
    assert (recipe.optimizer.name, recipe.optimizer.sam_rho) == ("adam", 0.05)
    options = {"class_weights": "max", "label_smoothing": 0.1}
    assert recipe.losses["expression"].options == options
    assert head.batch == whole.batch == {"emotieffnet-b0": 64}.get(name, 48)


@pytest.mark.parametrize("name", ["lsd-mt-emotieffnet", "lsd-mien-light"])
def test_the_schedule_of_the_synthetic_data_challenge(name: str) -> None:
    recipe = load_recipe(name)
    head, whole = recipe.stages
    assert (head.epochs, head.peak_lr, head.freeze_backbone, head.batch) == (3, 1e-3, True, 64)
    assert (whole.epochs, whole.peak_lr, whole.freeze_backbone, whole.batch) == (5, 1e-4, False, 64)
    assert (whole.keep, whole.best_by) == ("best", "expression macro F1")
    assert head.optimizer is not None
    assert (head.optimizer.name, head.optimizer.sam_rho) == ("adam", 0.05)
    assert (recipe.optimizer.name, recipe.optimizer.sam_rho, whole.optimizer) == ("adam", 0.0, None)
    assert recipe.losses["expression"].options == {"class_weights": "mean", "label_smoothing": 0.1}
    assert recipe.augmentation.flip == 0.5
    assert recipe.data.expressions == "lsd_6"


# Keys of each recipe that its source leaves open; "whole" where a sentence at the top of the file marks several.
CHOICES = {
    "balancing-student": ("whole",),
    "balancing-teacher": ("whole",),
    "co-annotation-hard": ("whole",),
    "co-annotation-soft": ("whole",),
    "co-teaching": ("whole",),
    "ddamfn": ("whole", "model.start", "model.template"),
    "distribution-matching": ("whole",),
    "emi-hubert": ("whole",),
    "emi-text": ("whole", "model.clip"),
    "emma": ("model.template", "heads.valence_arousal", "augmentation.colour_jitter", "stages.1"),
    "emotieffnet-b0": ("model.start", "model.template"),
    "emotieffnet-b2": ("model.start", "model.template", "stages.1.batch"),
    "eri-sequence": (
        "model.vectors",
        "heads.eri.hidden",
        "losses.eri.name",
        "optimizer.name",
        "stages.1.epochs",
        "stages.1.batch",
        "stages.1.peak_lr",
    ),
    "eri-statistics": ("model.vectors",),
    "eri-two-branch": ("whole",),
    "expr-cnn-2020": ("data.sources", "model.template", "stages.1.schedule"),
    "hse-au-openface": ("heads.action_units",),
    "hse-expr-openface": ("heads.expression",),
    "hse-mtl-joint": ("losses.action_units.name", "losses.expression.options"),
    "hse-va": ("stages.1.best_by",),
    "identity-emotieffnet-b0": ("data.sources", "model.start", "model.template"),
    "lsd-mien-light": ("whole",),
    "lsd-mt-emotieffnet": ("model.start", "model.template"),
    "masked-cotex": (
        "model.options",
        "model.template",
        "augmentation.colour_jitter",
        "stages.1",
        "stages.2",
        "stages.2.method.mask_ratio",
    ),
    "mcan": ("stages.3",),
    "mien-accurate": ("whole",),
    "mien-faces": ("whole",),
    "mien-light": ("whole",),
    "mien-units": ("whole",),
    "mien-points": ("whole",),
    "mien-points-turned": ("whole",),
    "mien-teacher": ("whole",),
    "mobilenet": ("model.mean", "model.template"),
    "mt-ddamfn": ("model.start", "model.template"),
    "mt-emotieffnet": ("model.start", "model.template"),
    "mt-emotimobilefacenet": ("model.template",),
    "mt-emotimobilevit": ("model.backbone", "model.template"),
    "mtanet": ("whole",),
    "noisyfer": ("data.expressions", "model.template", "model.start", "stages.1.epochs", "stages.1.keep"),
    "ss-mfar": ("model.start", "model.template", "stages.1.keep", "stages.1.best_by"),
    "joint-windows": ("whole",),
    "joint-windows-pretrained": ("whole",),
    "points-windows": ("whole",),
    "points-windows-pretrained": ("whole",),
    "utterances-early": ("whole",),
    "utterances-late": ("whole",),
}


def marked_choices(text: str) -> tuple[str, ...]:
    """Keys and sections of a recipe that a comment beside or directly above them marks with ``[choice]``."""
    section, n_stages, above, found = "", 0, "", []
    for line in text.splitlines():
        header, key = re.match(r"\[+([\w. ]+)\]", line), re.match(r"(\w+)\s*=", line)
        if header:
            n_stages += header[1] == "stages"
            section = header[1].replace("stages", f"stages.{n_stages}", 1)
        place = f"{section}.{key[1]}" if key and section else "whole" if key else section
        if (header or key) and "[choice]" in above.replace("[choice] marks", "") + line.partition("#")[2]:
            found.append(place)
        above = above + line if line.startswith("#") else ""
    return tuple(found)


@pytest.mark.parametrize("name", list_recipes())
def test_every_choice_of_ours_is_marked_and_nothing_else(name: str) -> None:
    text = (Path(mien.training.__file__).parent / f"recipes/{name}.toml").read_text("utf-8")
    assert marked_choices(text) == CHOICES.get(name, ())
    # No source aligns by keypoints, so the crop template of every published network is a choice.
    if load_recipe(name).published and re.search(r"^template\s*=", text, re.MULTILINE):
        assert {"model.template", "whole"} & set(CHOICES[name])


def test_the_details_of_keras_where_the_source_is_keras() -> None:
    """Glorot kernels, epsilon 1e-7, the last batch kept; torch's where the source is torch."""
    keras = [name for name in list_recipes() if name.startswith(("hse-", "emi-", "eri-statistics", "mobilenet"))]
    assert len(keras) >= 14
    for recipe in map(load_recipe, [*keras, "expr-cnn-2020"]):
        assert recipe.optimizer.eps == 1e-7, recipe.name
        assert {head.start for head in recipe.heads.values()} == {"glorot"}, recipe.name
        assert {stage.last_batch for stage in recipe.stages} == {"keep"}, recipe.name
    for name in (
        "emotieffnet-b0",
        "emotieffnet-b2",
        "mt-emotieffnet",
        "mt-ddamfn",
        "mt-emotimobilefacenet",
        "lsd-mt-emotieffnet",
    ):
        recipe = load_recipe(name)
        assert (recipe.optimizer.eps, recipe.heads["expression"].start) == (1e-8, "torch")
        assert [stage.frozen_statistics for stage in recipe.stages] == [False, True]


def test_blends_as_published() -> None:
    expected = {
        "hse-mtl-7th": {"va": 0.8, "expr": 0.5, "au": 0.5},
        "hse-mtl": {"va": 1.0, "expr": 0.6, "au": 0.7},
        "hse-expr": {"expr": 0.7},
        "hse-va": {"va": 0.5},
        "emi-faces": {"emi": 0.1, "joy": 0.4, "empathic pain": 0.0},
        "lsd-mt-emotieffnet": {"expr": 0.7},
    }
    assert {name: dict(load_recipe(name).blend) for name in list_recipes() if load_recipe(name).blend} == expected


def test_colours_of_the_synthetic_data_challenge_are_jittered_as_published() -> None:
    recipe = load_recipe("lsd-mt-emotieffnet")
    assert recipe.augmentation.colour_jitter == (0.3, 0.3, 0.3, 0.1)
    assert [stage.frozen_statistics for stage in recipe.stages] == [False, True]


def test_marks_are_found_beside_and_above() -> None:
    text = """# [choice] marks what the source leaves open.
name = "x"

[model]
# Published: other weights.
start = "scratch"  # [choice] of ours
size = 1
# [choice] of these three
# as well
[[stages]]
epochs = 1

[[stages]]
epochs = 2 # [choice]
"""
    assert marked_choices(text) == ("model.start", "stages.1", "stages.2.epochs")
    assert marked_choices(text.replace("[choice] marks", "[choice]: marks")) == (
        "whole",
        "model.start",
        "stages.1",
        "stages.2.epochs",
    )
