# SPDX-License-Identifier: Apache-2.0
"""Loads and verifies bundles and runs their graphs: the runtime port, the table of runtimes, and a fake for tests."""

from mien.core import DEFAULT_BUNDLE
from mien.inference.bundle import (
    Bundle,
    BundleFiles,
    bundle_digest,
    find_bundle,
    list_bundles,
    load_bundle,
    load_spec,
    open_bundle,
    prepare,
)
from mien.inference.geometry_bundle import (
    DEFAULT_GEOMETRY,
    GeometryBundle,
    GeometryWeights,
    is_geometry,
    list_geometry_bundles,
    load_geometry,
)
from mien.inference.head_bundle import Head, load_head
from mien.inference.limits import first_run
from mien.inference.model_card import geometry_card, model_card
from mien.inference.model_files import is_model_file, read_model_file
from mien.inference.runtime import (
    RUNTIMES,
    FakeSession,
    Memory,
    Runtime,
    Session,
    create_session,
    machine_name,
    process_memory,
    usable_cores,
)
from mien.inference.sequence_bundle import SequenceBundle, load_sequence

__all__ = [
    "DEFAULT_BUNDLE",
    "DEFAULT_GEOMETRY",
    "RUNTIMES",
    "Bundle",
    "BundleFiles",
    "FakeSession",
    "GeometryBundle",
    "GeometryWeights",
    "Head",
    "Memory",
    "Runtime",
    "SequenceBundle",
    "Session",
    "bundle_digest",
    "create_session",
    "find_bundle",
    "first_run",
    "geometry_card",
    "is_geometry",
    "is_model_file",
    "list_bundles",
    "list_geometry_bundles",
    "load_bundle",
    "load_geometry",
    "load_head",
    "load_sequence",
    "load_spec",
    "machine_name",
    "model_card",
    "open_bundle",
    "prepare",
    "process_memory",
    "read_model_file",
    "usable_cores",
]
