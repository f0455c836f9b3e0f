"""Runs ``doctor`` in surroundings made for a test."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def program(path: Path, text: str) -> None:
    """An executable script."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def distribution(folder: Path, name: str, version: str, **files: str) -> None:
    """What ``importlib.metadata`` takes for an installed package."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    for file, text in files.items():
        (info / f"{file}.txt").write_text(text)


def doctor_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sim2real_bench", "doctor", "--json", *arguments]


def doctor(*arguments: str, cwd: Path | None = None, **environment: object) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit status and the checks by name."""
    variables = os.environ | {name: str(value) for name, value in environment.items()}
    done = subprocess.run(
        doctor_command(*arguments), capture_output=True, text=True, check=False, env=variables, cwd=cwd
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, {row["name"]: row for row in json.loads(done.stdout)["checks"]}


def modules(folder: Path, **texts: str) -> Path:
    """A folder for ``PYTHONPATH`` whose modules hide the installed ones."""
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    return folder
