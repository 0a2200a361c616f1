# SPDX-License-Identifier: Apache-2.0
"""Table of data sets: what each is, who distributes it, and the functions that read it and write an example."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import cast

from mien.core import Registry
from mien.datasets.samples import Samples
from mien.datasets.text_files import OnProblem, refuse


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Record of one data set.

    Attributes:
        name: Name on the command line and of the docs page ``docs/reference/datasets/<name>.md``.
        title: Full name.
        target: ``"module:function"`` of a function of a folder and a split that returns `Samples`.
        reads_all: ``"module:function"`` of a function of a folder that returns split -> `Samples`, for a set whose
            splits share one large file, which is then read once; else empty.
        fixture: ``"module:function"`` of a function that writes a small example tree into a folder.
        splits: Official splits that a complete copy has.
        optional_splits: Further splits that are read where they exist.
        many_files: Whether a split is many files, so that the reader can skip bad ones.
        owner: Where to ask for the data.
        published: Split -> the size that the owners or the winners of its challenge publish.
        published_unit: Unit of these sizes: ``"rows"`` or ``"tracks"``.
    """

    name: str
    title: str
    target: str
    fixture: str
    reads_all: str = ""
    splits: tuple[str, ...]
    optional_splits: tuple[str, ...] = ()
    many_files: bool = False
    owner: str
    published: Mapping[str, int] = field(default_factory=dict)
    published_unit: str = "rows"


_IBUG = "Dimitrios Kollias; form on ibug.doc.ic.ac.uk/resources/aff-wild2, signed by a professor or head"
_HUME = "Hume AI, through the form of the challenge's edition"
_FIXTURES = "mien.datasets.fixtures"

DATASETS = Registry(
    "data set",
    (
        DataSet(
            name="affwild2-va",
            title="Aff-Wild2, valence and arousal",
            target="mien.datasets.readers.affwild2:load_affwild2_va",
            fixture=f"{_FIXTURES}:write_affwild2_va",
            splits=("train", "valid"),
            optional_splits=("test",),
            many_files=True,
            owner=_IBUG,
            published={"valid": 76, "test": 162},
            published_unit="tracks",
        ),
        DataSet(
            name="affwild2-expr",
            title="Aff-Wild2, expressions",
            target="mien.datasets.readers.affwild2:load_affwild2_expr",
            fixture=f"{_FIXTURES}:write_affwild2_expr",
            splits=("train", "valid"),
            optional_splits=("test",),
            many_files=True,
            owner=_IBUG,
            published={"valid": 70, "test": 228},
            published_unit="tracks",
        ),
        DataSet(
            name="affwild2-au",
            title="Aff-Wild2, action units",
            target="mien.datasets.readers.affwild2:load_affwild2_au",
            fixture=f"{_FIXTURES}:write_affwild2_au",
            splits=("train", "valid"),
            optional_splits=("test",),
            many_files=True,
            owner=_IBUG,
            published={"valid": 105, "test": 141},
            published_unit="tracks",
        ),
        DataSet(
            name="affwild2-mtl",
            title="s-Aff-Wild2, the multi-task set",
            target="mien.datasets.readers.affwild2:load_affwild2_mtl",
            fixture=f"{_FIXTURES}:write_affwild2_mtl",
            splits=("train", "valid"),
            optional_splits=("test",),
            owner=_IBUG,
            published={"test": 51159},
        ),
        DataSet(
            name="lsd",
            title="Learning from synthetic data, ABAW 4",
            target="mien.datasets.readers.lsd:load_lsd",
            fixture=f"{_FIXTURES}:write_lsd",
            splits=("train", "valid"),
            optional_splits=("test",),
            owner=_IBUG,
            published={"train": 277251, "valid": 4670, "test": 106120},
        ),
        DataSet(
            name="cexpr",
            title="C-EXPR-DB, compound expressions",
            target="mien.datasets.readers.cexpr:load_cexpr",
            fixture=f"{_FIXTURES}:write_cexpr",
            splits=("test",),
            optional_splits=("train",),
            many_files=True,
            owner=_IBUG,
            published={"test": 56},
            published_unit="tracks",
        ),
        DataSet(
            name="emi",
            title="Hume-Vidmimic2, emotional mimicry intensity",
            target="mien.datasets.readers.hume:load_emi",
            fixture=f"{_FIXTURES}:write_emi",
            splits=("train", "valid"),
            optional_splits=("test",),
            owner=_HUME,
            published={"train": 8072, "valid": 4588, "test": 4586},
        ),
        DataSet(
            name="eri",
            title="Hume-Reaction, emotional reaction intensity",
            target="mien.datasets.readers.hume:load_eri",
            fixture=f"{_FIXTURES}:write_eri",
            splits=("train", "valid"),
            optional_splits=("test",),
            owner=_HUME,
        ),
        DataSet(
            name="affectnet",
            title="AffectNet, classic release (CSV)",
            target="mien.datasets.readers.affectnet:load_affectnet",
            fixture=f"{_FIXTURES}:write_affectnet",
            splits=("train", "valid"),
            owner="Mohammad Mahoor, University of Denver; form on mohammadmahoor.com/affectnet",
        ),
        DataSet(
            name="affectnet-npy",
            title="AffectNet, later release (arrays per image)",
            target="mien.datasets.readers.affectnet:load_affectnet_npy",
            fixture=f"{_FIXTURES}:write_affectnet_npy",
            splits=("train", "valid"),
            many_files=True,
            owner="Mohammad Mahoor, University of Denver; form on mohammadmahoor.com/affectnet",
            published={"train": 287651, "valid": 3999},
        ),
        DataSet(
            name="fer2013",
            title="FER2013",
            target="mien.datasets.readers.fer:load_fer2013",
            fixture=f"{_FIXTURES}:write_fer2013",
            reads_all="mien.datasets.readers.fer:load_fer2013_splits",
            splits=("train", "valid", "test"),
            owner="Kaggle, Challenges in Representation Learning: Facial Expression Recognition",
            published={"train": 28709, "valid": 3589, "test": 3589},
        ),
        DataSet(
            name="ferplus",
            title="FER+, ten votes for each FER2013 face",
            target="mien.datasets.readers.fer:load_ferplus_csv",
            fixture=f"{_FIXTURES}:write_ferplus",
            splits=("train", "valid", "test"),
            owner="Microsoft, github.com/microsoft/FERPlus (labels); FER2013 for the pixels",
            published={"train": 28558, "valid": 3579},
        ),
        DataSet(
            name="person-folders",
            title="Photos in one folder a person (VGGFace2, LFW and your own)",
            target="mien.datasets.readers.person_folders:load_person_folders",
            fixture=f"{_FIXTURES}:write_person_folders",
            splits=("train", "valid"),
            owner="the owners of the photos; VGGFace2 is no longer given out by its authors",
        ),
        DataSet(
            name="rafdb",
            title="RAF-DB, basic emotions",
            target="mien.datasets.readers.rafdb:load_rafdb",
            fixture=f"{_FIXTURES}:write_rafdb",
            splits=("train", "test"),
            owner="Weihong Deng, BUPT; request on whdeng.cn/RAF/model1.html",
            published={"train": 12271},
        ),
        DataSet(
            name="morphset",
            title="MorphSet, landmarks of morphed faces with arousal, valence and intensity",
            target="mien.datasets.readers.morphset:load_morphset",
            fixture=f"{_FIXTURES}:write_morphset",
            reads_all="mien.datasets.readers.morphset:load_morphset_splits",
            splits=("train", "valid", "test"),
            owner="the authors of MorphSet (Vonikakis, Dey and Winkler)",
        ),
        DataSet(
            name="utterances",
            title="Utterances with text, sound and face features, as CSV and NumPy files",
            target="mien.datasets.readers.utterances:load_utterances",
            fixture=f"{_FIXTURES}:write_utterances",
            splits=("train", "valid"),
            optional_splits=("test",),
            owner="your own recordings, or a set such as CMU-MOSEI or IEMOCAP in mien's layout",
        ),
        DataSet(
            name="open-ferplus",
            title="FER+ as Parquet, for the default recipe",
            target="mien.datasets.open_sets.open_samples:load_open_ferplus",
            fixture=f"{_FIXTURES}:write_open_ferplus",
            splits=("train", "valid"),
            owner="as ferplus; the Parquet layout is defined by mien, see docs/how-to/training.md",
            published={"train": 28558, "valid": 3579},
        ),
        DataSet(
            name="open-fairface",
            title="FairFace as Parquet, faces without expressions",
            target="mien.datasets.open_sets.open_samples:load_open_fairface",
            fixture=f"{_FIXTURES}:write_open_fairface",
            splits=("train", "valid"),
            owner="github.com/joojs/fairface",
            published={"train": 11998, "valid": 1995},
        ),
        DataSet(
            name="open-lfw",
            title="LFW expressions as Parquet",
            target="mien.datasets.open_sets.open_samples:load_open_lfw",
            fixture=f"{_FIXTURES}:write_open_lfw",
            splits=("train", "test"),
            owner="an Apache-2.0 collection of LFW photos with one label each; layout in docs/how-to/training.md",
            published={"train": 2450, "test": 1335},
        ),
        DataSet(
            name="affectnet-c25",
            title="AffectNetC25, votes and ratings of 25 people",
            target="mien.datasets.open_sets.open_samples:load_affectnet_c25",
            fixture=f"{_FIXTURES}:write_affectnet_c25",
            splits=("train",),
            owner="the authors of AffectNetC25",
            published={"train": 1600},
        ),
    ),
)
"""Name -> `DataSet`."""


def load_dataset(name: str, folder: str | Path, split: str, *, on_problem: OnProblem = refuse) -> Samples:
    """Read one split of a data set by its name in the table.

    Args:
        name: Name in `DATASETS`.
        folder: Folder of the data set, laid out as its docs page says.
        split: One of the record's splits.
        on_problem: Callback for files that are left out, in sets of many files; by default the first one ends the
            reading.

    Raises:
        ConfigError: The name is unknown.
        AnnotationError: The split is missing or malformed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     create_example("rafdb", folder)
        ...     samples = load_dataset("rafdb", folder, "test")
        >>> len(samples), samples.split
        (1, 'test')
    """
    folder = Path(folder)
    options = {"on_problem": on_problem} if DATASETS[name].many_files else {}
    return cast("Samples", DATASETS.load(name)(folder, split, **options))


def load_splits(name: str, folder: str | Path) -> dict[str, Samples]:
    """Read all splits of a data set that keeps them in one file.

    Args:
        name: Name in `DATASETS` of a record with ``reads_all``.
        folder: Folder of the data set, laid out as its docs page says.

    Raises:
        ConfigError: The name is unknown.
        AnnotationError: The file is missing or malformed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     create_example("fer2013", folder)
        ...     {split: len(samples) for split, samples in load_splits("fer2013", folder).items()}
        {'train': 2, 'valid': 1, 'test': 1}
    """
    return cast("dict[str, Samples]", _function(DATASETS[name].reads_all)(Path(folder)))


def create_example(name: str, folder: str | Path) -> None:
    """Write a small tree in the exact form of a data set, with synthetic labels and gray images.

    Args:
        name: Name in `DATASETS`.
        folder: Folder to write to.

    Raises:
        ConfigError: The name is unknown.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     create_example("eri", folder)
        ...     [path.name for path in Path(folder).iterdir()]
        ['data_info.csv']
    """
    _function(DATASETS[name].fixture)(Path(folder))


def _function(target: str) -> Callable[[Path], object]:
    """Import the function that ``"module:function"`` names."""
    module, _, attribute = target.partition(":")
    return cast("Callable[[Path], object]", getattr(import_module(module), attribute))
