# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import fields
from typing import Any

import click
import pytest
from click.testing import CliRunner

from mien.cli.field_options import field_options
from mien.core import AnalyzerConfig, FeatureOptions, JobOptions, Outputs, VideoOptions, option_info

KINDS = (AnalyzerConfig, VideoOptions, Outputs, JobOptions, FeatureOptions)


def command(*kinds: type, **settings: Any) -> click.Command:
    @click.command()
    @field_options(*kinds, **settings)
    def run(**options: Any) -> None:
        click.echo(repr(options))

    return run


def values(run: click.Command, *arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(run, arguments)
    assert done.exit_code == 0, done.output
    given: dict[str, Any] = eval(done.output)
    return given


@pytest.mark.parametrize("kind", KINDS)
def test_without_arguments_every_field_has_its_default(kind: type) -> None:
    assert kind(**values(command(kind))) == kind()


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_its_flag_help_and_metavar(kind: type) -> None:
    params = {param.name: param for param in command(kind).params}
    assert list(params) == [one.name for one in fields(kind)], "not in the order of the fields"
    for one in fields(kind):
        param, info = params[one.name], option_info(one)
        assert isinstance(param, click.Option)
        assert info.flag == "/".join((*param.opts, *param.secondary_opts))
        assert param.help == info.help
        assert (param.metavar or "") == info.metavar


def test_values_have_the_types_of_their_fields() -> None:
    given = values(
        command(*KINDS),
        *("--from", "1.5", "--every", "2", "--threads", "3", "--landmarks", "--no-frames", "--out", "results/"),
    )
    assert (given["start_s"], given["every"], given["threads"]) == (1.5, 2, 3)
    assert (given["landmarks"], given["report_frames"]) == (True, False)
    assert given["table"] == "results/", "a slash at the end means a folder"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--every", "0"], "0 is not in the range 1<=x<=1000000"),
        (["--threads", "x"], "'x' is not a valid integer"),
        (["--min-quality", "2"], "2.0 is not in the range 0<=x<=1"),
        (["--from", "soon"], "'soon' is not a valid time"),
    ],
)
def test_wrong_values_are_refused_at_once(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(command(*KINDS), arguments)
    assert done.exit_code == 2
    assert message in done.output


def test_a_choice_of_fields() -> None:
    assert set(values(command(AnalyzerConfig, only=("model", "threads")))) == {"model", "threads"}
    assert "threads" not in values(command(AnalyzerConfig, without=("threads",)))


def test_a_required_field_has_no_default() -> None:
    done = CliRunner().invoke(command(Outputs, required=("table",)), [])
    assert done.exit_code == 2
    assert "Missing option '--out'" in done.output


def test_another_help_text_for_one_command() -> None:
    shown = CliRunner().invoke(command(VideoOptions, help_texts={"stop_s": "End of the show."}), ["--help"]).output
    assert "End of the show." in shown
    assert "[default: 1; 1<=x<=1000000]" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("text", "seconds"), [("62.5", 62.5), ("1:02.5", 62.5), ("01:02:03", 3723.0), ("90:00", 5400.0), ("0:07", 7.0)]
)
def test_times_may_have_minutes_and_hours(text: str, seconds: float) -> None:
    assert values(command(VideoOptions), "--from", text)["start_s"] == seconds


@pytest.mark.parametrize("text", ["1:60", "1:2:3:4", ":30", "1:", "1:-2", "a:b", "1:75:00", "1:\u0662"])
def test_what_is_no_time_is_refused(text: str) -> None:
    done = CliRunner().invoke(command(VideoOptions), ["--from", text])
    assert done.exit_code == 2
    assert "is no time; write seconds, 1:02.5 or 1:02:03" in done.output


@pytest.mark.parametrize("name", ["analyze", "live", "features"])
def test_the_help_lists_options_in_groups(mien, name: str) -> None:
    lines = mien(name, "--help").out.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith((" ", "Usage"))]
    wanted = ["Output:", "Videos:", "Models:", "Workers:", "Other:"]
    assert headings == [heading for heading in wanted if heading != "Workers:" or name == "analyze"]
    under = {}
    for line in lines:
        if line in wanted:
            heading = line
        elif line.startswith("  -"):
            under[line.split()[0].rstrip(",")] = heading
    assert under["--model"] == "Models:"
    assert under["--every" if name != "live" else "--to"] == "Videos:"
    assert under.get("-h", under.get("--help")) == "Other:"  # click keeps the name of the first use in a process
