"""The source agent in SuperTuxKart: proximal policy optimisation (PPO) on the map view."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim2real_bench.agents.ppo.policy import PpoAgent, load_ppo_agent

__all__ = ["PpoAgent", "load_ppo_agent"]


def __getattr__(name: str) -> Any:
    # On first use: the settings beside it are shown by a command line that must not wait for torch.
    if name in __all__:
        return getattr(import_module("sim2real_bench.agents.ppo.policy"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
