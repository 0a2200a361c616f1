# SPDX-License-Identifier: Apache-2.0
"""The page of the experiments with doubtful labels: claims, gains and verdicts, and what each system reaches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev

import numpy as np

from benchmarks.doubtful.doubtful_claims import CLAIMS, Claim
from benchmarks.doubtful.label_nets import PARTS, SEEDS, Budget, Part
from benchmarks.doubtful.label_runs import Run, load_run, samples_of
from benchmarks.machine import today
from benchmarks.page import measured_by, notice, table
from benchmarks.proofs.slice_heads import concordance_of, f1_of
from benchmarks.systems.conditions import MARGIN
from benchmarks.systems.gains import N_RESAMPLES, Gain, Statistic, accuracy_of, macro_f1_of, paired_gain
from mien.inference import machine_name
from mien.training.data.training_set import TrainingSet

NAME = "doubtful-labels"

Runs = dict[str, list[Run | None]]
"""System -> its run with each of the seeds; None where there is none."""

_INTRODUCTION = """\
# Systems that learn from doubtful labels

{notice}

The papers of [noisyFER](systems/noisyfer.md), [SS-MFAR](systems/ss-mfar.md), [masked CoTEX](systems/masked-cotex.md),
the [data-balancing student-teacher](systems/balancing.md) and [distribution matching](systems/distribution-matching.md)
claim that their systems learn more from wrong, missing or foreign labels than others do. Their data are distributed by
their owners only. This page tests the claims with the recipes that come with mien on labels whose truth is known.

**The claims, rules and budget were written before the first counted run** (`benchmarks/doubtful/doubtful_claims.py`,
`benchmarks/doubtful/label_nets.py`). Every gain is the mean over the seeds {seeds} with a 95 % interval of
{resamples:,} paired resamples of the test samples.

- *better* is supported if the interval of the mean and the gain of every seed are above 0;
- *at least* as good is supported if the interval is above -{margin:g};
- either is not supported if the interval is below 0, and is undecided otherwise, also with fewer seeds than planned.

**{total} claims: {counts}.**

"""

_BUDGET = """\
**The budget is small**, for two busy CPU cores: {faces:,} training faces of FER+ a seed, {size_px} px (the faces have
48), {epochs} epochs of {batch} rows a step where each face has one vote, {partial_epochs} where some labels are
missing; digits: {digits} of 16 px, {digit_epochs} epochs. These were 8, 8 and 12 when the first experiment began;
it took longer than planned, and those of the others were lowered before they began, as was masked autoencoding (from
6,000 faces 3 times). Every network but the transformers
has one encoder from random weights, `vgg_encoder` with {width:g} of the published channels, batch normalisation and
dense layers of {hidden}. One cycle up to a learning rate of {peak_lr:g} (published: 1e-4 to 5e-4, for tens of thousands
of steps); the discriminators keep their 1e-4 and have an eighth of the published widths. Heads, losses, optimiser,
methods and their weights are those of the recipes. Every run keeps its last epoch: nothing is selected on the test.

**The larger budget** of the last three experiments, which repeat earlier ones, is {more_faces:,} faces in
{more_epochs} epochs: {more_steps:,} steps in place of {steps:,} and {partial_steps:,}. It was written when the small
one had shown that its networks are hardly above the share of the commonest class (0.37) and call hardly any action unit
present, and before these experiments ran.

**What this can decide**: what a method costs, gains or breaks in the first {steps:,} steps of a small network. **What
it cannot**: gains that need a pretrained or large network, or so many epochs that wrong labels are learned by heart.

**The test** of faces is FER+ valid (plurality of about ten votes; valence and arousal mapped from all votes; action
units of a landmark model, so P_AU and P_MTL only compare rows with each other). The predictions of the affect teacher,
whose network saw these votes, are not used. FER2013 does not name persons.

**Noticed before these runs**, in first trials on digits with another seed that are not counted: discriminators with a
learning rate of 1e-3 win at once, and the encoder loses a third of its accuracy; so they keep the published 1e-4.

"""

_TEXTS = {
    "votes": """\
Each face has one vote, drawn by the seed from its votes for expressions; valence and arousal are mapped from that
vote. The test has the truth of all votes. Seed by seed: {facts}.
""",
    "more votes": """\
The first experiment with the larger budget. Seed by seed: {facts}.
""",
    "digits": """\
scikit-learn's digits (8 x 8, enlarged): {digits} to train on, always the same, and all others to test on. Wrong labels
are drawn by the seed, every other class alike. Co-teaching knows the rate.
""",
    "halves": """\
Half of the faces has votes, the other half action units, by a hash of the name. F1 of action units is at 0.5: near 0.05
hardly any unit is ever called present, so in this budget its differences say little.
""",
    "more halves": """\
The experiment with two halves, with the larger budget.
""",
    "more thirds": """\
The experiment with hidden thirds, with the larger budget.
""",
    "thirds": """\
Each face keeps one of three label sets (votes; valence and arousal; action units), by a hash of its name: two thirds of
every set are hidden.
""",
    "transformers": """\
The faces and labels of the experiment above at {vit_px} px: `masked_vit` with patches of 8 px, width 128, 4 blocks of 4
heads, learning rate {vit_lr:g}. Masked autoencoding saw {pretext_faces:,} faces of FER+ train {pretext_epochs} times
without any label (published: 100 times and more, CelebA), with a decoder of one block of width 64.
""",
}


def doubtful_page(data: Path, work: Path, budget: Budget) -> list[str]:
    """The lines of the page.

    Args:
        data: folder of the open face sets.
        work: folder of the runs.
        budget: budget of the runs.
    """
    found = {part.name: _runs(part, work) for part in PARTS}
    gains = {claim: claim_gain(claim, found[claim.part], data, budget) for claim in CLAIMS if claim.part in found}
    counts = Counter(claim.verdict(gains.get(claim)) for claim in CLAIMS)
    names = ("supported", "not supported", "undecided", "not run")
    text = _INTRODUCTION.format(
        notice=notice(NAME, edit="benchmarks/doubtful/doubtful_page.py"),
        seeds=", ".join(map(str, SEEDS)),
        resamples=N_RESAMPLES,
        margin=MARGIN,
        total=len(CLAIMS),
        counts=", ".join(f"{counts[name]} {name}" for name in names),
    )
    text += _BUDGET.format(**vars(budget), **_steps(budget))
    lines = text.splitlines()
    lines += [measured_by(NAME, "torch in one thread", machine=machine_name(), date=today()), ""]
    for part in PARTS:
        lines += _part_lines(part, found[part.name], gains, data, budget)
    return lines


def _part_lines(
    part: Part, runs: Runs, gains: dict[Claim, Gain | None], data: Path, budget: Budget
) -> Iterator[str] | list[str]:
    """Heading, text, claims and systems of one experiment."""
    facts = [fact for own in runs.values() for run in own[:] if run is not None for fact in run.facts]
    key = "digits" if part.name.startswith("digits") else part.name
    shown = "; ".join(dict.fromkeys(facts)) or "not run"
    lines = [
        f"## {part.title}",
        "",
        *_TEXTS[key].format(facts=shown, **vars(budget), **_steps(budget)).splitlines(),
        "",
    ]
    rows = [_claim_cells(claim, gains.get(claim)) for claim in CLAIMS if claim.part == part.name]
    heading = ["claim", "measure", "rule", "from, to", "gain", "each seed", "n", "verdict"]
    lines += [*table(heading, rows), ""]
    once: dict[str, list[str]] = {
        system.name: _system_cells(part, system.name, runs, data, budget) for system in part.systems
    }
    measures = _measures(part)
    lines += table(["system", "recipe", "change", "seeds", *measures, "training, s"], once.values())
    return [*lines, ""]


def _steps(budget: Budget) -> dict[str, int]:
    """Steps of the experiments."""
    return {
        "steps": budget.epochs * (budget.faces // budget.batch),
        "partial_steps": budget.partial_epochs * (budget.faces // budget.batch),
        "more_steps": budget.more_epochs * (budget.more_faces // budget.batch),
    }


def _measures(part: Part) -> tuple[str, ...]:
    if not part.is_faces:
        return ("accuracy", "macro F1")
    return {
        "votes": ("accuracy", "macro F1", "P_VA"),
        "more votes": ("accuracy", "macro F1", "P_VA"),
        "thirds": ("accuracy", "macro F1", "P_VA", "P_AU", "P_MTL"),
        "more thirds": ("accuracy", "macro F1", "P_VA", "P_AU", "P_MTL"),
        "transformers": ("accuracy", "macro F1", "P_VA", "P_AU", "P_MTL"),
        "halves": ("accuracy", "macro F1", "P_AU"),
        "more halves": ("accuracy", "macro F1", "P_AU"),
    }[part.name]


def _claim_cells(claim: Claim, gain: Gain | None) -> list[str]:
    cells = [claim.claim, claim.measure, claim.rule]
    if gain is None:
        return [*cells, "-", "-", "-", "-", "not run"]
    return [
        *cells,
        f"{gain.before:.3f}, {gain.after:.3f}",
        f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]",
        " ".join(f"{value:+.3f}" for value in gain.per_seed),
        f"{gain.n:,}",
        f"**{claim.verdict(gain)}**",
    ]


def _system_cells(part: Part, name: str, runs: Runs, data: Path, budget: Budget) -> list[str]:
    """Cells of one system: what it changes, and the mean of each measure with its standard deviation over seeds."""
    system = next(one for one in part.systems if one.name == name)
    own = [(seed, run) for seed, run in zip(SEEDS, runs[name], strict=True) if run is not None]
    cells = [name, f"`{system.recipe}`", system.words or "none", f"{len(own)}"]
    once = np.ones((1, 1))
    measured = []
    for seed, run in own:
        statistics = statistics_of(samples_of(part.name, data, budget, seed).test, run)
        once = np.ones((1, len(samples_of(part.name, data, budget, seed).test)))
        measured.append({measure: float(each(once)[0]) for measure, each in statistics.items()})
    for measure in _measures(part):
        values = [each[measure] for each in measured if measure in each]
        spread = f" ({stdev(values):.3f})" if len(values) > 1 else ""
        cells.append(f"{fmean(values):.3f}{spread}" if values else "-")
    return [*cells, f"{fmean(run.seconds for _, run in own):.0f}" if own else "-"]


def claim_gain(claim: Claim, runs: Runs, data: Path, budget: Budget) -> Gain | None:
    """The gain of a claim over the seeds that both systems have; None where there is none."""
    both = [
        (seed, one, two)
        for seed, one, two in zip(SEEDS, runs[claim.better], runs[claim.other], strict=True)
        if one is not None and two is not None
    ]
    if not both:
        return None
    tests = {seed: samples_of(claim.part, data, budget, seed).test for seed, _, _ in both}
    sides = [
        [statistics_of(tests[run[0]], run[number])[claim.measure] for run in both]  # type: ignore[arg-type]
        for number in (1, 2)
    ]
    return paired_gain(claim.claim, *sides, len(tests[both[0][0]]))


def statistics_of(test: TrainingSet, run: Run) -> dict[str, Statistic]:
    """Measure -> statistic of a run, of those that its outputs allow."""
    found: dict[str, Statistic] = {}
    outputs = run.outputs
    if "expression" in outputs:
        truth, predicted = test.targets["expression"].argmax(axis=1), outputs["expression"].argmax(axis=1)
        found["accuracy"] = accuracy_of(truth, predicted)
        found["macro F1"] = macro_f1_of(truth, predicted, outputs["expression"].shape[1])
    if "valence_arousal" in outputs:
        found["P_VA"] = concordance_of(test.targets["valence_arousal"], np.clip(outputs["valence_arousal"], -1, 1))
    if "action_units" in outputs:
        units = test.targets["action_units"]
        found["P_AU"] = f1_of(np.nan_to_num(units) >= 0.5, outputs["action_units"] >= 0, ~np.isnan(units))
    parts = [found[name] for name in ("macro F1", "P_VA", "P_AU") if name in found]
    if len(parts) == 3:
        found["P_MTL"] = lambda weights: np.sum([part(weights) for part in parts], axis=0)
    return found


def _runs(part: Part, work: Path) -> Runs:
    return {system.name: [load_run(part, system, seed, work) for seed in SEEDS] for system in part.systems}
