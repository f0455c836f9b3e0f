"""What acts: networks, controllers, agents, and how source policies are learnt."""

from sim2real_bench import registry

AGENTS = registry.Registry("agent", registry.AGENTS)
"""Agents that stand alone, without a transfer method; all come from other packages."""

CONTROLLER_SETS = registry.Registry("controller set", registry.CONTROLLERS)
CONTROLLER_SETS.register(
    registry.Spec(
        "pid-v1",
        "sim2real_bench.agents.controllers:PID_V1",
        "the benchmark's five frozen PID controllers (controllers_v1.json)",
    )
)
