"""The code on the page about the supervisor runs as it stands there."""

import re
from pathlib import Path

import pytest
from traces import Traces

PAGE = Path(__file__).parents[2] / "docs" / "supervisor.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.simulator
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_code_of_the_page_runs(number, tmp_path, monkeypatch, carla_embedded):
    traces = Traces(tmp_path, monkeypatch)
    exec(compile(BLOCKS[number], f"{PAGE.name}, block {number + 1}", "exec"), {})
    assert traces.left() == []


def test_the_page_shows_the_library_in_ten_lines_of_code():
    lines = [line for line in BLOCKS[0].splitlines() if line and not line.startswith("from")]
    assert len(BLOCKS) == 3 and len(lines) <= 10
