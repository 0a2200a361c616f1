# SPDX-License-Identifier: Apache-2.0
"""What a page of documentation promises: code, commands and links."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(mien [^`\n]+)`")
_LINK = re.compile(r"\]\((?!\w+:)(?P<target>[^)#\s]+)[^)]*\)")
_SHELLS = {"bash", "console", "sh", "shell"}


@dataclass(frozen=True)
class Page:
    """A Markdown file."""

    path: Path

    @property
    def text(self) -> str:
        """Its whole content."""
        return self.path.read_text("utf-8")

    def python_blocks(self) -> Iterator[tuple[int, str]]:
        """Line in the file and code of every Python block, in order."""
        text = self.text
        for match in _FENCE.finditer(text):
            if match["language"] == "python":
                yield text[: match.start("text")].count("\n"), match["text"]

    def shell_lines(self) -> Iterator[str]:
        """Lines of shell blocks, without prompts, continued lines joined."""
        for match in _FENCE.finditer(self.text):
            if match["language"] in _SHELLS:
                for line in match["text"].replace("\\\n", " ").splitlines():
                    yield line.removeprefix("$ ")

    def mien_commands(self) -> Iterator[list[str]]:
        """Arguments of every call of ``mien`` in a shell block."""
        for line in self.shell_lines():
            for command in re.split(r"&&|\|\||[|;]", line):
                words = shlex.split(command, comments=True)
                if words and words[0].rpartition("/")[2] == "mien":
                    yield words[1:]

    def mien_mentions(self) -> Iterator[list[str]]:
        """Arguments of every `mien ...` in running text; they may leave out what a whole call needs."""
        for match in _INLINE.finditer(_FENCE.sub("", self.text)):
            yield shlex.split(match[1])[1:]

    def links(self) -> Iterator[str]:
        """Targets of links to other files of the repository."""
        for match in _LINK.finditer(_FENCE.sub("", self.text)):
            yield match["target"]
