"""Environments: one Gymnasium package per simulator, and the words they share."""

from typing import Any

from sim2real_bench import registry
from sim2real_bench.registry import Registry, Spec

ENVS = Registry("simulator", registry.SIMULATORS)
"""The environments; a spec's target is imported when it is first made."""

ENVS.register(
    Spec(
        "stk",
        "sim2real_bench.envs.supertuxkart.environment:SuperTuxKartEnv",
        "SuperTuxKart: race tracks, the source of the driving benchmarks",
        extra="stk",
        detail=(("role", "source"), ("determinism", "B: same seed, same states"), ("licence", "GPL-3.0 engine")),
    )
)
ENVS.register(
    Spec(
        "carla",
        "sim2real_bench.envs.carla.environment:CarlaDriveEnv",
        "CARLA 0.9.16: town streets, embedded or on a real server",
        extra="carla",
        detail=(
            ("role", "target"),
            ("determinism", "embedded B: same seed, same states; server C"),
            ("licence", "MIT"),
        ),
    )
)


def make(name: str, **arguments: Any) -> Any:
    """Make the environment of a name; ``arguments`` go to its constructor.

    Raises:
        UnknownNameError: an unknown name.
        MissingDependencyError: its extra is not installed.
        ConfigurationError: an argument holds a value that cannot be used.
    """
    return ENVS.load(name)(**arguments)


def list_envs() -> list[str]:
    """The names ``make`` accepts."""
    return ENVS.names()
