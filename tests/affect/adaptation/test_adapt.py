# SPDX-License-Identifier: Apache-2.0
"""`adapt` from a CSV and from a folder of neutral faces, on the rendered sample faces."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien import Analyzer
from mien.affect import Examples, adapt, example_outputs, fit_adaptation, prototype_tiles, read_examples
from mien.affect.adaptation.adapt import ExampleOutputs
from mien.core import ConfigError, InputError, UncertaintySpec

N = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with eight neutral and eight happy rendered faces and their CSV."""
    target = tmp_path_factory.mktemp("examples")
    rows = ["image,expression,AU12,valence"]
    for label in ("neutral", "happiness"):
        (target / label).mkdir()
        for number, tile in enumerate([tile for name, tile in prototype_tiles() if name == label]):
            large = cv2.resize(tile, (224, 224), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(target / label / f"{number}.png"), large[..., ::-1])
            rows.append(f"{label}/{number}.png,{label},{int(label == 'happiness')},")
    (target / "faces.csv").write_text("\n".join(rows), "utf-8")
    return target


def test_a_csv_of_labels_gives_a_bound_overlay_that_never_fits_worse(folder: Path) -> None:
    found = adapt("mien-light", folder / "faces.csv")
    assert found.examples == "labels"
    assert found.n_examples >= N
    assert found.sha256 == Analyzer(threads=1).spec.sha256
    assert all(one.error_after <= one.error_before for one in found.tasks.values())
    assert "valence_arousal" not in found.tasks


def test_neutral_faces_need_the_levels_of_the_bundle(folder: Path) -> None:
    analyzer = Analyzer(threads=1, faces="largest")
    examples = read_examples(folder / "neutral")
    assert examples.all_neutral
    found = example_outputs(analyzer, examples)
    bare = Analyzer(threads=1, faces="largest")
    bare._files = replace(bare._files, spec=replace(bare.spec, uncertainty=None))
    with pytest.raises(ConfigError, match="does not say what neutral faces have"):
        fit_adaptation(bare, examples, found)
    levels = {"AU12": (-9.0, 2.0, 0.5)}
    spec = UncertaintySpec(coverage=0.9, expression_limits={}, half_widths={}, unit_offsets={}, neutral_levels=levels)
    bare._files = replace(bare._files, spec=replace(bare.spec, uncertainty=spec))
    fitted = fit_adaptation(bare, examples, found)
    assert fitted.examples == "neutral"
    assert fitted.tasks["action_units"].bias["AU12"] < 0


def test_too_few_faces_are_one_sentence() -> None:
    analyzer = Analyzer(threads=1)
    examples = Examples(images=[None] * 4, expression=("neutral",) * 4, values={})
    with pytest.raises(ConfigError, match="at least 5 faces, and 4 of the 4"):
        fit_adaptation(analyzer, examples, ExampleOutputs(rows=(0, 1, 2, 3), outputs={}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("photo,AU12\na.png,1", "needs the column 'image'"),
        ("image,AU12\na.png,2", "line 2: AU12 must be from 0 to 1"),
        ("image,valence\na.png,happy", "line 2: valence must be from -1 to 1"),
        ("image\n", "at least one row"),
    ],
)
def test_malformed_examples_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "faces.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=message):
        read_examples(path)


def test_unknown_labels_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no image"):
        read_examples(tmp_path)
    analyzer = Analyzer(threads=1)
    outputs = {task.output: np.zeros((5, len(task.labels)), np.float32) for task in analyzer.spec.tasks}
    found = ExampleOutputs(rows=tuple(range(5)), outputs=outputs)
    strange = Examples(images=[None] * 5, expression=("joy",) * 5, values={})
    with pytest.raises(ConfigError, match="no expression 'joy'"):
        fit_adaptation(analyzer, strange, found)
    extra = Examples(images=[None] * 5, expression=(None,) * 5, values={"AU99": np.ones(5)})
    with pytest.raises(ConfigError, match="does not predict AU99"):
        fit_adaptation(analyzer, extra, found)
