"""Joins the client's interface, the table of calls and the server's methods into the rows of the documentation."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from sim2real_bench.envs.carla.embedded.calls.table import CALLS, Call
from sim2real_bench.envs.carla.embedded.methods import Method, build_methods
from sim2real_bench.envs.carla.embedded.methods.unsupported import Unsupported
from sim2real_bench.envs.carla.embedded.scenery import SceneryLibrary
from sim2real_bench.envs.carla.embedded.sensors import catalogue
from sim2real_bench.envs.carla.embedded.streams import StreamHub
from sim2real_bench.envs.carla.embedded.town import Town
from sim2real_bench.envs.carla.embedded.world import World
from sim2real_bench.errors import MissingDependencyError

CLASSES = (
    "Client", "World", "WorldSettings", "WorldSnapshot", "Actor", "Vehicle", "Walker", "WalkerAIController",
    "TrafficSign", "TrafficLight", "Sensor", "ServerSideSensor", "LaneInvasionSensor", "BlueprintLibrary",
    "ActorBlueprint", "Map", "Waypoint", "Landmark", "Junction", "DebugHelper", "LightManager", "Light",
    "TrafficManager",
)  # fmt: skip
"""Classes of the table, each after the ones whose members it inherits."""


_HEAD = """\
# What of CARLA's client works on the embedded server

Written by `python -m sim2real_bench.envs.carla.embedded.calls` from the genuine `carla` 0.9.16 library and the methods
of the server; a test compares the two. Do not edit it.

{total} members: {yes} work as on a full server as far as is known, {approximated} work with a difference named here,
{client} are worked out by the client alone (from the last world state, the map's text or their own values), {refused}
are refused with an error that names them. Inherited members are listed with the base class.

*Silent*: the client does not wait for the answer of this call, so a program does not see the refusal; the server's log
names the call once."""


class State(Enum):
    """How a call fares."""

    YES = "yes"
    APPROXIMATED = "approximated"
    CLIENT = "client only"
    REFUSED = "refused"


@dataclass(frozen=True)
class Row:
    """A line of the table: class, member, remote methods, state and remark."""

    owner: str
    member: str
    remote: tuple[str, ...]
    state: State
    remark: str


def server_methods() -> dict[str, Method]:
    """The methods of a server without pictures."""

    def refuse(town: Town) -> None:
        raise MissingDependencyError(f"no renderer for {town.name}: nothing is drawn here")

    library = SceneryLibrary(make_renderer=refuse)  # type: ignore[arg-type]
    return build_methods(World(library, StreamHub(), library.names[0]))


def rows(methods: Mapping[str, Method]) -> Iterator[Row]:
    """Every public member of the client's classes, in the order of ``CLASSES``."""
    import carla

    seen: set[tuple[type, str]] = set()
    for owner in CLASSES:
        kind = getattr(carla, owner)
        bases = [base for base in inspect.getmro(kind)[1:] if base.__module__.startswith("carla")]
        own = {name for name in vars(kind) if not name.startswith("_")}
        for member in sorted(own | set(CALLS.get(owner, {}))):
            seen.add((kind, member))
            inherited = any((base, member) in seen and member not in CALLS.get(owner, {}) for base in bases)
            if not inherited:
                yield _row(owner, member, methods)
    for member in sorted(name for name in dir(carla.command) if name[0].isupper()):
        if member not in ("FutureActor", "Response"):
            yield _row("command", member, methods)


def _row(owner: str, member: str, methods: Mapping[str, Method]) -> Row:
    call = CALLS.get(owner, {}).get(member, Call(()))
    refused = [method for name in call.remote if isinstance(method := methods[name], Unsupported)]
    if refused:
        remark = f"{refused[0].reason}; {call.note}" if call.note else refused[0].reason
        return Row(owner, member, call.remote, State.REFUSED, remark)
    if not call.remote:
        return Row(owner, member, (), State.CLIENT, call.note)
    return Row(owner, member, call.remote, State.APPROXIMATED if call.note else State.YES, call.note)


def document() -> str:
    """The text of ``docs/carla-calls.md``."""
    table = list(rows(server_methods()))
    counts = {state: sum(row.state is state for row in table) for state in State}
    numbers = {
        "total": len(table), "yes": counts[State.YES], "approximated": counts[State.APPROXIMATED],
        "client": counts[State.CLIENT], "refused": counts[State.REFUSED],
    }  # fmt: skip
    lines = [_HEAD.format(**numbers)]
    for owner in dict.fromkeys(row.owner for row in table):
        lines += ["", f"## `carla.{owner}`", "", "| member | state | remote methods | remark |", "|---|---|---|---|"]
        lines += [_line(row) for row in table if row.owner == owner]
    return "\n".join([*lines, *_sensors()]) + "\n"


def _line(row: Row) -> str:
    remote = ", ".join(f"`{name}`" for name in row.remote)
    return f"| `{row.member}` | {row.state.value} | {remote} | {row.remark} |"


def _sensors() -> list[str]:
    lines = ["", "## Sensors", "", "| blueprint | state | remark |", "|---|---|---|"]
    remarks = catalogue.REMARKS
    lines += [f"| `{name}` | yes | {remarks.get(name, '')} |" for name in sorted(catalogue.SENSOR_BLUEPRINTS)]
    lines += [f"| `{name}` | refused | {why} |" for name, why in sorted(catalogue.UNSUPPORTED_SENSORS.items())]
    lines += ["", "Attributes that are checked and kept but change nothing:", "", "| attribute | reason |", "|---|---|"]
    return lines + [f"| `{name}` | {why} |" for name, why in sorted(catalogue.ACCEPTED_WITHOUT_EFFECT.items())]
