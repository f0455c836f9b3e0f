"""The remote methods by name, one module per subject."""

from sim2real_bench.envs.carla.embedded.methods.actors import actor_methods
from sim2real_bench.envs.carla.embedded.methods.debug import debug_methods
from sim2real_bench.envs.carla.embedded.methods.lights import light_methods
from sim2real_bench.envs.carla.embedded.methods.maps import map_methods
from sim2real_bench.envs.carla.embedded.methods.method import Method, Reply
from sim2real_bench.envs.carla.embedded.methods.session import session_methods
from sim2real_bench.envs.carla.embedded.methods.traffic_lights import traffic_light_methods
from sim2real_bench.envs.carla.embedded.methods.traffic_manager import traffic_manager_methods
from sim2real_bench.envs.carla.embedded.methods.unsupported import unsupported_methods
from sim2real_bench.envs.carla.embedded.methods.vehicles import vehicle_methods
from sim2real_bench.envs.carla.embedded.methods.walkers import walker_methods
from sim2real_bench.envs.carla.embedded.world import World

__all__ = ["Method", "Reply", "build_methods"]


def build_methods(world: World) -> dict[str, Method]:
    """Every remote method of the server, by name."""
    methods: dict[str, Method] = {}
    methods |= unsupported_methods()
    methods |= session_methods(world, methods)
    methods |= map_methods(world)
    methods |= actor_methods(world)
    methods |= light_methods(world)
    methods |= debug_methods(world)
    methods |= vehicle_methods(world)
    methods |= walker_methods(world)
    methods |= traffic_light_methods(world)
    methods |= traffic_manager_methods(world)
    return methods
