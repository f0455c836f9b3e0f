"""Remote methods of debug drawing."""

from sim2real_bench.envs.carla.embedded.debug_shapes import read_shape
from sim2real_bench.envs.carla.embedded.methods.method import Method, Reply
from sim2real_bench.envs.carla.embedded.world import World


def debug_methods(world: World) -> dict[str, Method]:
    """Drawing shapes and wiping them off."""

    def draw(value: object) -> None:
        world.debug_shapes.add(read_shape(value, world.elapsed), world.elapsed)

    void = Reply.VOID
    return {
        "draw_debug_shape": Method(draw, (lambda value: value,), void),
        "clear_debug_shape": Method(lambda: world.debug_shapes.clear(texts=False), (), void),
        "clear_debug_string": Method(lambda: world.debug_shapes.clear(texts=True), (), void),
    }
