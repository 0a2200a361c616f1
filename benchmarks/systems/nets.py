# SPDX-License-Identifier: Apache-2.0
"""The networks of the page: the papers' recipes with the smaller budget and one change each, trained and exported."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results.train_row import digest
from benchmarks.systems.stand_in import Budget, write_affectnet
from mien.affect import fit_crop
from mien.core import DIMENSIONS, EXPRESSIONS, Float32, columns_by_name
from mien.datasets import FaceSamples, load_ferplus
from mien.evaluation.face_crops import decode_pictures
from mien.inference import Bundle, load_bundle
from mien.results import atomic_write
from mien.training import ComputeSettings, Recipe, load_recipe, train_network
from mien.training.data.batch_loader import clean_inputs
from mien.training.engine.trainer import CHECKPOINT
from mien.training.export.bundle_files import write_bundle
from mien.training.export.onnx_export import describe, export_onnx, runtime_gap
from mien.training.recipes.settings import DataSettings, HeadSettings, LossSettings, SourceSettings

logger = logging.getLogger(__name__)

_BATCH, _N_PARITY = 64, 64
_LITE0 = {"backbone": "efficientnet_lite0", "options": {"bn_eps": 1.0e-3}}
_BASE = {**_LITE0, "start": "imagenet"}
# On crops of 48 px 85 % of the features of FaceRes are 0 for every face: its rows need larger ones.
_FACE = {"backbone": "mobilenet_v1"}
FACE_PX = 80
_TRAITS = ("age", "gender", "race")


@dataclass(frozen=True, kw_only=True)
class Net:
    """One network.

    Attributes:
        name: name of its folder.
        recipe: recipe of the paper that it trains.
        model: settings of ``[model]`` in place of the recipe's: its backbone has no face-pretrained weights here.
        change: what the row changes, in words for the page; empty for the recipe itself.
        half: half of FER+ that it trains on.
        sam: whether the optimiser is the recipe's SAM; else Adam alone.
        weighted: whether the loss has the recipe's class weights and label smoothing.
        pretext: whether it starts from the pretext of its backbone.
        size_px: side of the crops; 0 for that of the budget.
    """

    name: str
    recipe: str = "mt-emotieffnet"
    model: Mapping[str, Any] = field(default_factory=lambda: _BASE)
    change: str = ""
    half: str = "a"
    sam: bool = True
    weighted: bool = True
    pretext: bool = False
    size_px: int = 0


NETS: tuple[Net, ...] = (
    Net(name="base"),
    Net(name="frozen", weighted=False, sam=False, change="no class weights, no label smoothing, Adam: for the heads"),
    Net(name="frozen-b", half="b", weighted=False, sam=False, change="the same on the other half: for the heads"),
    Net(name="plain", weighted=False, change="no class weights, no label smoothing"),
    Net(name="adam", sam=False, change="Adam without SAM"),
    Net(name="single", recipe="emotieffnet-b0", change="expressions alone"),
    Net(name="base-b", half="b", change="trained on the other half"),
    Net(name="lite0-scratch", model={**_LITE0, "start": "scratch"}, change="random start"),
    Net(
        name="face-80",
        model={**_FACE, "start": "faceres"},
        size_px=FACE_PX,
        sam=False,
        change="MobileNetV1 from FaceRes, 80 px, Adam",
    ),
    Net(name="base-80", size_px=FACE_PX, sam=False, change="80 px, Adam"),
    Net(
        name="scratch-80",
        model={**_FACE, "start": "scratch"},
        size_px=FACE_PX,
        sam=False,
        change="MobileNetV1, random start, 80 px, Adam",
    ),
    Net(
        name="b0",
        recipe="emotieffnet-b0",
        model={},
        pretext=True,
        sam=False,
        change="its own backbone, from the pretext, Adam",
    ),
    Net(
        name="b2",
        recipe="emotieffnet-b2",
        model={},
        pretext=True,
        sam=False,
        change="its own backbone, from the pretext, Adam",
    ),
)
"""The networks in the order in which they are trained."""


def net_recipe(net: Net, seed: int, budget: Budget, data: Path, work: Path) -> Recipe:
    """The paper's recipe with the start of a row and the budget; everything else stays the recipe's.

    Args:
        net: row.
        seed: seed of the training.
        budget: size and epochs.
        data: folder of the open face sets, in which the face-pretrained start is.
        work: folder of the rows.
    """
    published = load_recipe(net.recipe)
    model = dataclasses.replace(published.model, input_px=net.size_px or budget.size_px)
    model = dataclasses.replace(model, **net.model)
    if model.start == "faceres":
        model = dataclasses.replace(model, start=str((data / "models/faceres_trunk.npz").absolute()))
    if net.pretext:
        model = dataclasses.replace(model, start=str(pretext_folder(model.backbone, work).absolute() / CHECKPOINT))
    losses = dict(published.losses)
    if not net.weighted:
        losses["expression"] = dataclasses.replace(losses["expression"], options={})
    sam_rho = published.optimizer.sam_rho if net.sam else 0.0
    return dataclasses.replace(
        published,
        name=f"systems-{net.name}",
        seed=seed,
        model=model,
        losses=losses,
        optimizer=dataclasses.replace(published.optimizer, sam_rho=sam_rho),
        stages=tuple(
            dataclasses.replace(stage, epochs=epochs, batch=budget.batch, peak_lr=budget.peak_lr)
            for stage, epochs in zip(published.stages, budget.epochs, strict=True)
        ),
        published=(),
    )


def pretext_recipe(backbone: str, budget: Budget) -> Recipe:
    """Age, gender and race of FairFace's faces from random weights: the start of a backbone without one.

    A share of the faces is drawn in each epoch, another one each time.
    """
    published = load_recipe("emotieffnet-b0")
    share = min(1.0, budget.pretext_faces / 12_000)
    return dataclasses.replace(
        published,
        name=f"systems-pretext-{backbone}",
        data=DataSettings(sources=(SourceSettings(name="fairface-traits", epoch_share=share),)),
        model=dataclasses.replace(published.model, backbone=backbone, input_px=budget.size_px),
        heads={name: HeadSettings() for name in _TRAITS},
        losses={name: LossSettings(name="soft_cross_entropy") for name in _TRAITS},
        optimizer=dataclasses.replace(published.optimizer, sam_rho=0.0),
        augmentation=dataclasses.replace(published.augmentation, flip=0.5),
        stages=(
            dataclasses.replace(published.stages[1], epochs=budget.pretext_epochs, batch=64, keep="last", peak_lr=1e-3),
        ),
        published=(),
    )


def pretext_folder(backbone: str, work: Path) -> Path:
    """Folder of the checkpoint of a backbone's pretext."""
    return work / "pretext" / backbone


def net_folder(net: Net, seed: int, work: Path) -> Path:
    """Folder of the bundle and predictions of a row."""
    return work / "nets" / net.name / f"{seed}"


def train_net(net: Net, seed: int, budget: Budget, data: Path, work: Path, compute: ComputeSettings) -> None:
    """Train a row, export its bundle, and keep its predictions for FER+ valid.

    A row with a finished bundle of the same settings is left as it is; an interrupted training resumes.
    """
    recipe, folder = net_recipe(net, seed, budget, data, work), net_folder(net, seed, work)
    stamp, own = folder / "recipe.sha256", digest(recipe, budget.faces)
    if stamp.is_file() and stamp.read_text("utf-8") == own:
        return
    faces = work / f"affectnet-{net.half}"
    write_affectnet(data, faces, net.half, budget)
    if net.pretext:
        backbone = recipe.model.backbone
        train_network(pretext_recipe(backbone, budget), data, pretext_folder(backbone, work), compute)
    logger.info("net %s, seed %d", net.name, seed)
    folder.mkdir(parents=True, exist_ok=True)
    trainer, training_data = train_network(recipe, faces, folder / "checkpoints", compute)
    network = trainer.result.cpu()
    graph = export_onnx(network, recipe.model.input_px)
    checked = clean_inputs(training_data.train_set, recipe, np.arange(min(_N_PARITY, len(training_data.train_set))))
    # A gap above the bound for bundles is a result too, which the page reports: the graph is what is measured.
    gap = runtime_gap(network, graph, checked)
    write_bundle(folder / "bundle", graph, describe(recipe, "1", graph, training_data.train_set.labels))
    keep_outputs(folder, load_ferplus(data, "valid"), "valid")
    about = {"seconds": round(trainer.seconds, 1), "parity": gap, "epoch_by_validation": trainer.selected}
    with atomic_write(folder / "about.json") as file:
        file.write(json.dumps(about).encode())
    with atomic_write(stamp) as file:
        file.write(own.encode())


def keep_outputs(folder: Path, faces: FaceSamples, name: str) -> None:
    """Keep what the bundle of a row predicts for some faces, read whole as by ``Analyzer.crops``."""
    bundle = load_bundle(folder / "bundle", kind="affect", threads=1)
    outputs = bundle_outputs(bundle, list(decode_pictures(faces)))
    tasks = {task.task: task for task in bundle.spec.tasks}
    expression = tasks["expression"]
    kept = {
        "names": np.array(faces.names),
        "expression": outputs[expression.output][:, columns_by_name(tuple(expression.labels), EXPRESSIONS)],
    }
    if "valence_arousal" in tasks:
        affect = tasks["valence_arousal"]
        kept["valence_arousal"] = outputs[affect.output][:, columns_by_name(tuple(affect.labels), DIMENSIONS)]
    with atomic_write(folder / f"{name}.npz") as file:
        np.savez(file, **kept)


def bundle_outputs(bundle: Bundle, images: list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]) -> dict[str, Float32]:
    """Output of the graph -> (N, L) raw values for images of whole faces."""
    parts = []
    for start in range(0, len(images), _BATCH):
        crops = np.stack([fit_crop(image, bundle.spec) for image in images[start : start + _BATCH]])
        parts.append(bundle.run(crops))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def load_outputs(net: str, seed: int, work: Path, name: str = "valid") -> dict[str, Any] | None:
    """What a row predicts for some faces; None where it is not trained."""
    row = next(row for row in NETS if row.name == net)
    folder = net_folder(row, seed, work)
    if not (folder / "recipe.sha256").is_file():
        return None
    with np.load(folder / f"{name}.npz", allow_pickle=False) as stored:
        return dict(stored)
