"""Run the commands that documentation pages show and write what they print below them.

``python scripts/refresh_docs.py docs/statistics.md`` rewrites the page; with ``--check`` it only says whether the page
is still true (exit status 1: it is not). In a block ````` ```console ````` every line that begins with ``$ `` is a
command; a block ````` ```python ````` is run where a block ````` ```text ````` follows it.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.S | re.M)
_PYTHON = re.compile(r"^```python\n(?P<code>.*?)^```\n\n```text\n.*?^```$", re.S | re.M)
_PROMPT = "$ "
_WIDTH = "118"  # characters; what is printed fits a page


def refreshed(page: str) -> str:
    """The page with what its commands print now."""
    page = _CONSOLE.sub(lambda block: f"```console\n{_console(block[1])}```", page)
    return _PYTHON.sub(lambda block: f"```python\n{block['code']}```\n\n```text\n{_python(block['code'])}```", page)


def _console(block: str) -> str:
    commands = [line for line in block.splitlines() if line.startswith(_PROMPT)]
    return "\n".join(f"{line}\n{_shell(line.removeprefix(_PROMPT))}" for line in commands)


def _shell(command: str) -> str:
    program, *arguments = shlex.split(command)
    if program != "sim2real-bench":
        raise SystemExit(f"{command!r}: only sim2real-bench is run")
    return _output([sys.executable, "-m", "sim2real_bench", *arguments])


def _python(code: str) -> str:
    return _output([sys.executable, "-c", code])


def _output(command: list[str]) -> str:
    """What a command prints; its exit status is part of the page where it is not 0."""
    environment = {**os.environ, "COLUMNS": _WIDTH, "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    if "Traceback" in done.stderr:
        raise SystemExit(f"{shlex.join(command)} failed:\n{done.stderr}")
    lines = [line.rstrip() for line in (done.stdout + done.stderr).splitlines()]
    text = "".join(f"{line}\n" for line in lines if line)
    return text + (f"(exit status {done.returncode})\n" if done.returncode else "")


def main() -> None:
    """Refresh or check the pages named on the command line."""
    parser = argparse.ArgumentParser(description="Write below the commands of documentation pages what they print.")
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--check", action="store_true", help="change nothing; exit status 1 if a page is out of date")
    asked = parser.parse_args()
    old = []
    for path in asked.pages:
        page = path.read_text(encoding="utf-8")
        fresh = refreshed(page)
        if fresh != page:
            old.append(str(path))
            if not asked.check:
                path.write_text(fresh, encoding="utf-8")
    if old and asked.check:
        sys.exit(f"out of date: {', '.join(old)}; run: python scripts/refresh_docs.py {' '.join(old)}")


if __name__ == "__main__":
    main()
