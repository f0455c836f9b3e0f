"""Fenced blocks of Markdown pages: what they are, where they stand, and whether they are meant to be run."""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(.*)$")
_TITLE = re.compile(r'title="([^"]+)"')
_SKIP = re.compile(r"<!-- not run:(.*)-->")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        language: first word after the fence, "" if none.
        title: file the block is the content of, or "".
        line: of its first line of text, from 1.
        text: its lines.
        skipped: reason why it is not run, or None.
    """

    language: str
    title: str
    line: int
    text: str
    skipped: str | None


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page in their order."""
    return parse(page.read_text(encoding="utf-8"))


def parse(text: str) -> list[Block]:
    """The blocks of a text in their order; a comment ``not run: REASON`` holds for the block below it."""
    blocks: list[Block] = []
    opened: tuple[str, int] | None = None
    reason: str | None = None
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        fence = _FENCE.match(line)
        if opened is not None:
            if fence and not fence[1]:
                words, first = opened
                title = _TITLE.search(words)
                content = "".join(f"{inner}\n" for inner in lines[first - 1 : number - 1])
                language = words.split()[0] if words.split() else ""
                blocks.append(Block(language, title[1] if title else "", first, content, reason))
                opened, reason = None, None
        elif fence:
            opened = (fence[1], number + 1)
        elif skip := _SKIP.search(line):
            reason = skip[1].strip()
        elif line.strip():
            reason = None
    if opened is not None:
        raise ValueError(f"the block that begins at line {opened[1] - 1} is not closed")
    return blocks


def program(blocks: list[Block]) -> str:
    """The Python blocks that are run as one program; every line keeps its number in the page, for tracebacks."""
    lines: list[str] = []
    for block in blocks:
        if block.language == "python" and not block.title and block.skipped is None:
            lines += [""] * (block.line - 1 - len(lines)) + block.text.splitlines()
    return "\n".join(lines) + "\n" if lines else ""
