# SPDX-License-Identifier: Apache-2.0
"""Masked autoencoding of a `MaskedViT`, and masked co-training of its members (masked CoTEX).

Sources: He et al., Masked autoencoders are scalable vision learners, CVPR 2022; Li, Sun, Liu, Han, Shan, Affective
behaviour analysis using pretrained model with facial prior, arXiv 2207.11679.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from mien.core import ConfigError
from mien.training.methods.registry import FEATURES, Step, Tensors, TrainingMethod
from mien.training.models.backbones.masked_vit import MaskedViT, random_patches, sine_positions
from mien.training.models.network import AffectNetwork
from mien.training.recipes.method_settings import MaskedAutoencodingSettings, MaskedMembersSettings
from mien.training.recipes.recipe import Recipe

_HEAD_WIDTH = 32
_EPS = 1e-6


class MaskedAutoencoding(TrainingMethod):
    """The decoder of hidden patches; heads are not trained. All members start the next stage from the first one.

    The target of a patch is its pixels minus their mean, divided by their deviation, as published.

    Args:
        settings: Settings of the method.
        network: Network that is trained.
        recipe: Its recipe.
        labels: Task -> names of the outputs; not used.

    Raises:
        ConfigError: The backbone is no ``masked_vit``.
    """

    draws_unlabelled = True
    positions: Tensor

    def __init__(
        self,
        settings: MaskedAutoencodingSettings,
        network: AffectNetwork,
        recipe: Recipe,
        labels: Mapping[str, tuple[str, ...]],
    ) -> None:
        super().__init__()
        del labels
        vit = _masked_vit(network)
        # In lists, so that neither optimiser nor checkpoint has them twice.
        self._network, self._scale = [vit], [network.pixel_mean, network.pixel_std]
        self._n_kept = max(1, round(vit.n_patches * (1 - settings.mask_ratio)))
        width = settings.width
        self.embed = nn.Linear(vit.width, width)
        self.hidden = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.register_buffer("positions", sine_positions(round(vit.n_patches**0.5), width), persistent=False)
        heads = max(width // _HEAD_WIDTH, 1)
        self.blocks = nn.Sequential(*(Block(width, heads, qkv_bias=True) for _ in range(settings.depth)))
        self.norm = nn.LayerNorm(width, eps=_EPS)
        self.pixels = nn.Linear(width, recipe.model.n_channels * vit.patch**2)

    def joint_modules(self) -> tuple[nn.Module, ...]:
        """The decoder."""
        return (self,)

    def terms(self, step: Step) -> Tensors:
        """The mean squared error of hidden patches."""
        (vit,), (mean, std) = self._network, self._scale
        pictures = (step.inputs.permute(0, 3, 1, 2).float() - mean) / std
        order = random_patches(len(pictures), vit.n_patches, pictures.device)
        tokens = self.embed(vit.encoders[0](pictures, order[:, : self._n_kept]))
        hidden = self.hidden.expand(len(pictures), vit.n_patches - self._n_kept, -1)
        back = order.argsort(dim=1)[:, :, None].expand(-1, -1, tokens.shape[2])
        tokens = torch.cat([tokens, hidden], dim=1).gather(1, back) + self.positions
        guesses, truth = self.pixels(self.norm(self.blocks(tokens))), patches_of(pictures, vit.patch)
        truth = (truth - truth.mean(dim=2, keepdim=True)) / (truth.var(dim=2, keepdim=True) + _EPS).sqrt()
        rows = order[:, self._n_kept :, None].expand(-1, -1, truth.shape[2])
        return {"reconstruction": ((guesses - truth).gather(1, rows) ** 2).mean()}

    def finish(self) -> None:
        """Give all members the pretrained weights."""
        self._network[0].share_first()


class MaskedMembers(TrainingMethod):
    """Mean cross-entropy of the members, and their divergence; other tasks keep their losses.

    A member's logits are the part of the expression's dense layer on its own features, and its share of the bias.

    Args:
        settings: Settings of the method.
        network: Network that is trained.
        recipe: Its recipe.
        labels: Task -> names of the outputs; not used.

    Raises:
        ConfigError: The backbone is no ``masked_vit``, or the expression's head is not one dense layer on its features.
    """

    draws_unlabelled = True

    def __init__(
        self,
        settings: MaskedMembersSettings,
        network: AffectNetwork,
        recipe: Recipe,
        labels: Mapping[str, tuple[str, ...]],
    ) -> None:
        super().__init__()
        del labels
        vit, head = _masked_vit(network), recipe.heads.get("expression")
        if head is None or head.kind != "linear" or head.columns or head.after or not network.gives_features:
            raise ConfigError("method 'masked_members' needs a linear expression head on all features, and features")
        self._settings, self._width = settings, vit.width
        self._layer, self._network = [network.get_submodule("expression")], [vit]  # in lists: no part of the method
        vit.mask_ratio = settings.mask_ratio

    def terms(self, step: Step) -> Tensors:
        """The losses of all tasks, that of the expression by member, and the weighted divergence of all rows."""
        outputs = step.forward(step.inputs)
        members = self._logits(outputs[FEATURES].float())
        terms = step.task_terms(outputs, step.targets)
        own = [step.task_terms({**outputs, "expression": logits}, step.targets)["expression"] for logits in members]
        terms["expression"] = torch.stack(own).mean()
        terms["divergence"] = self._settings.weight * generalized_divergence(members)
        return terms

    def finish(self) -> None:
        """Let later stages see all patches."""
        self._network[0].mask_ratio = 0.0

    def _logits(self, features: Tensor) -> Tensor:
        """Logits (M, N, C) of the members."""
        layer = self._layer[0]
        weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
        parts = features.split(self._width, dim=1)
        weights = weight.split(self._width, dim=1)
        return torch.stack([own @ part.T + bias / len(parts) for own, part in zip(parts, weights, strict=True)])


def generalized_divergence(logits: Tensor) -> Tensor:
    """Generalised Jensen-Shannon divergence: entropy of the mean distribution minus the mean entropy, in nats.

    Args:
        logits: (M, N, C) logits of M members; the mean over the N rows is returned.

    Examples:
        >>> round(float(generalized_divergence(torch.tensor([[[20.0, 0.0]], [[0.0, 20.0]]]))), 4)
        0.6931
    """
    logs = logits.log_softmax(dim=2)
    mean = logs.exp().mean(dim=0)
    entropy = -(mean * mean.clamp_min(1e-12).log()).sum(dim=1)
    return (entropy + (logs.exp() * logs).sum(dim=2).mean(dim=0)).mean()


def patches_of(pictures: Tensor, patch: int) -> Tensor:
    """Pixels (N, P, C * patch * patch) of each patch, in rows.

    Args:
        pictures: (N, C, S, S) pixels.
        patch: Side of a patch, a divisor of S.
    """
    return nn.functional.unfold(pictures, patch, stride=patch).transpose(1, 2)


def _masked_vit(network: AffectNetwork) -> MaskedViT:
    """The backbone of a network.

    Raises:
        ConfigError: It is another one.
    """
    backbone = network.backbone if network.has_pixels else None
    if not isinstance(backbone, MaskedViT):
        raise ConfigError("masked autoencoding and masked members need [model] backbone = 'masked_vit'")
    backbone.mask_ratio = 0.0
    return backbone
