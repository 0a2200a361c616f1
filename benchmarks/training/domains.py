# SPDX-License-Identifier: Apache-2.0
"""Rendered faces beside real ones: shared or own batch statistics, randomised style, an adversarial domain head.

    python -m benchmarks domains --data DATA --rendered FOLDER --work WORK --page docs/research/domains.md

Each arm trains the same network from the same face start on the same number of real and rendered faces. Action units
of brows, nose and mouth corners have labels on rendered faces alone, so the rank tests on real faces (`mien evaluate
au-ranks`) say what of them carries over. An interrupted run continues with the missing arms and seeds.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import create_parser
from benchmarks.page import measured_by, notice, table, write_page
from mien.affect import Analyzer
from mien.core import EXPRESSIONS, Faces, columns_by_name, read_typed
from mien.datasets import load_pictures, load_votes, picture_file
from mien.evaluation.face_crops import decode_pictures
from mien.evaluation.protocols.action_units.unit_ranks import evaluate_au_ranks
from mien.inference import machine_name
from mien.results import atomic_write
from mien.training import ComputeSettings, Recipe, Trainer, load_training_data
from mien.training.data.batch_loader import Batch
from mien.training.data.training_images import cached_side_px, default_cache_folder
from mien.training.export.bundle_files import write_bundle
from mien.training.export.onnx_export import describe, export_onnx
from mien.training.recipes.schedule_settings import StageSettings

_NAME = "domains"
_HEAD = "domain_head"

ARMS = {
    "shared": "batch statistics of real and rendered faces together",
    "own": 'rendered faces with batch statistics of their own (`statistics = "own"`, as the shipped recipe)',
    "style": "shared statistics; each rendered face gets the low frequencies' amplitudes, mean and contrast of a real "
    "one (Yang and Soatto, FDA, CVPR 2020)",
    "adversarial": "shared statistics; a head tells rendered from real by the features, whose gradient is reversed "
    "(Ganin et al., JMLR 2016)",
}
"""Arm -> what it does."""

FROM_RENDERED = (
    "AUC AU04, anger",
    "AUC AU04, sadness",
    "AUC AU17, sadness",
    "AUC AU04, disgust",
    "AUC AU10, disgust",
    "AUC AU04, fear",
    "AUC AU20, fear",
)
"""Rank tests of action units that have no label on real faces in this recipe."""

_COLUMNS = ("expression accuracy", "mean of these", *FROM_RENDERED, "rank correlation within expression AU04")

_SWAPPED = 0.06
_REVERSED = 0.3


def recipe_of(seed: int, arm: str, n_faces: int, n_all: tuple[int, int], epochs: int, size_px: int = 64) -> Recipe:
    """The recipe of an arm.

    Args:
        seed: seed of weights and batches.
        arm: name in `ARMS`.
        n_faces: number of faces of either kind in an epoch.
        n_all: numbers of real and rendered training faces.
        epochs: number of epochs.
        size_px: side of the crops.
    """
    unknown = {"name": "unknown_labels", "sources": ["open-ferplus"]}
    found: dict[str, Any] = {
        "name": f"domains-{arm}",
        "seed": seed,
        "class_balance": 0.3,
        "data": {
            "sources": [
                {"name": "open-ferplus", "epoch_share": min(1.0, n_faces / n_all[0])},
                {
                    "name": "rendered",
                    "folder": "rendered",
                    "epoch_share": min(1.0, n_faces / n_all[1]),
                    "statistics": "own",  # so that batches say which rows are rendered; see `DomainTrainer`
                },
            ],
        },
        "model": {
            "backbone": "mobilenet_v1",
            "start": "faceres",
            "input_px": size_px,
            "colour": "gray",
            "mean": [115.0],
            "std": [128.0],
            "features": True,
            "drop_rate": 0.2,
        },
        "heads": {"expression": {"kind": "linear"}, "action_units": {"kind": "linear"}},
        "losses": {"expression": {"name": "soft_cross_entropy"}, "action_units": {"name": "bce", "weight": 2.0}},
        "optimizer": {"name": "adamw", "weight_decay": 0.02, "clip_norm": 5.0, "backbone_lr": 0.2},
        "augmentation": {
            "aligned": 0.5,
            "flip": 0.5,
            "low_resolution": 0.6,
            "rotation_deg": 7.0,
            "zoom": 0.16,
            "shift": 0.06,
            "occlusion": 0.2,
            "blur": 0.3,
            "gamma": 0.3,
            "contrast": 0.3,
            "noise": 0.3,
        },
        "calibration": {"temperature": False, "thresholds": False},
        "targets": [
            {**unknown, "task": "action_units", "labels": ["AU04", "AU07", "AU10", "AU17", "AU20", "AU24"]},
            {"name": "unknown_labels", "sources": ["rendered"], "task": "expression"},
        ],
        "stages": [
            {
                "epochs": epochs,
                "batch": 64,
                "peak_lr": 2.0e-3,
                "schedule": "one_cycle",
                "warmup": 0.15,
                "final_share": 0.02,
            }
        ],
    }
    return read_typed(Recipe, found, f"recipe of {arm}")


class _Reversed(torch.autograd.Function):
    """The identity, whose gradient changes its sign."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        del ctx
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        del ctx
        return -_REVERSED * gradients[0]


def restyled(crops: Tensor, rendered: Tensor) -> Tensor:
    """Crops (B, S, S, 1) uint8 of which each rendered one has the style of a real one, drawn by torch's generator.

    The amplitudes of its lowest frequencies are those of the real one, then its mean and contrast.

    Args:
        crops: crops of a batch.
        rendered: (B,) which of them are rendered.
    """
    if not rendered.any() or rendered.all():
        return crops
    images = crops[..., 0].to(torch.float32)
    real = images[~rendered]
    model = real[torch.randint(len(real), (int(rendered.sum()),))]
    own = torch.fft.fft2(images[rendered])
    amplitude, other = own.abs(), torch.fft.fft2(model).abs()
    frequency = torch.fft.fftfreq(images.shape[1])
    low = (frequency[:, None].abs() < _SWAPPED) & (frequency[None].abs() < _SWAPPED)
    amplitude = torch.where(low, other, amplitude)
    styled = torch.fft.ifft2(torch.polar(amplitude, own.angle())).real
    styled = (styled - styled.mean((1, 2), keepdim=True)) / styled.std((1, 2), keepdim=True).clamp_min(1.0)
    styled = styled * model.std((1, 2), keepdim=True) + model.mean((1, 2), keepdim=True)
    changed = crops.clone()
    changed[rendered] = styled.round().clamp(0, 255).to(torch.uint8)[..., None]
    return changed


class DomainTrainer(Trainer):
    """A trainer that treats rendered faces as an arm says."""

    arm = "own"

    def with_arm(self, arm: str) -> DomainTrainer:
        """This trainer, with the head that the arm needs."""
        self.arm = arm
        self._features: list[Tensor] = []
        if arm == "adversarial":
            width = int(self.network.backbone.num_features)  # type: ignore[arg-type]  # torch types it as a tensor
            self.network.add_module(_HEAD, nn.Linear(width, 1))
            self.network.backbone.register_forward_hook(lambda *found: self._features.append(found[2]))
        return self

    def losses(self, module: nn.Module, batch: Batch, stage: StageSettings) -> dict[str, Tensor]:
        """The terms of the engine, with shared statistics but for ``own``, and the domain head's."""
        if self.arm == "own":
            return super().losses(module, batch, stage)
        rendered = batch.domains > 0
        inputs = restyled(batch.inputs, rendered) if self.arm == "style" else batch.inputs
        self._features.clear()
        shared = dataclasses.replace(batch, inputs=inputs, domains=torch.zeros_like(batch.domains))
        terms = super().losses(module, shared, stage)
        if self.arm == "adversarial":
            (features,) = self._features
            logits: Tensor = self.network.get_submodule(_HEAD)(_Reversed.apply(features))
            terms["domain"] = functional.binary_cross_entropy_with_logits(logits[:, 0], rendered.to(torch.float32))
        return terms


class _OnceRead:
    """An analyzer whose faces of the validation pictures were read before."""

    def __init__(self, analyzer: Analyzer, faces: Faces) -> None:
        self.spec, self.bundle_digest, self._faces = analyzer.spec, analyzer.bundle_digest, faces

    def crops(self, images: Sequence[Any]) -> Faces:
        if len(images) != len(self._faces):
            raise ValueError(f"{len(images)} images, and {len(self._faces)} were read")
        return self._faces


def train_arm(arm: str, recipe: Recipe, data: Path, folder: Path) -> None:
    """Train an arm with a seed and write its bundle."""
    found = load_training_data(recipe, data).cached(default_cache_folder(), cached_side_px(recipe.model.input_px))
    fabric = ComputeSettings(threads=1).prepare()
    trainer = DomainTrainer(recipe, found.train_set, folder / "work", fabric=fabric, data=data).with_arm(arm)
    network = trainer.run().cpu()
    graph = export_onnx(network, recipe.model.input_px)
    write_bundle(folder / "bundle", graph, describe(recipe, "1", graph, found.train_set.labels))


def measure_arm(folder: Path, data: Path) -> dict[str, float]:
    """Rank tests of ``au-ranks`` and accuracy by plurality of a bundle on FER+ valid."""
    path = picture_file(data, "ferplus", "valid")
    votes, pictures = load_votes(path), load_pictures(path)
    analyzer = Analyzer(model=folder / "bundle")
    faces = analyzer.crops(decode_pictures(pictures))
    report = evaluate_au_ranks(_OnceRead(analyzer, faces), data)  # type: ignore[arg-type]  # all that it asks of one
    probabilities = faces.expression[:, columns_by_name(faces.expression_labels, EXPRESSIONS)]
    shares = votes[:, : len(EXPRESSIONS)]
    known = shares.max(axis=1) > 0
    right = probabilities.argmax(axis=1)[known] == shares.argmax(axis=1)[known]
    found = {metric.name: float(metric.value) for metric in report.metrics}
    mean = float(np.mean([found[name] for name in FROM_RENDERED]))
    return {"expression accuracy": float(right.mean()), "mean of these": mean, **found}


def run(
    data: Path, work: Path, page: Path, seeds: Sequence[int], budget: tuple[int, tuple[int, int], int], machine: str
) -> None:
    """Train and measure what is missing, and write the page after every run.

    Args:
        data: folder of the open face sets, with the rendered ones in ``rendered``.
        work: folder of the runs.
        page: Markdown file.
        seeds: seeds.
        budget: faces of either kind in an epoch, numbers of real and rendered training faces, epochs.
        machine: name of the machine, for the page.
    """
    n_faces, n_all, epochs = budget
    for seed in seeds:
        for arm in ARMS:
            folder = work / f"{arm}-{seed}"
            target = folder / "metrics.json"
            if not target.is_file():
                logging.getLogger(__name__).info("%s, seed %d", arm, seed)
                folder.mkdir(parents=True, exist_ok=True)
                train_arm(arm, recipe_of(seed, arm, n_faces, n_all, epochs), data, folder)
                with atomic_write(target) as file:
                    file.write(json.dumps(measure_arm(folder, data), indent=1).encode())
            write_page(page, domains_page(read_runs(work), budget, machine))


def read_runs(work: Path) -> dict[str, dict[int, dict[str, float]]]:
    """Arm -> seed -> metrics of the finished runs."""
    found: dict[str, dict[int, dict[str, float]]] = {arm: {} for arm in ARMS}
    for path in sorted(work.glob("*-*/metrics.json")):
        arm, _, seed = path.parent.name.rpartition("-")
        if arm in found:
            found[arm][int(seed)] = json.loads(path.read_text("utf-8"))
    return found


def domains_page(
    runs: dict[str, dict[int, dict[str, float]]], budget: tuple[int, tuple[int, int], int], machine: str
) -> list[str]:
    """The lines of the page."""
    n_faces, n_all, epochs = budget
    rows, gains = [], []
    for arm, seeds in runs.items():
        if seeds:
            rows.append([arm, str(len(seeds)), *(_spread([one[name] for one in seeds.values()]) for name in _COLUMNS)])
        common = sorted(set(seeds) & set(runs["own"]))
        if arm != "own" and common:
            cells = [_gain([seeds[seed][name] - runs["own"][seed][name] for seed in common]) for name in _COLUMNS]
            gains.append([arm, str(len(common)), *cells])
    heading = ["", "seeds", *(name.replace("rank correlation within expression", "rank, within,") for name in _COLUMNS)]
    return [
        "# Rendered faces beside real ones",
        "",
        notice(_NAME, edit="benchmarks/training/domains.py"),
        "",
        "Photos have no exact labels of action units, rendered faces have; what does a network need to carry them "
        "over? Every arm",
        f"trains MobileNetV1 from FaceRes at 64 px for {epochs} epochs of {n_faces:,} FER+ training faces (of "
        f"{n_all[0]:,}) and as many",
        f"rendered ones (of {n_all[1]:,}, drawn again in every epoch). The seven columns of AUC are of units without "
        "any label on real",
        "faces: real faces with at least half of the votes for the expression against neutral ones, FER+ valid.",
        "",
        *(f"- **{arm}**: {text}" for arm, text in ARMS.items()),
        "",
        "Mean and standard deviation over the seeds:",
        "",
        *table(heading, rows),
        "",
        "Difference from **own** with the same seed; bold where it has one sign for all seeds, which by chance alone "
        "one difference in four has with three seeds, one in two with two:",
        "",
        *table(heading, gains),
        "",
        "The budget is small, and seeds differ: an order of arms that changes with the seed is none.",
        "",
        measured_by(f"{_NAME} --faces {n_faces} --epochs {epochs}", machine=machine),
    ]


def _spread(values: list[float]) -> str:
    mean = statistics.mean(values)
    return f"{mean:.3f} ± {statistics.stdev(values):.3f}" if len(values) > 1 else f"{mean:.3f}"


def _gain(values: list[float]) -> str:
    one_sign = len(values) > 1 and (min(values) > 0 or max(values) < 0)
    return f"{'**' if one_sign else ''}{statistics.mean(values):+.3f}{'**' if one_sign else ''}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and measure the missing arms and write the page."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the open face sets and start weights")
    parser.add_argument("--rendered", type=Path, required=True, help="folder that mien synthesize wrote")
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs, outside the checkout")
    parser.add_argument("--page", type=Path, required=True, help="Markdown file of the tables")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="seeds (default: 1 2 3)")
    parser.add_argument("--faces", type=int, default=3000, help="faces of either kind in an epoch (default: 3000)")
    parser.add_argument("--epochs", type=int, default=2, help="number of epochs (default: 2)")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("onnxscript").setLevel(logging.WARNING)
    data = _joined_folder(chosen.data, chosen.rendered, chosen.work)
    n_all = _counts(data)
    run(data, chosen.work, chosen.page, chosen.seeds, (chosen.faces, n_all, chosen.epochs), machine_name())
    return 0


def _joined_folder(data: Path, rendered: Path, work: Path) -> Path:
    """A folder of links to the data sets and to the rendered faces."""
    joined = work / "data"
    joined.mkdir(parents=True, exist_ok=True)
    for place in [*data.iterdir(), rendered]:
        link = joined / ("rendered" if place == rendered else place.name)
        if not link.exists():
            link.symlink_to(place.resolve())
    return joined


def _counts(data: Path) -> tuple[int, int]:
    """Numbers of real and rendered training faces."""
    found = load_training_data(recipe_of(1, "own", 1, (1, 1), 1), data).train_set
    numbers = np.bincount(found.domains, minlength=2)
    return int(numbers[0]), int(numbers[1])
