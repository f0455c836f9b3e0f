"""What documentation pages show below their commands is what the commands print."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("docs/statistics.md",)
REFRESH = runpy.run_path(str(ROOT / "scripts/refresh_docs.py"))


@pytest.mark.parametrize("page", PAGES)
def test_the_page_shows_what_its_commands_print(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "```console\n$ sim2real-bench" in text
    assert REFRESH["refreshed"](text) == text, f"run: python scripts/refresh_docs.py {page}"


def test_an_outdated_output_is_replaced():
    page = "a\n\n```console\n$ sim2real-bench --version\nold\n```\n\n```python\nprint(6 * 7)\n```\n\n```text\n41\n```\n"
    fresh = REFRESH["refreshed"](page)
    assert "old" not in fresh
    assert "$ sim2real-bench --version\nsim2real-bench " in fresh
    assert "```text\n42\n```" in fresh


def test_nothing_but_our_own_commands_is_run():
    with pytest.raises(SystemExit, match="only sim2real-bench"):
        REFRESH["refreshed"]("```console\n$ rm -r here\n```\n")
