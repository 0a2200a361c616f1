# SPDX-License-Identifier: Apache-2.0
"""`AffectNetwork`: an optional backbone, named heads, and the normalisation of pixels inside the graph."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from mien.core import ConfigError
from mien.training.models.backbones import create_backbone
from mien.training.models.heads import create_head, head_inputs
from mien.training.models.sequence_encoder import SequenceEncoder
from mien.training.recipes.recipe import Recipe
from mien.training.recipes.settings import HeadSettings


class AffectNetwork(nn.Module):
    """Network from uint8 crops (N, S, S, C) or feature vectors (N, D) to the outputs of every task and the features.

    Its weights are random until `mien.training.models.starts.load_start` or a checkpoint fills them.

    Args:
        recipe: Recipe that describes input, backbone and heads.
        labels: Names of the outputs of each task.

    Attributes:
        tasks: Names of the outputs, in order.
        bundle_tasks: Those of them that are not auxiliary.
        has_pixels: Whether the input is crops and not vectors.
        n_channels: Number of channels of the crops.
        gives_features: Whether the features follow the outputs of the tasks.
        penalty: Loss of the backbone in the last training step; None if the recipe has no penalty.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, recipe: Recipe, labels: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__()
        settings = recipe.model
        self.tasks, self.bundle_tasks = recipe.tasks, recipe.bundle_tasks
        self.has_pixels, self.n_channels = bool(settings.backbone), settings.n_channels
        self.gives_features = settings.features
        self.penalty: Tensor | None = None
        self._penalized = settings.penalty > 0
        self._mirror = settings.mirror and self.has_pixels
        self._unit_length = settings.unit_length
        self._settings = {task: _with_columns(head, recipe) for task, head in recipe.heads.items()}
        width = settings.n_vector
        self.encoder = None if settings.sequences is None else SequenceEncoder(settings.sequences)
        if self.encoder is not None:
            width = self.encoder.num_features
        if self.has_pixels:
            self.backbone = create_backbone(
                settings.backbone,
                in_channels=settings.n_channels,
                size_px=settings.input_px,
                options=settings.options,
            )
            width = int(self.backbone.num_features)  # type: ignore[arg-type]  # torch types attributes as tensors
            if self._penalized and not hasattr(self.backbone, "forward_with_penalty"):
                raise ConfigError(f"[model] penalty: backbone {settings.backbone} has no penalty")
        # Not part of the state, since the recipe defines them.
        self.register_buffer("pixel_mean", torch.tensor(settings.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(settings.std).view(1, -1, 1, 1), persistent=False)
        self.dropout = nn.Dropout(settings.drop_rate)
        widths: dict[str, int] = {}
        for task, head in self._settings.items():
            if not labels.get(task):
                raise ConfigError(f"[heads.{task}]: the data have no labels for it, only for {sorted(labels)}")
            module = create_head(width, len(labels[task]), head, widths)
            self.add_module(task, module)
            widths[task] = len(labels[task])
        self._widths = widths

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Compute one output (N, L) per task in order, then, if asked for, the features (N, D) before dropout.

        A network with ``mirror`` computes the mean over crops and their mirror images, outside of training.
        """
        if not self._mirror or self.training:
            return self._outputs(inputs)
        both = self._outputs(torch.cat([inputs, inputs.flip(2)]))
        return tuple(values.reshape(2, -1, values.shape[1]).mean(dim=0) for values in both)

    def without_auxiliary(self) -> AffectNetwork:
        """The same network, weights shared, without the outputs of auxiliary tasks."""
        bare = copy(self)
        bare.tasks = self.bundle_tasks
        return bare

    def _outputs(self, inputs: Tensor) -> tuple[Tensor, ...]:
        features: Tensor = self.embed(inputs)
        if self._unit_length:
            features = nn.functional.normalize(features)
        dropped = self.dropout(features)
        outputs: dict[str, Tensor] = {}
        for task, settings in self._settings.items():
            outputs[task] = self.get_submodule(task)(head_inputs(dropped, settings, outputs))
        values = tuple(outputs[task] for task in self.tasks)
        return (*values, features) if self.gives_features else values

    def readers(self, task: str) -> list[tuple[nn.Linear, slice]]:
        """Dense layers that read the output of a task, each with its columns of it: the first ones of later heads.

        Raises:
            ConfigError: A head that reads the task does not begin with a dense layer with a bias.
        """
        found = []
        for name, settings in self._settings.items():
            if task not in settings.after:
                continue
            first = next((layer for layer in self.get_submodule(name).modules() if isinstance(layer, nn.Linear)), None)
            widths = [self._widths[one] for one in settings.after]
            if first is None or first.bias is None:
                raise ConfigError(f"the head {name} reads {task} and does not begin with a dense layer")
            place = first.in_features - sum(widths) + sum(widths[: settings.after.index(task)])
            found.append((first, slice(place, place + self._widths[task])))
        return found

    def embed(self, inputs: Tensor) -> Tensor:
        """Compute the features (N, D) that the heads share."""
        if self.encoder is not None:
            encoded: Tensor = self.encoder(inputs.to(torch.float32))
            return encoded
        if not self.has_pixels:
            return inputs.to(torch.float32)
        pixels = (inputs.permute(0, 3, 1, 2).to(torch.float32) - self.pixel_mean) / self.pixel_std
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        backbone: Any = self.backbone
        features: Tensor
        if self._penalized and self.training:
            features, self.penalty = backbone.forward_with_penalty(pixels)
        else:
            features = backbone(pixels)
        return features


def _with_columns(head: HeadSettings, recipe: Recipe) -> HeadSettings:
    """The settings of a head with the columns of the vector part in ``sees``, and the lengths of its branches."""
    if head.kind == "branches" and not head.branches:
        head = replace(head, branches=recipe.model.stretch_lengths)
    return replace(head, columns=recipe.model.columns_of(head.sees), sees="") if head.sees else head
