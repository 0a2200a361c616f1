# SPDX-License-Identifier: Apache-2.0
"""noisyFER: an encoder that reads labels and a latent vector from faces, matched with a decoder from both to faces.

Source: Zhang, Huang, Paudel, Van Gool, Facial emotion recognition with noisy multi-task annotations, WACV 2021
(arXiv 2010.09849), and the authors' code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mien.core import ConfigError
from mien.training.losses.task_losses import known_rows
from mien.training.methods.registry import FEATURES, Step, Tensors, TrainingMethod
from mien.training.models.adversarial_networks import Decoder, JointCritic
from mien.training.models.network import AffectNetwork
from mien.training.recipes.method_settings import AdversarialSettings
from mien.training.recipes.recipe import Recipe


class Adversarial(TrainingMethod):
    """Layers of the latent vector, decoder, and discriminators with an optimiser of their own.

    The encoder's tuple is (face, z0 = mean + exp(log variance / 2) noise, outputs of all heads); the decoder's is
    (generated face, noise, the noisy labels). The discriminator of expressions sees raw logits against shares of
    classes, as in the source. Rows with an unknown label of any task are not in the adversarial part.

    Args:
        settings: Settings of the method.
        network: Network that is trained: the encoder, whose heads give the labels.
        recipe: Its recipe, with pixels scaled to [-1, 1].
        labels: Task -> names of the outputs.

    Raises:
        ConfigError: The input is no picture in [-1, 1], or the network does not give its features.
    """

    def __init__(
        self,
        settings: AdversarialSettings,
        network: AffectNetwork,
        recipe: Recipe,
        labels: Mapping[str, tuple[str, ...]],
    ) -> None:
        super().__init__()
        model = recipe.model
        if not network.has_pixels or not network.gives_features:
            raise ConfigError("method 'adversarial' needs a backbone and [model] features = true")
        if {*model.mean, *model.std} != {127.5}:
            raise ConfigError("method 'adversarial' needs mean = [127.5] and std = [127.5]: its decoder ends in a tanh")
        self._settings, self._tasks = settings, network.tasks
        self._mean, self._std = network.pixel_mean, network.pixel_std
        n_features = int(network.backbone.num_features)  # type: ignore[arg-type]  # torch types attributes as tensors
        lengths = [len(labels[task]) for task in network.tasks]
        n_noise, channels = settings.n_noise, settings.channels
        self.mean = nn.Linear(n_features, n_noise)
        self.log_variance = nn.Linear(n_features, n_noise)
        self.decoder = Decoder(n_noise + sum(lengths), model.n_channels, model.input_px, channels)
        self.critic = JointCritic(model.n_channels, model.input_px, (n_noise, *lengths), channels)
        self._optimizer = torch.optim.Adam(self.critic.parameters(), lr=settings.critic_lr)

    def joint_modules(self) -> tuple[nn.Module, ...]:
        """Layers of the latent vector, and the decoder."""
        return self.mean, self.log_variance, self.decoder

    def terms(self, step: Step) -> Tensors:
        """The losses of the noisy labels and, after the first epochs, lambda (mean s_enc - mean s_dec)."""
        outputs = step.forward(step.inputs)
        terms = step.task_terms(outputs, step.targets)
        if step.epoch <= self._settings.after_epoch:
            return terms
        rows = torch.stack([known_rows(step.targets[task]) for task in self._tasks]).all(dim=0).nonzero()[:, 0]
        if len(rows) < 2:  # batch normalisation of the decoder needs two
            return terms
        encoded = self._encoded(step.inputs[rows], {name: values[rows] for name, values in outputs.items()})
        decoded = self._decoded([step.targets[task][rows] for task in self._tasks])
        self._update_critic(encoded, decoded)
        self.critic.requires_grad_(False)
        gap = self.critic(*encoded).mean() - self.critic(*decoded).mean()
        self.critic.requires_grad_(True)
        return {**terms, "adversarial": self._settings.weight * gap}

    def _encoded(self, inputs: Tensor, outputs: Tensors) -> tuple[Tensor, list[Tensor]]:
        """The encoder's tuple: faces in [-1, 1], and z0 with the outputs of all heads."""
        pictures = (inputs.permute(0, 3, 1, 2).float() - self._mean) / self._std
        features = outputs[FEATURES].float()
        mean, deviation = self.mean(features), (0.5 * self.log_variance(features)).exp()
        latent = mean + deviation * torch.randn_like(mean)
        return pictures, [latent, *(outputs[task].float() for task in self._tasks)]

    def _decoded(self, labels: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The decoder's tuple: generated faces, and noise with the noisy labels."""
        noise = torch.randn(len(labels[0]), self._settings.n_noise, device=labels[0].device)
        return self.decoder(torch.cat([noise, *labels], dim=1)), [noise, *labels]

    def _update_critic(self, encoded: tuple[Tensor, list[Tensor]], decoded: tuple[Tensor, list[Tensor]]) -> None:
        """The updates of the discriminators, on tuples through which no gradient flows."""
        real, generated = (
            (pictures.detach(), [code.detach() for code in codes]) for pictures, codes in (encoded, decoded)
        )
        for _ in range(self._settings.critic_steps):
            self._optimizer.zero_grad(set_to_none=True)
            hinge_loss(self.critic(*real), self.critic(*generated)).backward()
            self._optimizer.step()

    def state(self) -> dict[str, Any]:
        """Modules, and the optimiser of the discriminators."""
        return {**super().state(), "optimizer": self._optimizer.state_dict()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue with modules and the optimiser of the discriminators."""
        super().load_state(state)
        self._optimizer.load_state_dict(state["optimizer"])


def hinge_loss(encoded: Tensor, decoded: Tensor) -> Tensor:
    """``mean relu(1 - s_enc) + mean relu(1 + s_dec)`` over all scores.

    Args:
        encoded: (N, K) scores of the encoder's tuples.
        decoded: (M, K) scores of the decoder's tuples.

    Examples:
        >>> round(float(hinge_loss(torch.tensor([[2.0, 0.5]]), torch.tensor([[-1.0, 0.0]]))), 3)
        0.75
    """
    return (1 - encoded).relu().mean() + (1 + decoded).relu().mean()
