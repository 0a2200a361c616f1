# SPDX-License-Identifier: Apache-2.0
import math

from mien.core import MetricValue
from mien.evaluation import AuditReport, Verdict, audit_page
from mien.evaluation.audit.crop_jitter import JitterResult
from mien.evaluation.audit.group_gaps import GroupResult
from mien.evaluation.audit.robustness import CorruptionResult

LINE = GroupResult(
    measure="accuracy",
    column="site",
    group="<north>",
    n=40,
    value=0.5,
    low=0.4,
    high=0.6,
    gap=-0.2,
    gap_low=-0.3,
    gap_high=-0.1,
    p=0.001,
    p_holm=0.002,
)
REPORT = AuditReport(
    bundle="toy 1",
    weights="0" * 64,
    data="toy faces",
    n=80,
    results=(LINE,),
    verdicts=(
        Verdict(
            measure="accuracy",
            column="site",
            limit=0.05,
            gap=-0.2,
            group="<north>",
            low=-0.3,
            high=-0.1,
            p_holm=0.002,
            verdict="above",
            meaning="share of right faces",
        ),
    ),
    pairs=(MetricValue(name="change of valence, age", n=9, value=0.1, low=0.0, high=0.2),),
    corruptions=tuple(CorruptionResult(corruption="blur", severity=k, n=9, error=k / 10) for k in range(6)),
    notes=("A note.",),
    jitters=tuple(
        JitterResult(
            jitter="shifted by 5 %",
            level=level,
            changes=(MetricValue(name="another top expression", n=9, value=value, low=0.0, high=0.5),),
        )
        for level, value in (("image", 0.111), ("crop", 0.222))
    ),
)


def test_the_page_shows_everything_and_escapes_names() -> None:
    page = audit_page(REPORT)
    assert "&lt;north&gt;" in page
    assert "<north>" not in page
    for text in (
        "above the limit",
        "A note.",
        "change of valence, age",
        "blur: 0.50",
        "0.300",
        "1 rows",
        "shifted by 5 %",
    ):
        assert text in page, text


def test_changes_of_the_crop_come_before_those_of_the_image() -> None:
    page = audit_page(REPORT)
    assert page.index("0.222 <small>(0.000 to 0.500)") < page.index("0.111 <small>(0.000 to 0.500)")
    assert "9 faces" in page


def test_measures_without_a_value_do_not_break_the_page() -> None:
    from dataclasses import replace

    empty = replace(LINE, value=math.nan, low=math.nan, high=math.nan)
    assert "not measured" in audit_page(replace(REPORT, results=(empty,), pairs=(), corruptions=()))
