# SPDX-License-Identifier: Apache-2.0
"""Claims about weakly supervised multi-task learning over utterances; completes docs/research/systems/utterances.md.

    python -m benchmarks multimodal --data DATA --work WORK

Emotion on GoEmotions, sentiment (valence) on EmoBank, sarcasm on MUStARD (held-out speakers), all from text. Every seed
draws its own training utterances and first weights. Systems: a network for each task; one for all three on true labels
("strong"); one that also gets the single networks' confident predictions on the other sets ("weak"). A claim is
supported where the 95 % interval of the paired differences over the seeds is above 0, not supported where it is below,
else undecided. Differences are of the mean of emotion's and sarcasm's weighted F1 and sentiment's Pearson r:

1. Multi-task learning on true labels beats single tasks.
2. Weak labels beat single tasks.
3. Weak labels beat true labels alone.
4. With a planted signal: sound and face features beside the text beat text alone; late fusion beats early fusion.

Utterances have 25 steps; ``--steps 50`` repeats claims 1 to 3 with the published number. An interrupted run resumes;
``--seeds 1`` first shows the cost.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import ROOT, create_parser
from benchmarks.claims.utterance_tables import plant_features, write_tables
from benchmarks.claims.verdicts import Difference, KeptResults, paired, spread
from benchmarks.machine import today
from benchmarks.page import measured_by, replace_between, table, write_page
from mien.core import Float32, ModalitySpec
from mien.inference import machine_name
from mien.training import Recipe, Trainer, load_recipe, load_source, load_training_data
from mien.training.data.training_set import TrainingSet
from mien.training.recipes.schedule_settings import StageSettings
from mien.training.recipes.settings import SourceSettings
from mien.training.recipes.target_settings import TeacherSettings

_NAME = "multimodal"
_PAGE = ROOT / "docs" / "research" / "systems" / "utterances.md"
_MARKS = ("<!-- results: written by `python -m benchmarks multimodal` -->\n", "<!-- end of results -->")
_SETS = {"emotion": "goemotions", "sentiment": "emobank", "sarcasm": "mustard"}
_METRICS = {
    "emotion": ("emotion weighted F1", "emotion accuracy"),
    "sentiment": ("sentiment Pearson",),
    "sarcasm": ("sarcasm weighted F1", "sarcasm accuracy"),
}
_PLANTED = (("audio", 8), ("vision", 6))
_TEXT = ModalitySpec(name="text", kind="text", n=4096)
_CONFIDENT, _SHARE = 0.8, 0.5
# Nine of ten utterances are shorter than 25 words; the published 50 take twice the time.
_STEPS, _PUBLISHED_STEPS = 25, 50


def recipe_for(tasks: Sequence[str], folders: Sequence[str], *, seed: int, epochs: int, steps: int = _STEPS) -> Recipe:
    """The recipe of a text network for some tasks on some of the sets."""
    base = load_recipe("utterances-early")
    sources = tuple(SourceSettings(name="utterances", folder=folder) for folder in folders)
    valid = tuple(replace(source, split="valid") for source in sources)
    sequences = replace(base.model.sequences, modalities=(_TEXT,), steps=steps) if base.model.sequences else None
    stage = StageSettings(
        epochs=epochs, batch=32, peak_lr=3e-3, schedule="plateau", patience=6, keep="best", stop_after=4
    )
    return replace(
        base,
        data=replace(base.data, sources=sources, valid=valid),
        model=replace(base.model, sequences=sequences),
        heads={task: base.heads[task] for task in tasks},
        losses={task: base.losses[task] for task in tasks},
        stages=(stage,),
        seed=seed,
    )


def train_and_score(recipe: Recipe, data: Path, work: Path) -> dict[str, float]:
    """Metrics of a trained recipe, each task on its own set."""
    loaded = load_training_data(recipe, data)
    trainer = Trainer(recipe, loaded.train_set, work, valid=loaded.valid, data=data)
    trainer.run()
    found: dict[str, float] = {}
    for source in recipe.data.valid:
        samples = load_source(source, data, recipe)
        known = [task for task in recipe.tasks if task in samples.targets]
        whole = replace(samples, targets={**samples.targets, **_unknown(recipe, samples, loaded.train_set.labels)})
        metrics = trainer.evaluate(whole)
        found |= {name: metrics[name] for task in known for name in _METRICS[task]}
    return found


def _unknown(recipe: Recipe, samples: TrainingSet, labels: Mapping[str, tuple[str, ...]]) -> dict[str, Float32]:
    """Targets of the recipe's tasks that a set has no labels of."""
    missing = [task for task in recipe.tasks if task not in samples.targets]
    return {task: np.full((len(samples), len(labels[task])), np.nan, np.float32) for task in missing}


def score_seed(kept: KeptResults, texts: Path, work: Path, *, seed: int, n: tuple[int, int, int], steps: int) -> None:
    """All systems of one seed; those that are kept are not trained again.

    Args:
        kept: results.
        texts: folder of the three sets.
        work: folder of tables and checkpoints.
        seed: of draws and weights.
        n: numbers of training and validation utterances of the large sets, and of epochs.
        steps: number of words of an utterance; the planted signal, which says nothing about text, is for 25 alone.
    """
    n_train, n_valid, epochs = n
    data, folder = work / f"data-{seed}", work / f"seed-{seed}{_suffix(steps).replace(', ', '-').replace(' ', '-')}"
    if not (data / "mustard" / "utterances.csv").is_file():
        write_tables(texts, data, n_train=n_train, n_valid=n_valid, seed=seed)
    end = f"seed {seed}{_suffix(steps)}"
    for task, name in _SETS.items():
        recipe = recipe_for([task], [name], seed=seed, epochs=epochs, steps=steps)
        kept.get(f"single {task}, {end}", partial(train_and_score, recipe, data, folder / f"single-{task}"))
    strong = recipe_for([*_SETS], [*_SETS.values()], seed=seed, epochs=epochs, steps=steps)
    kept.get(f"strong, {end}", partial(train_and_score, strong, data, folder / "strong"))
    teachers = tuple(
        TeacherSettings(
            path=str(folder / f"single-{task}" / "checkpoint.pt"),
            weight=0.0,
            tasks=(task,),
            min_confidence=_CONFIDENT,
            share=_SHARE,
        )
        for task in _SETS
    )
    weak = replace(strong, targets=teachers)
    kept.get(f"weak, {end}", partial(train_and_score, weak, data, folder / "weak"))
    if steps != _STEPS:
        return
    plant_features(data / "goemotions", _PLANTED, strength=1.0, seed=seed)
    planted = [ModalitySpec(name=name, kind="features", n=length) for name, length in _PLANTED]
    for label, fusion, modalities in (
        ("planted, text alone", "early", [_TEXT]),
        ("planted, early fusion", "early", [_TEXT, *planted]),
        ("planted, late fusion", "late", [_TEXT, *planted]),
    ):
        recipe = recipe_for(["emotion"], ["goemotions"], seed=seed, epochs=epochs, steps=steps)
        if recipe.model.sequences is None:
            raise ValueError(recipe.name)
        sequences = replace(recipe.model.sequences, modalities=tuple(modalities), fusion=fusion)
        recipe = replace(recipe, model=replace(recipe.model, sequences=sequences))
        place = folder / label.replace(", ", "-").replace(" ", "-")
        kept.get(f"{label}, {end}", partial(train_and_score, recipe, data, place))


def _suffix(steps: int) -> str:
    """End of the names of results with another number of steps than the first ones had."""
    return "" if steps == _STEPS else f", {steps} steps"


def main(arguments: Sequence[str] | None = None) -> int:
    """Train all systems with all seeds, and write the results into the page."""
    parser = create_parser(_NAME, __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with text/ (docs/how-to/training.md)")
    parser.add_argument("--work", type=Path, required=True, help="folder of tables and results; a run resumes there")
    parser.add_argument("--utterances", type=int, default=2000, help="training utterances of the large sets [2000]")
    parser.add_argument("--epochs", type=int, default=10, help="largest number of epochs [10]")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds [5]")
    parser.add_argument(
        "--steps", type=int, default=_STEPS, help="words of an utterance [25]; with others text alone is trained"
    )
    parser.add_argument("--first", type=int, default=1, help="first seed [1]; the page needs all from 1")
    parser.add_argument("--page", type=Path, default=_PAGE, help="page to complete")
    options = parser.parse_args(arguments)
    kept = KeptResults(options.work / f"{_NAME}.json")
    n = (options.utterances, max(options.utterances // 2, 1), options.epochs)
    for seed in range(options.first, options.seeds + 1):
        score_seed(kept, options.data / "text", options.work, seed=seed, n=n, steps=options.steps)
    if options.first > 1 or options.seeds < 2:
        return 0
    lines = report(kept, options.seeds)
    facts = (f"{n[0]} training utterances of the large sets, at most {n[2]} epochs, {options.seeds} seeds",)
    lines += ["", measured_by(_NAME, *facts, machine=machine_name(), date=today()), ""]
    text = options.page.read_text("utf-8")
    write_page(options.page, replace_between(text, {_MARKS: "\n".join(lines)}).splitlines())
    print("\n".join(lines))
    return 0


def report(kept: KeptResults, n_seeds: int) -> list[str]:
    """The tables and verdicts, as lines of Markdown; those of 50 steps where all seeds have them."""
    lines = [f"{_STEPS} steps:", "", *_claims_about_labels(kept, n_seeds, _STEPS)]
    if all(kept.has(f"weak, seed {seed}{_suffix(_PUBLISHED_STEPS)}") for seed in range(1, n_seeds + 1)):
        lines += ["", f"{_PUBLISHED_STEPS} steps, as published:", ""]
        lines += _claims_about_labels(kept, n_seeds, _PUBLISHED_STEPS)
    planted = {
        name: _runs(kept, f"planted, {name}", n_seeds, _STEPS) for name in ("text alone", "early fusion", "late fusion")
    }
    more = [[name, *(spread([run[c] for run in of]) for c in _METRICS["emotion"])] for name, of in planted.items()]
    emotion = {name: [run["emotion weighted F1"] for run in of] for name, of in planted.items()}
    claims = {
        "planted: three modalities beat text": paired(emotion["early fusion"], emotion["text alone"]),
        "planted: late fusion beats early fusion": paired(emotion["late fusion"], emotion["early fusion"]),
    }
    return [
        *lines,
        "",
        *table(["planted signal (emotion)", *_METRICS["emotion"]], more),
        "",
        *_verdicts(claims),
        "",
        "Means over the seeds, standard deviations in brackets.",
    ]


def _runs(kept: KeptResults, name: str, n_seeds: int, steps: int) -> list[dict[str, float]]:
    return [kept.get(f"{name}, seed {seed}{_suffix(steps)}", dict) for seed in range(1, n_seeds + 1)]


def _claims_about_labels(kept: KeptResults, n_seeds: int, steps: int) -> list[str]:
    """Tables of the three systems and of the claims about them."""
    parts = [_runs(kept, f"single {task}", n_seeds, steps) for task in _SETS]
    single = [{**a, **b, **c} for a, b, c in zip(*parts, strict=True)]
    strong, weak = (_runs(kept, name, n_seeds, steps) for name in ("strong", "weak"))
    systems = {"single tasks": single, "multi-task, true labels": strong, "multi-task, weak": weak}
    columns = [name for names in _METRICS.values() for name in names]
    rows = [[name, *(spread([run[column] for run in of]) for column in columns)] for name, of in systems.items()]
    means = {name: [_mean(run) for run in of] for name, of in systems.items()}
    claims = {
        "multi-task on true labels beats single tasks": paired(means["multi-task, true labels"], means["single tasks"]),
        "weak labels beat single tasks": paired(means["multi-task, weak"], means["single tasks"]),
        "weak labels beat true labels alone": paired(means["multi-task, weak"], means["multi-task, true labels"]),
    }
    return [*table(["system", *columns], rows), "", *_verdicts(claims)]


def _verdicts(claims: Mapping[str, Difference]) -> list[str]:
    rows = [[claim, str(difference), difference.verdict] for claim, difference in claims.items()]
    return table(["claim", "difference, 95 % interval", "verdict"], rows)


def _mean(run: dict[str, float]) -> float:
    return statistics.fmean(run[name] for name in ("emotion weighted F1", "sentiment Pearson", "sarcasm weighted F1"))
