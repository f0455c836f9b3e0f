"""Package list: the folders at the top of the repository, installed below the ``sim2real_bench`` namespace."""

from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
PARTS = ("envs", "agents", "distill", "evaluation")
NAMESPACE = "sim2real_bench"


def packages_below(folder: str) -> list[str]:
    """Dotted names of ``folder`` and of every package in it."""
    return sorted(".".join(init.parent.relative_to(ROOT).parts) for init in (ROOT / folder).rglob("__init__.py"))


setup(
    packages=packages_below(NAMESPACE) + [f"{NAMESPACE}.{name}" for part in PARTS for name in packages_below(part)],
    package_dir={NAMESPACE: NAMESPACE} | {f"{NAMESPACE}.{part}": part for part in PARTS},
    package_data={
        "": ["py.typed", "*.glsl", "*.vert", "*.frag", "*.xodr", "*.json", "*.safetensors", "*.html", "*.css", "*.js"],
        f"{NAMESPACE}.evaluation.leaderboard": ["results/*/*.json*", "results/*/cards/*.json"],
    },
    include_package_data=False,
)
