"""Installed packages made of a few files: what ``pip install --target`` leaves behind, without running pip."""

from pathlib import Path


def write_package(site: Path, name: str, entry_points: str, module: str = "", version: str = "1.0") -> None:
    """Write a distribution with one module of the same name (dashes as underscores) into a folder of packages.

    Args:
        site: the folder.
        name: of the distribution.
        entry_points: text of its ``entry_points.txt``.
        module: source of its module.
        version: of the distribution.
    """
    information = site / f"{name.replace('-', '_')}-{version}.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (information / "entry_points.txt").write_text(entry_points)
    (site / f"{name.replace('-', '_')}.py").write_text(module)
