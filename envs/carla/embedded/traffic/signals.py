"""Traffic lights with phases: the groups of a junction take turns, green, yellow, then red for all.

Durations are CARLA's: ten seconds green, three yellow, two all red; they belong to a group of lights, not to one lamp.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sim2real_bench.envs.carla.embedded.traffic_signals import LightState

_ORDER = (LightState.GREEN, LightState.YELLOW, LightState.RED)
NO_JUNCTION = -1


class SignalFacts(Protocol):
    """Where a light belongs."""

    @property
    def junction_id(self) -> int:
        """The junction it serves, -1 for none."""
        ...

    @property
    def group(self) -> int:
        """Lights of a junction with the same group are green together."""
        ...


class Light(Protocol):
    """A traffic light of the world; times in seconds."""

    state: LightState
    elapsed: float
    green_time: float
    yellow_time: float
    red_time: float
    frozen: bool

    @property
    def signal(self) -> SignalFacts:
        """Its place in the town."""
        ...


@dataclass(eq=False)
class _Cycle:
    """The lights of one junction and whose turn it is.

    Attributes:
        groups: lights that are green together, in the order of their turns.
        turn: index of the group that is not red, or red last.
        step: index into ``_ORDER``.
        elapsed: seconds in this step.
    """

    groups: list[list[Light]]
    turn: int = 0
    step: int = 0
    elapsed: float = 0.0

    @property
    def lights(self) -> list[Light]:
        return [light for group in self.groups for light in group]

    def restart(self) -> None:
        self.turn = self.step = 0
        self.elapsed = 0.0
        for light in self.lights:
            light.state = LightState.RED
        self._show()

    def advance(self, delta: float) -> None:
        if self.groups[0][0].frozen:
            return
        self.elapsed += delta
        for _ in range(len(_ORDER) * len(self.groups)):  # times of zero must not make this endless
            if self.elapsed < self._duration():
                break
            self.elapsed -= self._duration()
            self.step += 1
            if self.step == len(_ORDER):
                self.step, self.turn = 0, (self.turn + 1) % len(self.groups)
            self._show()
        for light in self.lights:
            light.elapsed = self.elapsed

    def _duration(self) -> float:
        light = self.groups[self.turn][0]
        return (light.green_time, light.yellow_time, light.red_time)[self.step]

    def _show(self) -> None:
        for light in self.groups[self.turn]:
            light.state = _ORDER[self.step]
        for light in self.lights:
            light.elapsed = self.elapsed


class TrafficLights:
    """All lights of a town.

    Args:
        lights: in the town's order; signs must not be among them.
    """

    def __init__(self, lights: Iterable[Light]) -> None:
        grouped: defaultdict[tuple[int, int], defaultdict[int, list[Light]]] = defaultdict(lambda: defaultdict(list))
        for light in lights:
            junction, group = light.signal.junction_id, light.signal.group
            # Without a junction there is nobody to take turns with, unless the group number says so.
            grouped[junction, group if junction == NO_JUNCTION else 0][group].append(light)
        self._cycles = [_Cycle([groups[number] for number in sorted(groups)]) for _, groups in sorted(grouped.items())]
        self._cycle_of = {id(light): cycle for cycle in self._cycles for light in cycle.lights}
        self.reset_all()

    def advance(self, delta: float) -> None:
        """Let ``delta`` seconds pass."""
        for cycle in self._cycles:
            cycle.advance(delta)

    def group(self, light: Light) -> Sequence[Light]:
        """The lights that take turns with one, itself included."""
        return self._cycle_of[id(light)].lights

    def set_state(self, light: Light, state: LightState) -> None:
        """Show a state until the light's turn changes it (freeze it to keep it)."""
        light.state = state

    def set_times(
        self, light: Light, green: float | None = None, yellow: float | None = None, red: float | None = None
    ) -> None:
        """Change durations (seconds) of a light and of those that are green with it; None keeps one."""
        for group in self._cycle_of[id(light)].groups:
            if light in group:
                for other in group:
                    other.green_time = other.green_time if green is None else green
                    other.yellow_time = other.yellow_time if yellow is None else yellow
                    other.red_time = other.red_time if red is None else red

    def freeze(self, light: Light, frozen: bool) -> None:
        """Stop or go on with the turns of a light's whole junction."""
        for other in self.group(light):
            other.frozen = frozen

    def freeze_all(self, frozen: bool) -> None:
        """Stop or go on with the turns of every junction."""
        for cycle in self._cycles:
            for light in cycle.lights:
                light.frozen = frozen

    def reset_group(self, light: Light) -> None:
        """Begin a light's junction anew: green for its first group."""
        self._cycle_of[id(light)].restart()

    def reset_all(self) -> None:
        """Begin every junction anew."""
        for cycle in self._cycles:
            cycle.restart()
