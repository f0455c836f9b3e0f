"""What of the CARLA client's interface works on the embedded server: the table behind ``docs/carla-calls.md``."""

from sim2real_bench.envs.carla.embedded.calls.report import Row, State, rows
from sim2real_bench.envs.carla.embedded.calls.table import CALLS, Call
from sim2real_bench.envs.carla.embedded.calls.wheel import CLIENT_METHODS

__all__ = ["CALLS", "CLIENT_METHODS", "Call", "Row", "State", "rows"]
