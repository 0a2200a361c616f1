# SPDX-License-Identifier: Apache-2.0
"""Same function: one random state in the authors' own modules and in mien's, and how far their outputs differ.

    python -m benchmarks parity --authors FOLDER

FOLDER holds checkouts of the authors' code, anywhere below it: HSEmotion (``mobilefacenet.py``), DDAMFN
(``networks/DDAM.py``) and MCAN (``block.py``, ``helpers.py``, ``model.py``). EmotiEffNet is timm's own. Weights,
batch statistics and slopes are random, copied layer by layer in the order in which a run calls them; crops are random
pixels, which the authors' side normalises as their notebooks do. Dropout is off, as its random numbers are drawn
differently. In training mode the batch statistics after the run are compared too.

Then each network is exported to ONNX as the authors export it and goes through ``mien import emotiefflib``.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
import tempfile
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import create_parser
from benchmarks.page import table
from mien.core import EXPRESSION_ORDERS, ConfigError
from mien.core.labels import ACTION_UNITS_12, DIMENSIONS
from mien.inference import load_bundle
from mien.training import load_recipe
from mien.training.export.emotiefflib import import_emotiefflib
from mien.training.models.network import AffectNetwork

_NAME = "parity"
LIMIT = 1e-5
"""Largest difference of outputs that counts as the same function, relative to the largest output above 1."""

_LAYERS = (nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d, nn.PReLU)
_BATCH = 4
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

Run = Callable[[nn.Module], Tensor]


@dataclass(frozen=True)
class Difference:
    """One comparison.

    Attributes:
        system: Name of the network.
        what: Outputs that were compared, and the mode.
        difference: Largest absolute difference, relative to the largest output above 1; NaN without a checkout.
    """

    system: str
    what: str
    difference: float

    @property
    def passed(self) -> bool:
        """Whether the two functions are the same within `LIMIT`."""
        return self.difference <= LIMIT


def called_layers(module: nn.Module, run: Run) -> list[nn.Module]:
    """The layers with weights in the order in which a run first calls them; those that it never calls are left out."""
    order: list[nn.Module] = []

    def note(layer: nn.Module, _inputs: object) -> None:
        if layer not in order:
            order.append(layer)

    hooks = [layer.register_forward_pre_hook(note) for layer in module.modules() if isinstance(layer, _LAYERS)]
    try:
        with torch.no_grad():
            run(module)
    finally:
        for hook in hooks:
            hook.remove()
    return order


def randomize(module: nn.Module, generator: torch.Generator) -> None:
    """Random batch statistics, gains, shifts and slopes in place of their initial zeros and ones."""

    def draw(tensor: Tensor, low: float, high: float) -> None:
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
                draw(layer.weight, 0.5, 1.5)
                draw(layer.bias, -0.2, 0.2)
                if layer.running_mean is not None and layer.running_var is not None:
                    draw(layer.running_mean, -0.2, 0.2)
                    draw(layer.running_var, 0.5, 1.5)
            elif isinstance(layer, nn.PReLU):
                draw(layer.weight, 0.0, 0.5)
            elif isinstance(layer, nn.Dropout):
                layer.p = 0.0


def copy_layers(theirs: Sequence[nn.Module], ours: Sequence[nn.Module]) -> None:
    """Copy the state of each layer to the one in its place.

    A bias that ours lacks, since batch normalisation follows, is subtracted from the mean of that normalisation.

    Raises:
        ConfigError: The numbers of layers or their shapes differ.
    """
    if len(theirs) != len(ours):
        raise ConfigError(f"the authors' network calls {len(theirs)} layers with weights, ours {len(ours)}")
    bias: Tensor | None = None
    for number, (source, target) in enumerate(zip(theirs, ours, strict=True)):
        state = dict(source.state_dict())
        if bias is not None and "running_mean" in state:
            state["running_mean"] = state["running_mean"] - bias
        bias = state.pop("bias") if "bias" in state and "bias" not in target.state_dict() else None
        shapes = {name: tuple(value.shape) for name, value in state.items()}
        own = {name: tuple(value.shape) for name, value in target.state_dict().items()}
        if shapes != own:
            raise ConfigError(f"layer {number} has {shapes} in the authors' network and {own} in ours")
        target.load_state_dict(state)


def relative(theirs: Tensor, ours: Tensor) -> float:
    """Largest absolute difference, divided by the largest absolute value above 1."""
    return float(((theirs - ours).abs().max() / theirs.abs().max().clamp_min(1.0)).detach())


@contextlib.contextmanager
def authors_modules(root: Path, names: Sequence[str]) -> Iterator[list[Any]]:
    """The authors' modules by name, imported from their checkout and forgotten afterwards."""
    before = set(sys.modules)
    stub = types.ModuleType("turtle")  # one of the files imports it by mistake, and it needs a display
    stub.forward = None  # type: ignore[attr-defined]  # the name that is imported
    kept = sys.modules.get("turtle")
    sys.modules["turtle"] = stub
    sys.path.insert(0, str(root))
    try:
        yield [importlib.import_module(name) for name in names]
    finally:
        sys.path.remove(str(root))
        sys.modules.pop("turtle")
        if kept is not None:
            sys.modules["turtle"] = kept
        for name in set(sys.modules) - before:
            if getattr(sys.modules[name], "__file__", None) and str(root) in str(sys.modules[name].__file__):
                del sys.modules[name]


def _network(recipe: str, labels: dict[str, tuple[str, ...]]) -> AffectNetwork:
    return AffectNetwork(load_recipe(recipe), labels)


_AFFECT = {"expression": EXPRESSION_ORDERS["hse_8"], "valence_arousal": DIMENSIONS}


def normalised(crops: Tensor, scale: tuple[tuple[float, ...], tuple[float, ...]]) -> Tensor:
    """Crops (N, S, S, 3) uint8 as the authors' notebooks feed them: scaled to [0, 1], normalised, channels first."""
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in scale)
    return (crops.permute(0, 3, 1, 2).to(torch.float32) / 255 - mean) / std


@dataclass(eq=False)
class Pictures:
    """A pair of networks on crops.

    Attributes:
        name: Name of the system.
        theirs: The authors' network up to the features.
        head: The authors' last layer, from features to logits, valence and arousal.
        recipe: Recipe of mien.
        size_px: Side of the crops.
        scale: Mean and deviation of the authors' normalisation.
        published: Name in `mien import emotiefflib`; empty for none.
    """

    name: str
    theirs: nn.Module
    head: nn.Linear
    recipe: str
    size_px: int
    scale: tuple[tuple[float, ...], tuple[float, ...]]
    published: str = ""

    def compare(self, seed: int) -> list[Difference]:
        """Differences in both modes, and of the statistics that training leaves."""
        generator = torch.Generator().manual_seed(seed)
        crops = torch.randint(0, 256, (_BATCH, self.size_px, self.size_px, 3), generator=generator, dtype=torch.uint8)
        fed = normalised(crops, self.scale)
        labels = {task: names for task, names in _AFFECT.items() if task in load_recipe(self.recipe).tasks}
        ours = _network(self.recipe, labels)
        randomize(self.theirs, generator)
        their_layers = called_layers(self.theirs.eval(), lambda net: net(fed))
        our_layers = called_layers(ours.backbone.eval(), lambda net: net(fed))
        copy_layers(their_layers, our_layers)
        self._copy_head(ours)
        found = []
        for mode in ("eval", "train"):
            training = mode == "train"
            self.theirs.train(training)
            ours.train(training)
            randomize_dropout(ours)
            with torch.no_grad():
                expected = self.head(self.theirs(fed))
                *outputs, _ = ours(crops)
            found.append(Difference(self.name, f"outputs, {mode}", relative(expected, torch.cat(outputs, dim=1))))
        gaps = [
            relative(value, own.state_dict()[name])
            for layer, own in zip(their_layers, our_layers, strict=True)
            for name, value in layer.state_dict().items()
            if name in ("running_mean", "running_var")
        ]
        return [*found, Difference(self.name, "batch statistics after training", max(gaps, default=0.0))]

    def _copy_head(self, ours: AffectNetwork) -> None:
        start = 0
        with torch.no_grad():
            for task in ours.tasks:
                layer: Any = ours.get_submodule(task)
                stop = start + layer.out_features
                layer.weight.copy_(self.head.weight[start:stop])
                layer.bias.copy_(self.head.bias[start:stop])
                start = stop

    def compare_import(self, seed: int) -> Difference:
        """Difference between the authors' network and the bundle that is imported from its ONNX file."""
        generator = torch.Generator().manual_seed(seed)
        crops = torch.randint(0, 256, (_BATCH, self.size_px, self.size_px, 3), generator=generator, dtype=torch.uint8)
        whole = nn.Sequential(self.theirs, self.head).eval()
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            file = Path(folder) / f"{self.published}.onnx"
            export_as_authors(whole, self.size_px, file)
            import_emotiefflib(file, self.published, Path(folder) / "bundle")
            outputs = load_bundle(Path(folder) / "bundle").run(crops.numpy())
            expected = whole(normalised(crops, self.scale))
        names = [name for name in ("expression_logits", "valence_arousal") if name in outputs]
        ours = torch.from_numpy(np.concatenate([outputs[name] for name in names], axis=1))
        return Difference(self.name, f"bundle of `mien import emotiefflib {self.published}`", relative(expected, ours))


def randomize_dropout(module: nn.Module) -> None:
    """Switch dropout off."""
    for layer in module.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0


def export_as_authors(module: nn.Module, size_px: int, file: Path) -> None:
    """Export with the call and the options of the authors' script: opset 11, constants folded, a free batch."""
    axes = {"input": {0: "batch_size"}, "output": {0: "batch_size"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter of that time is deprecated
        torch.onnx.export(
            module,
            (torch.randn(1, 3, size_px, size_px),),
            str(file),
            opset_version=11,
            do_constant_folding=True,
            export_params=True,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes=axes,
            dynamo=False,
        )


def emotieffnet(_root: Path | None) -> list[Pictures]:
    """EmotiEffNet-B0 and -B2: timm's networks with a new classifier, as in the authors' notebook."""
    import timm

    pairs = []
    for name, size_px, recipe, n, published in (
        ("tf_efficientnet_b0", 224, "mt-emotieffnet", 10, "enet_b0_8_va_mtl"),
        ("tf_efficientnet_b2", 260, "emotieffnet-b2", 8, "enet_b2_8"),
    ):
        theirs: Any = timm.create_model(name, pretrained=False)
        head = nn.Linear(theirs.classifier.in_features, n)
        theirs.classifier = nn.Identity()
        pairs.append(Pictures(f"EmotiEffNet ({name})", theirs, head, recipe, size_px, _IMAGENET, published))
    return pairs


class Features(nn.Module):
    """The features of a DDAMFN: the authors' network without its classifier."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        network.fc = nn.Identity()

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, 112, 112) to (N, 512)."""
        features: Tensor = self.network(pixels)[0]
        return features


def mobilefacenet(root: Path) -> list[Pictures]:
    """MT-EmotiMobileFaceNet."""
    with authors_modules(root, ["mobilefacenet"]) as (module,):
        theirs = module.get_mbf(fp16=False, num_features=512)
    return [Pictures("MobileFaceNet", theirs, nn.Linear(512, 10), "mt-emotimobilefacenet", 112, _HALVES, "mbf_va_mtl")]


def ddamfn(root: Path) -> list[Pictures]:
    """MT-DDAMFN with two heads."""
    with authors_modules(root, ["networks.DDAM"]) as (module,):
        theirs = Features(module.DDAMNet(num_class=10, num_head=2, pretrained=False))
    return [Pictures("DDAMFN", theirs, nn.Linear(512, 10), "mt-ddamfn", 112, _IMAGENET)]


class Mcan:
    """MCAN on vectors of 1288 numbers: the authors' AMTL and the heads of the recipe ``mcan``."""

    name = "MCAN"

    def __init__(self, root: Path) -> None:
        with authors_modules(root, ["model"]) as (module,), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._theirs: nn.Module = module.AMTL(freeze_au=False)
        self._ours = _network(
            "mcan",
            {
                "expression": EXPRESSION_ORDERS["affwild2_8"],
                "valence_arousal": DIMENSIONS,
                "action_units": ACTION_UNITS_12,
            },
        )

    def compare(self, seed: int) -> list[Difference]:
        """Differences of each task in both modes."""
        generator = torch.Generator().manual_seed(seed)
        vectors = torch.randn((16, 1288), generator=generator)
        randomize(self._theirs, generator)
        with torch.no_grad():
            centres = dict(self._theirs.named_parameters())["au.sc"]
            self._ours.get_parameter("action_units.centres").copy_(centres)
        randomize_dropout(self._ours)
        copy_layers(
            called_layers(self._theirs.eval(), lambda net: net(vectors)),
            called_layers(self._ours.eval(), lambda net: net(vectors)),
        )
        found = []
        for mode in ("eval", "train"):
            self._theirs.train(mode == "train")
            self._ours.train(mode == "train")
            with torch.no_grad():
                va, ex, au = self._theirs(vectors)
                outputs = dict(zip(self._ours.tasks, self._ours(vectors), strict=False))
            pairs = {
                "action units": (au, outputs["action_units"].sigmoid()),
                "valence, arousal": (va, outputs["valence_arousal"]),
                "expression": (ex, outputs["expression"]),
            }
            found += [Difference(self.name, f"{task}, {mode}", relative(*pair)) for task, pair in pairs.items()]
        return found


# Name -> file that marks the root of the checkout, from that root, and what makes the pairs.
_CHECKOUTS: dict[str, tuple[str, Callable[[Path], Sequence[Any]]]] = {
    "MobileFaceNet": ("mobilefacenet.py", mobilefacenet),
    "DDAMFN": ("networks/DDAM.py", ddamfn),
    "MCAN": ("block.py", lambda root: [Mcan(root)]),
}


def find_checkout(folder: Path, mark: str) -> Path | None:
    """The folder below which a file has this path; None without one."""
    parts = Path(mark).parts
    found = sorted(path for path in folder.rglob(parts[-1]) if path.parts[-len(parts) :] == parts)
    return found[0].parents[len(parts) - 1] if found else None


def measure(authors: Path, seed: int) -> list[Difference]:
    """All comparisons; a system without a checkout has the difference NaN."""
    torch.manual_seed(seed)
    found: list[Difference] = []
    pairs: list[Any] = [*emotieffnet(None)]
    for name, (mark, create) in _CHECKOUTS.items():
        root = find_checkout(authors, mark)
        if root is None:
            found.append(Difference(name, f"no {mark} below {authors}", float("nan")))
            continue
        pairs += create(root)
    for pair in pairs:
        found += pair.compare(seed)
        if isinstance(pair, Pictures) and pair.published:
            found.append(pair.compare_import(seed))
    return found


def main(arguments: Sequence[str]) -> int:
    """Print every difference.

    Returns:
        0 if all are within `LIMIT`, else 1.
    """
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("--authors", required=True, type=Path, help="folder with checkouts of the authors' code")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and inputs (default 0)")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    options = parser.parse_args(arguments)
    if not options.authors.is_dir():
        raise ConfigError(f"{options.authors}: no such folder; name the one that holds the authors' checkouts")
    found = measure(options.authors, options.seed)
    if options.json:
        print(json.dumps([asdict(each) | {"passed": each.passed} for each in found], indent=1))
    else:
        rows = [(each.system, each.what, f"{each.difference:.1e}", "yes" if each.passed else "no") for each in found]
        print("\n".join(table(("system", "compared", "difference", f"within {LIMIT:.0e}"), rows)))
    return 0 if all(each.passed for each in found) else 1
