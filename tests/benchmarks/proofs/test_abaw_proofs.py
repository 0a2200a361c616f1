# SPDX-License-Identifier: Apache-2.0
"""The page keeps the text around its generated tables."""

import pytest


def test_a_page_keeps_what_stands_around_its_tables() -> None:
    pytest.importorskip("lightning", reason="an extra: pip install 'mien[train]'")
    from benchmarks.proofs.abaw_proofs import with_parts

    page = "before\n<!-- a -->\nold\n<!-- end of a -->\nafter\n"
    assert with_parts(page, {"a": iter(["new"])}) == "before\n<!-- a -->\n\nnew\n\n<!-- end of a -->\nafter\n"
