# SPDX-License-Identifier: Apache-2.0
"""The training engine: the stages of a recipe over samples with partial labels, resumable at any step."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mien.core import ConfigError, MienError, read_typed
from mien.jobs import prefetch
from mien.results import atomic_write
from mien.training.data.batch_loader import Batch, BatchLoader, clean_inputs, clean_targets
from mien.training.data.training_set import TrainingSet
from mien.training.engine.checkpoint import Checkpoint, Progress, load_checkpoint, save_checkpoint
from mien.training.engine.compute import create_fabric, seeded
from mien.training.engine.optimization import create_optimizer, learning_rate, set_learning_rate, sharpness_aware_step
from mien.training.engine.targets import StageContext, TargetProvider, create_providers, provide_targets
from mien.training.engine.validation import raw_outputs, validation_metrics
from mien.training.losses.coupling import matching_loss, relation_tensor
from mien.training.losses.registry import create_loss, kernel_penalty, task_weights
from mien.training.methods.registry import FEATURES, Step, TrainingMethod, create_method
from mien.training.models.network import AffectNetwork
from mien.training.models.starts import load_start
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.schedule_settings import StageSettings

if TYPE_CHECKING:
    from lightning.fabric import Fabric

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]
Tensors = tuple[Tensor, ...] | list[Tensor]
Averaging = Callable[[Tensors, Tensors, "Tensor | int"], None]

CHECKPOINT = "checkpoint.pt"
"""Name of the file in the checkpoint folder."""

_BATCHES_AHEAD = 4
_SAVE_EVERY_S = 600.0
_N_START_FACES = 256


class Trainer:
    """Trains a recipe.

    Args:
        recipe: Recipe to train. Its seed decides the first weights; the global random state is left unchanged.
        train_set: Samples to train on.
        folder: Folder for checkpoints; an interrupted training resumes from the last one.
        valid: Samples to select epochs on; needed where a stage keeps its best one.
        fabric: Devices and processes; None for this process on one device.
        data: Folder of the data sets, in which start weights and files of predictions may be.

    Raises:
        ConfigError: The recipe and the data do not fit.

    Attributes:
        network: Network that is trained.
        average: Averaged network; None where the recipe does not average.
        progress: Position of the training.
        selected: Stage -> metric of its best epoch, for stages that keep it.
        lr: Current learning rate of the heads.
    """

    def __init__(
        self,
        recipe: Recipe,
        train_set: TrainingSet,
        folder: Path,
        *,
        valid: TrainingSet | None = None,
        fabric: Fabric | None = None,
        data: Path = Path(),
    ) -> None:
        self.recipe, self.train_set, self.folder, self.data = recipe, train_set, folder, data
        self.fabric = fabric or create_fabric()
        with seeded(recipe.seed):
            network = AffectNetwork(recipe, train_set.labels)
        if not (folder / CHECKPOINT).is_file():
            load_start(network, recipe, data, lambda: start_faces(train_set, recipe))
        self.network = network.to(self.fabric.device)
        if self.network.has_pixels:
            self.network = self.network.to(memory_format=torch.channels_last)
        self.average: AveragedModel | None = None
        if recipe.ema_decay:
            self.average = AveragedModel(self.network, multi_avg_fn=_averaging(recipe), use_buffers=True)
        self.progress = Progress()
        self.selected: dict[int, float] = {}
        self._valid = valid
        self._best: tuple[float, dict[str, Tensor]] | None = None
        self._targets = _used(train_set, recipe)
        self._losses = {task: create_loss(recipe.losses[task], self._targets[task]) for task in recipe.tasks}
        self._weights = task_weights(recipe.losses, self._targets, recipe.task_balance)
        self._relation = self._relation_table()
        self._method: TrainingMethod | None = None
        self.lr = 0.0

    @property
    def result(self) -> AffectNetwork:
        """The averaged network where the recipe averages, else the network itself; in evaluation mode."""
        module = self.network if self.average is None else self.average.module
        if not isinstance(module, AffectNetwork):  # AveragedModel wraps any module
            raise TypeError(type(module).__name__)
        return module.eval()

    @property
    def seconds(self) -> float:
        """Time spent training, without interruptions."""
        return self.progress.seconds

    def run(self) -> AffectNetwork:
        """Train all stages that are not done and return the resulting network."""
        self.folder.mkdir(parents=True, exist_ok=True)
        resumed = self._resume()
        for number in range(self.progress.stage, len(self.recipe.stages)):
            self._run_stage(number, resumed if resumed and resumed.progress.stage == number else None)
        return self.result

    def _run_stage(self, number: int, resumed: Checkpoint | None) -> None:
        stage = self.recipe.stages[number]
        settings = stage.optimizer or self.recipe.optimizer
        _set_trainable(self.network, stage, self.recipe)
        self._method = create_method(self.network, self.recipe, number, self.train_set, self.fabric.world_size)
        joint = () if self._method is None else self._method.joint_modules()
        providers = create_providers(self.recipe.stage_targets(number))
        loader = BatchLoader(
            self.train_set,
            self._stage_targets(number, providers),
            self.recipe,
            number,
            extra_rows=[one.rows for one in (*providers, self._method) if one is not None],
            rank=self.fabric.global_rank,
            n_processes=self.fabric.world_size,
        )
        optimizer = create_optimizer(self.network, settings, stage.peak_lr, joint)
        if resumed is not None:
            optimizer.load_state_dict(resumed.optimizer)
            if self._method is not None and resumed.method is not None:
                self._method.load_state(resumed.method)
        module, wrapped = self.fabric.setup(self.network, optimizer)
        before = self._weights_before(number) if stage.kept_change < 1 else None
        loop = _Loop(self, number, loader, module, wrapped)
        while self.progress.stage == number and self.progress.epoch < stage.epochs and not self._is_stale(stage):
            loop.run_epoch()
        if self._best is not None:
            logger.info("stage %d: the epoch with %s %.4f is kept", number + 1, stage.best_by, self._best[0])
            self.selected[number] = self._best[0]
            self.result.load_state_dict(self._best[1])
            self.network.load_state_dict(self._best[1])
        self._best = None
        if before is not None:
            self._keep_change(before, stage)
        if self._method is not None:
            self._method.finish()
            self._method = None
        self.progress = Progress(stage=number + 1, seconds=self.progress.seconds)

    def _is_stale(self, stage: StageSettings) -> bool:
        """Whether the watched metric has not risen for as many epochs as end the stage."""
        return 0 < stage.stop_after <= self.progress.since_top

    def _weights_before(self, number: int) -> dict[str, Tensor]:
        """State of the result at the start of a stage, from a file where the stage was interrupted."""
        path = self.folder / f"before-{number}.pt"
        if self.fabric.is_global_zero and not path.is_file():
            with atomic_write(path) as file:
                torch.save(self.result.state_dict(), file)
        self.fabric.barrier()
        before: dict[str, Tensor] = torch.load(path, weights_only=True, map_location=self.fabric.device)
        return before

    def _keep_change(self, before: dict[str, Tensor], stage: StageSettings) -> None:
        """Move the result back towards the state before the stage, apart from heads that keep the whole change."""
        whole = tuple(f"{task}." for task in stage.whole_change)
        state = {
            key: value
            if key.startswith(whole) or not value.is_floating_point()
            else torch.lerp(before[key], value, stage.kept_change)
            for key, value in self.result.state_dict().items()
        }
        self.result.load_state_dict(state)
        self.network.load_state_dict(state)

    def losses(self, module: nn.Module, batch: Batch, stage: StageSettings) -> dict[str, Tensor]:
        """Weighted terms of the loss of one batch; their sum is minimised."""
        if self._method is not None:
            terms = self._method.terms(self._method_step(module, batch, stage))
        else:
            outputs, order = _forward(module, batch, self.recipe.tasks, self.fabric.device)
            targets = {task: values[order].to(self.fabric.device) for task, values in batch.targets.items()}
            terms = self._task_terms(outputs, targets, stage)
        if self.network.penalty is not None:
            terms["penalty"] = self.recipe.model.penalty * self.network.penalty
        return terms

    def _task_terms(
        self, outputs: dict[str, Tensor], targets: dict[str, Tensor], stage: StageSettings
    ) -> dict[str, Tensor]:
        """Weighted losses of the stage's tasks, penalties of their heads, and the matching loss."""
        terms = {}
        for task in stage.tasks or self.recipe.tasks:
            terms[task] = self._weights[task] * self._losses[task](outputs[task], targets[task])
            if self.recipe.heads[task].l2:
                terms[f"{task} L2"] = kernel_penalty(self.network.get_submodule(task), self.recipe.heads[task])
        if self._relation is not None:
            matching = matching_loss(outputs["expression"], outputs["action_units"], self._relation)
            terms["matching"] = self.recipe.coupling.matching * matching
        return terms

    def _method_step(self, module: nn.Module, batch: Batch, stage: StageSettings) -> Step:
        """A batch for the training method of a stage."""
        device, tasks = self.fabric.device, self.recipe.tasks

        def forward(inputs: Tensor) -> dict[str, Tensor]:
            values = module(inputs)
            return dict(zip((*tasks, FEATURES) if self.network.gives_features else tasks, values, strict=True))

        return Step(
            inputs=batch.inputs.to(device),
            targets={task: values.to(device) for task, values in batch.targets.items()},
            epoch=self.progress.epoch,
            lr=self.lr,
            forward=forward,
            task_terms=partial(self._task_terms, stage=stage),
        )

    def end_epoch(self, number: int) -> None:
        """Evaluate the epoch where a stage keeps its best one or waits for a plateau."""
        stage = self.recipe.stages[number]
        if not stage.is_validated:
            return
        if self._valid is None:
            raise ConfigError(f"stage {number + 1} watches {stage.best_by!r}, which needs a validation set")
        found = self.evaluate(self._valid)
        if stage.best_by not in found:
            raise ConfigError(f"no metric is named {stage.best_by!r}; the validation set has {sorted(found)}")
        value = found[stage.best_by]
        sign = -1 if stage.best_by.endswith("loss") else 1
        if stage.schedule == "plateau" or stage.stop_after:
            self.progress = self.progress.after(sign * value, stage)
        if stage.keep == "best" and (self._best is None or sign * value > sign * self._best[0]):
            self._best = value, {key: tensor.clone() for key, tensor in self.result.state_dict().items()}
        logger.info("validation: %s", ", ".join(f"{name} {metric:.4f}" for name, metric in found.items()))

    def evaluate(self, samples: TrainingSet) -> dict[str, float]:
        """The result's `validation_metrics` on a set."""
        outputs = raw_outputs(self.result, samples, self.recipe)
        targets = clean_targets(samples, self.recipe, _used(samples, self.recipe))
        return validation_metrics(outputs, targets, self._losses, self._weights, self._penalties(self.result))

    def _penalties(self, network: AffectNetwork) -> dict[str, float]:
        """Task -> L2 penalty of its head, for the heads that have one."""
        return {
            task: float(kernel_penalty(network.get_submodule(task), head).detach())
            for task, head in self.recipe.heads.items()
            if head.l2
        }

    def save(self, optimizer: torch.optim.Optimizer) -> None:
        """Write the checkpoint; one process does."""
        if not self.fabric.is_global_zero:
            return
        checkpoint = Checkpoint(
            recipe=self._own_text(),
            labels={task: list(names) for task, names in self.train_set.labels.items()},
            progress=self.progress,
            network=self.network.state_dict(),
            average=None if self.average is None else self.average.state_dict(),
            optimizer=optimizer.state_dict(),
            best=self._best,
            method=None if self._method is None else self._method.state(),
        )
        save_checkpoint(self.folder / CHECKPOINT, checkpoint)

    def _resume(self) -> Checkpoint | None:
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return None
        checkpoint = load_checkpoint(path)
        if not self._is_own(checkpoint.recipe):
            raise ConfigError(f"{path} belongs to other settings; remove it or choose another folder with --work")
        self.network.load_state_dict(checkpoint.network)
        if self.average is not None and checkpoint.average is not None:
            self.average.load_state_dict(checkpoint.average)
        self.progress, self._best = checkpoint.progress, checkpoint.best
        place = self.progress
        logger.info("resuming at stage %d, epoch %d, step %d", place.stage + 1, place.epoch + 1, place.step)
        return checkpoint

    def _own_text(self) -> str:
        return json.dumps(dataclasses.asdict(self.recipe))

    def _is_own(self, text: str) -> bool:
        """Whether a checkpoint's recipe is this one; settings that it does not know yet have their defaults."""
        try:
            return read_typed(Recipe, json.loads(text), str(self.folder)) == self.recipe
        except (ConfigError, ValueError):
            return False

    def _stage_targets(self, number: int, providers: tuple[TargetProvider, ...]) -> dict[str, Floats]:
        """Targets of a stage; predictions of networks are computed by one process, the others read its files."""
        context = StageContext(
            samples=self.train_set,
            recipe=self.recipe,
            stage=number,
            network=self.result,
            folder=self.folder,
            data=self.data,
        )
        if self.fabric.is_global_zero:
            targets = provide_targets(providers, self._targets, context)
        self.fabric.barrier()
        return targets if self.fabric.is_global_zero else provide_targets(providers, self._targets, context)

    def _relation_table(self) -> Tensor | None:
        if not self.recipe.coupling.matching:
            return None
        if not {"expression", "action_units"} <= set(self.recipe.tasks):
            raise ConfigError("[coupling] needs an expression and an action_units head")
        labels = self.train_set.labels
        return relation_tensor(labels["expression"], labels["action_units"]).to(self.fabric.device)


def start_faces(samples: TrainingSet, recipe: Recipe) -> npt.NDArray[np.uint8]:
    """Crops (N, S, S, C) of a few hundred training faces, aligned where keypoints are known."""
    rows = np.random.default_rng(recipe.seed).permutation(np.flatnonzero(samples.primary))[:_N_START_FACES]
    return clean_inputs(samples, recipe, rows, size_px=recipe.stages[0].size_px, given="aligned").astype(np.uint8)


class _Loop:
    """The steps of one stage."""

    def __init__(
        self,
        trainer: Trainer,
        number: int,
        loader: BatchLoader,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        self._trainer, self._number, self._loader = trainer, number, loader
        self._module, self._optimizer = module, optimizer
        self._stage = trainer.recipe.stages[number]
        self._settings = self._stage.optimizer or trainer.recipe.optimizer

    def run_epoch(self) -> None:
        """The rest of the current epoch, then its checkpoint."""
        trainer, progress = self._trainer, self._trainer.progress
        rows = self._loader.rows(progress.epoch)
        if not rows:
            raise MienError(f"stage {self._number + 1} draws no rows: no row has a label of its tasks")
        started = saved = time.monotonic()
        before, sums = progress.seconds, dict(progress.sums)
        _set_training(trainer.network, self._stage)
        with closing(prefetch(self._loader.batches(progress.epoch, rows, progress.step), _BATCHES_AHEAD)) as batches:
            for batch in batches:
                self._step(batch, len(rows), sums)
                now = time.monotonic()
                trainer.progress = dataclasses.replace(
                    trainer.progress, step=batch.step + 1, sums=dict(sums), seconds=before + now - started
                )
                if now - saved > _SAVE_EVERY_S and batch.step + 1 < len(rows):
                    trainer.save(self._optimizer)
                    saved = now
        means = {name: total / len(rows) for name, total in sums.items()}
        logger.info(
            "stage %d epoch %d/%d: loss %.4f (%s), %.0f s",
            self._number + 1,
            progress.epoch + 1,
            self._stage.epochs,
            sum(means.values()),
            ", ".join(f"{name} {value:.4f}" for name, value in means.items()),
            time.monotonic() - started,
        )
        trainer.end_epoch(self._number)
        trainer.progress = dataclasses.replace(trainer.progress, epoch=progress.epoch + 1, step=0, sums={})
        trainer.save(self._optimizer)

    def _step(self, batch: Batch, n_steps: int, sums: dict[str, float]) -> None:
        trainer, epoch = self._trainer, self._trainer.progress.epoch
        share = learning_rate(self._stage, (epoch + batch.step / n_steps) / self._stage.epochs)
        trainer.lr = self._stage.peak_lr * share * trainer.progress.lr_share
        set_learning_rate(self._optimizer, trainer.lr)
        seed = np.random.SeedSequence(
            [trainer.recipe.seed, self._number, epoch, batch.step, trainer.fabric.global_rank]
        )
        torch.manual_seed(int(seed.generate_state(1)[0]))  # dropout and the like are the same after an interruption

        def backward() -> dict[str, Tensor]:
            self._optimizer.zero_grad(set_to_none=True)
            terms = trainer.losses(self._module, batch, self._stage)
            trainer.fabric.backward(torch.stack(list(terms.values())).sum())
            return terms

        trained = [p for p in trainer.network.parameters() if p.requires_grad]
        if self._settings.sam_rho:
            terms = sharpness_aware_step(trained, backward, self._settings.sam_rho)
        else:
            terms = backward()
        if self._settings.clip_norm:
            nn.utils.clip_grad_norm_(trained, self._settings.clip_norm)
        self._optimizer.step()
        if trainer.average is not None:
            trainer.average.update_parameters(trainer.network)
        for name, value in terms.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if not all(math.isfinite(value) for value in sums.values()):
            raise MienError(f"the loss is not finite at step {batch.step} of epoch {epoch + 1}: {sums}")


def _forward(
    module: nn.Module, batch: Batch, tasks: tuple[str, ...], device: torch.device
) -> tuple[dict[str, Tensor], Tensor]:
    """Task -> (B, L) outputs, the rows sorted by domain, and that order (B,).

    Each domain has a pass of its own. Running statistics of batch normalisation see domain 0 alone; a domain with a
    single row is normalised by them, since one row has no statistics.
    """
    order = torch.argsort(batch.domains, stable=True)
    parts: list[tuple[Tensor, ...]] = []
    for domain in torch.unique(batch.domains).tolist():
        inputs = batch.inputs[batch.domains == domain].to(device)
        if domain == 0:
            parts.append(module(inputs))
        else:
            with _kept_statistics(module, use_running=len(inputs) < 2):
                parts.append(module(inputs))
    return {task: torch.cat([part[column] for part in parts]) for column, task in enumerate(tasks)}, order


@contextmanager
def _kept_statistics(module: nn.Module, *, use_running: bool) -> Iterator[None]:
    """Batch normalisation leaves its running statistics unchanged, and uses them where asked to."""
    norms = [layer for layer in module.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    before = [(layer.momentum, layer.training) for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
        layer.training = layer.training and not use_running
    try:
        yield
    finally:
        for layer, (momentum, training) in zip(norms, before, strict=True):
            layer.momentum, layer.training = momentum, training


def _used(samples: TrainingSet, recipe: Recipe) -> dict[str, Floats]:
    """Task -> targets, for the recipe's tasks."""
    missing = sorted(set(recipe.tasks) - set(samples.targets))
    if missing:
        raise ConfigError(f"the data have no labels for {missing}; they have {sorted(samples.targets)}")
    return {task: samples.targets[task] for task in recipe.tasks}


def _set_trainable(network: AffectNetwork, stage: StageSettings, recipe: Recipe) -> None:
    """Require gradients for what the stage trains, and for nothing else."""
    idle = set(recipe.tasks) - set(stage.tasks or recipe.tasks)
    for name, parameter in network.named_parameters():
        part = name.partition(".")[0]
        parameter.requires_grad_(not (part in idle or (part == "backbone" and stage.freeze_backbone)))


def _set_training(network: AffectNetwork, stage: StageSettings) -> None:
    """Training mode; a frozen backbone and heads that are not trained keep their statistics."""
    network.train()
    for task in set(network.tasks) - set(stage.tasks or network.tasks):
        network.get_submodule(task).eval()
    if stage.freeze_backbone and stage.frozen_statistics and network.has_pixels:
        network.get_submodule("backbone").eval()


def _averaging(recipe: Recipe) -> Averaging:
    """The exponential moving average of a recipe, which may start with a low decay."""

    def update(averaged: Tensors, current: Tensors, n_averaged: Tensor | int) -> None:
        decay = recipe.ema_decay
        if recipe.ema_warmup:
            decay = min(decay, (1 + float(n_averaged)) / (10 + float(n_averaged)))
        get_ema_multi_avg_fn(decay)(averaged, current, n_averaged)

    return update
