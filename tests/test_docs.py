"""The pages are true: Python blocks run, links lead somewhere, and every skipped block says why."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from docs_blocks import Block, blocks_of, parse, program

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXTENDING = ROOT / "docs" / "extending"  # needs the example package; see test_docs_extending.py
LANGUAGES = {"python", "sh", "console", "text", "toml", "json", "yaml", "html", "csv", "dockerfile"}
STARTS_SIMULATORS = re.compile(r"\bcarla\b|Supervisor|evaluate\(")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _runnable() -> list[object]:
    """Pages with Python blocks; those that start simulators are marked."""
    found: list[object] = []
    for page in PAGES:
        code = program(blocks_of(page))
        if code and not page.is_relative_to(EXTENDING):
            marks = [pytest.mark.simulator] if STARTS_SIMULATORS.search(code) else []
            found.append(pytest.param(page, id=_name(page), marks=marks))
    return found


@pytest.mark.parametrize("page", _runnable())
def test_the_python_blocks_of_a_page_run(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    code = program(blocks_of(page))
    if STARTS_SIMULATORS.search(code):
        request.getfixturevalue("carla_embedded")
    script = tmp_path / f"page_{page.stem}.py"  # not the name of a module
    script.write_text(code)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    assert result.returncode == 0, f"{_name(page)} (lines as in the page):\n{result.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_block_says_its_language_and_every_skipped_one_why(page: Path) -> None:
    for block in blocks_of(page):
        place = f"{_name(page)}:{block.line}"
        assert block.language in LANGUAGES, f"{place}: language {block.language!r}; known: {sorted(LANGUAGES)}"
        assert block.skipped is None or len(block.skipped.split()) >= 3, f"{place}: say why the block is not run"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_to_files(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose)
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


def test_blocks_are_found_with_their_lines_titles_and_reasons() -> None:
    text = (
        'a\n\n```python title="x.py"\nb = 1\n```\n\n<!-- not run: it needs a GPU -->\n\n```sh\nc\n```\n```text\n```\n'
    )
    assert parse(text) == [
        Block("python", "x.py", 4, "b = 1\n", None),
        Block("sh", "", 10, "c\n", "it needs a GPU"),
        Block("text", "", 13, "", None),
    ]
    with pytest.raises(ValueError, match="line 1 is not closed"):
        parse("```python\na\n")


def test_a_program_keeps_the_lines_of_its_page() -> None:
    text = '# t\n\n```python\na = 1\n```\n\n```python title="x.py"\nno\n```\n<!-- not run: no -->\n```python\nno\n```\n'
    text += "\n```python\nassert a == 2\n```\n"
    code = program(parse(text))
    assert "no" not in code
    with pytest.raises(AssertionError) as error:
        exec(compile(code, "page", "exec"), {})
    assert error.tb.tb_next is not None and error.tb.tb_next.tb_lineno == text.splitlines().index("assert a == 2") + 1
