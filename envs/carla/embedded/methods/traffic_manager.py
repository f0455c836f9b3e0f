"""Remote methods that register traffic managers; these run in clients and drive the server's vehicles from there."""

from typing import Any

from sim2real_bench.envs.carla.embedded import wire
from sim2real_bench.envs.carla.embedded.methods.method import Method, Reply, flag, integer
from sim2real_bench.envs.carla.embedded.refusal import RefusedError
from sim2real_bench.envs.carla.embedded.vehicles import VehicleControl
from sim2real_bench.envs.carla.embedded.world import World

_MAX_HOST = 253


def _address(value: object) -> tuple[str, int]:
    host, port = wire.array(value, "traffic manager address", 2)
    return wire.text(host, "host", _MAX_HOST), wire.integer(port, "port", 0, 65535)


def traffic_manager_methods(world: World) -> dict[str, Method]:
    """The register of traffic managers, and the server's own autopilot.

    Traffic managers run in clients, the server only tells clients of each other. ``set_actor_autopilot`` lets the
    server itself drive a vehicle; the first control from a client, a program's or its traffic manager's, ends that.
    """
    running: dict[int, str] = {}
    port = integer("port", 65535)

    def add(address: tuple[str, int]) -> bool:
        return running.setdefault(address[1], address[0]) == address[0]

    def remove(number: int) -> bool:
        return running.pop(number, None) is not None

    def set_autopilot(actor: int, on: bool) -> None:
        vehicle = world.find_vehicle(actor)
        if vehicle.autopilot and not on:
            vehicle.control = VehicleControl()
        vehicle.autopilot = on

    def find(number: int) -> list[Any]:
        if number not in running:
            raise RefusedError(f"no traffic manager is registered for port {number}")
        return [running[number], number]

    return {
        "is_traffic_manager_running": Method(lambda number: number in running, (port,)),
        "get_traffic_manager_running": Method(find, (port,)),
        "add_traffic_manager_running": Method(add, (_address,)),
        "destroy_traffic_manager": Method(remove, (port,)),
        "set_actor_autopilot": Method(set_autopilot, (wire.actor_id, flag("enabled")), Reply.VOID),
    }
