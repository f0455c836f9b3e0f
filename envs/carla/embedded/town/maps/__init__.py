"""The shipped OpenDRIVE texts, written by ``write_maps``."""

from pathlib import Path

MAPS = Path(__file__).parent
"""Holds one ``NAME.xodr`` per town."""
