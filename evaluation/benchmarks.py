"""The benchmarks: what an id fixes. A change of meaning is a new version, never an edit."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from sim2real_bench import registry
from sim2real_bench.envs import ENVS
from sim2real_bench.errors import ConfigurationError, UnknownNameError
from sim2real_bench.registry import Registry, Spec


@dataclass(frozen=True)
class Benchmark:
    """What all results under one benchmark id share.

    Attributes:
        name: id with its version, for example ``stk-carla-v1``.
        source: simulator the policy learnt in.
        target: simulator it is driven in.
        towns: backend name to the unseen town the episodes take place in; the first backend is the default.
        weathers: names an episode draws from.
        controllers: ids of the controllers that drive.
        traffic: other vehicles.
        tick_s: simulated seconds per tick.
        target_speed_kmh: the speed all controllers hold.
        environment: import path of what makes the target environment; "" = the simulator registered as ``target``.
        completion_m: distances of the completion-rate columns, metres.
        controller_set: name of the set the controllers are from.
        summary: one line for ``sim2real-bench list``.
    """

    name: str
    source: str
    target: str
    towns: Mapping[str, str]
    weathers: tuple[str, ...]
    controllers: tuple[int, ...] = (0, 1, 2, 3, 4)
    traffic: int = 0
    tick_s: float = 0.1
    target_speed_kmh: float = 20.0
    environment: str = ""
    completion_m: tuple[int, ...] = (100, 250, 500, 1000)
    controller_set: str = "pid-v1"
    summary: str = ""

    @property
    def environment_path(self) -> str:
        """Import path of what makes the target environment.

        Raises:
            UnknownNameError: no simulator is registered as ``target``.
            PlugInError: the package that brings it is broken.
        """
        return self.environment or ENVS.get(self.target).target

    def town_for(self, backend: str) -> str:
        """The test town of a backend.

        Raises:
            UnknownNameError: the benchmark has no such backend.
        """
        return self.towns[choose("backend", backend, self.towns)]


STK_CARLA_V1 = Benchmark(
    name="stk-carla-v1",
    source="stk",
    target="carla",
    towns={"embedded": "MiniTown02", "server": "Town02"},
    weathers=("noon", "sunset", "wet", "rain", "fog", "night"),
)

BENCHMARKS = Registry("benchmark", registry.BENCHMARKS)
BENCHMARKS.register(
    Spec(
        name=STK_CARLA_V1.name,
        target="sim2real_bench.evaluation.benchmarks:STK_CARLA_V1",
        summary="SuperTuxKart to CARLA: drive the unseen test town at 20 km/h, no traffic, 5 controllers",
    )
)


def _version(name: str) -> int:
    _, _, number = name.rpartition("-v")
    return int(number) if number.isdigit() else 0


def benchmark_named(name: str) -> Benchmark:
    """The benchmark of an id; a name without version means the newest.

    Raises:
        UnknownNameError: with the nearest known names.
    """
    versions = [known for known in BENCHMARKS.names() if known.rpartition("-v")[0] == name]
    newest = max(versions, key=_version) if versions else name
    loaded = BENCHMARKS.load(newest)
    if not isinstance(loaded, Benchmark):
        raise ConfigurationError(f"benchmark {newest!r}: {BENCHMARKS.get(newest).target} is not a Benchmark")
    if loaded.name != newest:
        raise ConfigurationError(f"benchmark {newest!r} calls itself {loaded.name!r}; both must be the same")
    return loaded


def choose(kind: str, name: str, known: Collection[str]) -> str:
    """The name, if it is known.

    Raises:
        UnknownNameError: with the nearest known names.
    """
    if name in known:
        return name
    near = get_close_matches(name, known, n=2, cutoff=0.4)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise UnknownNameError(f"unknown {kind} {name!r}: {hint}known: {', '.join(known)}")
