# SPDX-License-Identifier: Apache-2.0
"""Data sets: the same bytes from any number of workers, resumable, readable, safe for subjects."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from mien.core import ConfigError, OutputError
from mien.datasets import load_lsd
from mien.jobs import FakeEngine
from mien.media import decode_image, load_image
from mien.synthesis import SynthesisRecipe, label_schema, read_labels, synthesize
from mien.synthesis import dataset as module
from mien.synthesis.dataset import plan_shards

pytestmark = pytest.mark.usefixtures("renderer_installed")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FACES_PER_SHARD", 6)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_shards_hold_whole_identities(tiny_recipe: SynthesisRecipe) -> None:
    shards = plan_shards(tiny_recipe, 14, "parquet")
    assert [(shard.first, shard.faces) for shard in shards] == [(0, (3, 3)), (2, (3, 3)), (4, (2,))]
    assert sum(sum(shard.faces) for shard in plan_shards(tiny_recipe, 17, "clips")) == 17


@pytest.mark.parametrize("form", ["parquet", "folder"])
def test_any_engine_gives_the_same_bytes(tiny_recipe: SynthesisRecipe, tmp_path: Path, form: str) -> None:
    report = synthesize(tiny_recipe, tmp_path / "a", n=14, form=form)  # type: ignore[arg-type]  # one of FORMATS
    assert (report.n_faces, report.n_written, report.failures) == (14, 14, ())
    synthesize(tiny_recipe, tmp_path / "b", n=14, form=form, engine=FakeEngine())  # type: ignore[arg-type]
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_two_processes_give_the_same_bytes(tiny_recipe: SynthesisRecipe, tmp_path: Path) -> None:
    # The limit of faces per shard is that of the module in the new processes, too: the plan is made here.
    synthesize(tiny_recipe, tmp_path / "one", n=8)
    synthesize(tiny_recipe, tmp_path / "two", n=8, workers=2)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_run_goes_on_where_it_stopped(tiny_recipe: SynthesisRecipe, tmp_path: Path) -> None:
    synthesize(tiny_recipe, tmp_path / "whole", n=14)
    crashed = synthesize(tiny_recipe, tmp_path / "twice", n=14, engine=FakeEngine({1: "out of memory"}))
    assert crashed.n_faces == 8
    assert crashed.failures == (("faces-00001.parquet", "out of memory"),)
    seen: list[tuple[int, int]] = []
    again = synthesize(tiny_recipe, tmp_path / "twice", n=14, on_progress=lambda done, n: seen.append((done, n)))
    assert (again.n_faces, again.n_written) == (14, 6)
    assert seen == [(8, 14), (14, 14)]
    assert files(tmp_path / "whole") == files(tmp_path / "twice")


def test_an_interrupted_shard_leaves_no_table(tiny_recipe: SynthesisRecipe, tmp_path: Path) -> None:
    def stop(_done: int, _n: int) -> None:
        if _done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(tiny_recipe, tmp_path, n=14, on_progress=stop)
    assert [path.name for path in sorted(tmp_path.glob("*.parquet*"))] == ["faces-00000.parquet"]


@pytest.mark.parametrize(
    "change",
    [lambda recipe: replace(recipe, seed=99), lambda recipe: replace(recipe, size_px=64)],
    ids=["seed", "size"],
)
def test_another_run_may_not_go_on_in_the_folder(
    tiny_recipe: SynthesisRecipe, tmp_path: Path, change: Callable[[SynthesisRecipe], SynthesisRecipe]
) -> None:
    synthesize(tiny_recipe, tmp_path, n=2)
    with pytest.raises(OutputError, match="another recipe"):
        synthesize(change(tiny_recipe), tmp_path, n=2)
    with pytest.raises(OutputError, match="another recipe"):
        synthesize(tiny_recipe, tmp_path, n=3)


def test_another_generator_may_not_go_on_in_the_folder(
    tiny_recipe: SynthesisRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesize(tiny_recipe, tmp_path / "half", n=14, engine=FakeEngine({1: "stopped"}))
    before = files(tmp_path / "half")
    with monkeypatch.context() as changed:
        changed.setattr(module, "generator_digest", lambda: "f" * 64)
        with pytest.raises(OutputError, match=r"half: was begun by another version of the generator, .* empty folder$"):
            synthesize(tiny_recipe, tmp_path / "half", n=14)
    assert files(tmp_path / "half") == before
    manifest = tmp_path / "half" / "synthesis.json"
    content = json.loads(manifest.read_text())
    del content["generator"]  # as folders have that were begun before the digest was recorded
    manifest.write_text(json.dumps(content, indent=1))
    with pytest.raises(OutputError, match="another version of the generator"):
        synthesize(tiny_recipe, tmp_path / "half", n=14)


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000], ids=["empty", "list", "cut", "deep"])
def test_a_damaged_manifest_is_refused(tiny_recipe: SynthesisRecipe, tmp_path: Path, content: str) -> None:
    synthesize(tiny_recipe, tmp_path, n=2)
    (tmp_path / "synthesis.json").write_text(content)
    with pytest.raises(OutputError, match="another recipe, number or version"):
        synthesize(tiny_recipe, tmp_path, n=2)


def test_the_digest_follows_what_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(Path(module.__file__).parent, tmp_path / "synthesis")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "synthesis" / "dataset.py"))

    def digest_after(path: str, addition: bytes) -> str:
        target = tmp_path / "synthesis" / path
        target.write_bytes(target.read_bytes() + addition)
        return module.generator_digest.__wrapped__()

    own = module.generator_digest()
    assert digest_after("dataset.py", b"") == own
    assert digest_after("super_resolution/upscaler.py", b"# faster\n") == own
    shading = tmp_path / "synthesis" / "rendering" / "shading.py"
    shading.write_bytes(shading.read_bytes().replace(b"\n", b"\r\n"))
    assert module.generator_digest.__wrapped__() == own
    assert digest_after("rendering/shading.py", b"GLOSS = 2\n") != own


def test_a_folder_with_other_files_is_refused(tiny_recipe: SynthesisRecipe, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        synthesize(tiny_recipe, tmp_path, n=2)


def test_labels_and_images_can_be_read(tiny_recipe: SynthesisRecipe, tmp_path: Path) -> None:
    synthesize(tiny_recipe, tmp_path, n=14)
    table = read_labels(tmp_path)
    assert table.schema.equals(label_schema("parquet"), check_metadata=False)
    assert table.num_rows == len(set(table["name"].to_pylist())) == 14
    image = decode_image(table["image"][5].as_py())
    assert image.shape == (48, 48, 3)
    manifest = json.loads((tmp_path / "synthesis.json").read_text())
    assert manifest["recipe"]["seed"] == 3
    assert read_labels(tmp_path, ["AU12", "split"]).column_names == ["AU12", "split"]
    with pytest.raises(OutputError, match="no finished shard"):
        read_labels(tmp_path / "absent")


def test_folders_hold_the_images_that_the_table_names(tiny_recipe: SynthesisRecipe, tmp_path: Path) -> None:
    synthesize(tiny_recipe, tmp_path, n=7, form="folder")
    table = read_labels(tmp_path)
    for path, split, identity in zip(
        *(table[name].to_pylist() for name in ("image", "split", "identity")), strict=True
    ):
        assert path.startswith(f"{split}/{identity:06d}/")
        assert load_image(tmp_path / path).shape == (48, 48, 3)


def test_the_reader_of_lsd_reads_the_lsd_layout(lsd_recipe: SynthesisRecipe, tmp_path: Path) -> None:
    six = replace(lsd_recipe.expressions, only=("anger", "disgust", "fear", "happiness", "sadness", "surprise"))
    recipe = replace(lsd_recipe, expressions=six)
    synthesize(recipe, tmp_path, n=40, form="lsd")
    samples = load_lsd(tmp_path, "train")
    assert len(samples.names) == 40
    table = read_labels(tmp_path)
    expected = dict(zip(table["image"].to_pylist(), table["expression"].to_pylist(), strict=True))
    for name, index in zip(samples.names, samples.expression, strict=True):
        assert samples.expression_labels[index] == expected[f"training_set_synthetic_images/{name}"]


def test_lsd_needs_its_six_expressions(tiny_recipe: SynthesisRecipe, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="six basic expressions"):
        synthesize(tiny_recipe, tmp_path, n=2, form="lsd")


@pytest.mark.parametrize(
    ("n", "form", "message"),
    [
        (0, "parquet", "n must be from 1 to 100,000,000"),
        (10**18, "parquet", "n must be from 1 to 100,000,000"),
        (2, "csv", "the format must be one of"),
    ],
)
def test_wrong_calls_are_errors(tiny_recipe: SynthesisRecipe, tmp_path: Path, n: int, form: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        synthesize(tiny_recipe, tmp_path / "out", n=n, form=form)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_clips_have_a_row_for_every_frame(tiny_recipe: SynthesisRecipe, tmp_path: Path) -> None:
    short = replace(tiny_recipe, clips=replace(tiny_recipe.clips, duration_s=0.4, fps=10.0, expressions=2))
    report = synthesize(short, tmp_path, n=2, form="clips")
    assert report.n_faces == report.n_written == 8
    table = pq.read_table(tmp_path / "labels/labels-00000.parquet")
    assert table["frame"].to_pylist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert np.allclose(table["time_s"].to_numpy()[:4], [0, 0.1, 0.2, 0.3])
    assert {(tmp_path / path).is_file() for path in table["image"].to_pylist()} == {True}
