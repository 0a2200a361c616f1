# SPDX-License-Identifier: Apache-2.0
import pytest

from mien.core import EXPRESSION_ORDERS, EXPRESSIONS, ConfigError, columns_by_name

# Index maps as the published sources print them.
HSE_OF_AFFWILD2 = [5, 0, 2, 3, 4, 6, 7]
LSD_OF_HSE = [0, 2, 3, 4, 6, 7]


def test_orders_agree_with_the_published_index_maps() -> None:
    hse = EXPRESSION_ORDERS["hse_8"]
    assert columns_by_name(hse, EXPRESSION_ORDERS["affwild2_7"]).tolist() == HSE_OF_AFFWILD2
    assert columns_by_name(hse, EXPRESSION_ORDERS["lsd_6"]).tolist() == LSD_OF_HSE


@pytest.mark.parametrize("name", sorted(EXPRESSION_ORDERS))
def test_orders_have_distinct_canonical_names(name: str) -> None:
    order = EXPRESSION_ORDERS[name]
    assert len(set(order)) == len(order)
    assert set(order) <= {*EXPRESSIONS, "other"}


def test_a_class_is_never_invented() -> None:
    with pytest.raises(ConfigError, match="other"):
        columns_by_name(EXPRESSIONS, EXPRESSION_ORDERS["affwild2_8"])
