"""The pages on extending build the example package, word for word; their commands are run in what they build."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from docs_blocks import blocks_of, program

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "extending"
EXAMPLE = ROOT / "examples" / "sim2real-bench-example"
Built = tuple[Path, dict[str, str]]


def files_shown() -> dict[str, str]:
    """Every file that the pages show, with its content."""
    shown: dict[str, str] = {}
    for page in sorted(PAGES.glob("*.md")):
        for block in blocks_of(page):
            if block.title:
                assert block.title not in shown, f"{block.title} is shown twice"
                shown[block.title] = block.text
    return shown


def test_the_pages_show_the_example_package_as_it_is() -> None:
    kept = {
        str(path.relative_to(EXAMPLE)): path.read_text(encoding="utf-8")
        for path in EXAMPLE.rglob("*")
        if path.suffix in {".py", ".toml"} and "build" not in path.parts
    }
    shown = files_shown()
    assert set(shown) == set(kept)
    for name, text in kept.items():
        assert shown[name] == text, f"{name} differs between docs/extending and examples"


def test_every_snippet_of_the_project_file_is_in_it() -> None:
    project = (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8")
    for page in PAGES.glob("*.md"):
        for block in blocks_of(page):
            if block.language == "toml":
                assert block.text in project, f"{page.name}:{block.line}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A folder with the files the pages show, installed into a folder of its own; and the environment that sees it."""
    folder = tmp_path_factory.mktemp("extending")
    for name, text in files_shown().items():
        (folder / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "project" / name).write_text(text, encoding="utf-8")
    programs = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(folder / "site"),
        "PIP_TARGET": str(folder / "site"), "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0",
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    return folder / "project", environment


def run_page(page: Path, built: Built) -> None:
    """Run a page's shell blocks in order, then its Python blocks as one program.

    A block of text below a shell block holds lines of what the commands print.
    """
    folder, environment = built

    def run(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
        assert done.returncode == 0, f"{page.name}: {command[-1]}\n{done.stdout}\n{done.stderr}"
        return " ".join((done.stdout + done.stderr).split())

    printed = ""
    for block in blocks_of(page):
        if block.language == "sh" and block.skipped is None:
            printed = run("bash", "-euo", "pipefail", "-c", block.text)
        elif block.language == "text":
            for line in block.text.splitlines():
                assert " ".join(line.split()) in printed, f"{page.name}:{block.line}: {line!r} is not printed"
    script = folder / f"{page.stem}_page.py"
    script.write_text(program(blocks_of(page)))
    run(sys.executable, str(script))


@pytest.fixture(scope="module")
def installed(built: Built) -> Built:
    """The first page was followed: it installs the package and runs its tests."""
    run_page(PAGES / "README.md", built)
    return built


@pytest.mark.parametrize("name", sorted(path.name for path in PAGES.glob("*.md") if path.name != "README.md"))
def test_a_page_can_be_followed(name: str, installed: Built) -> None:
    run_page(PAGES / name, installed)
    assert not re.search(r"\bTODO\b", (PAGES / name).read_text(encoding="utf-8"))
