"""Remote methods of the session: episodes, settings, weather, ticks and batches."""

from collections.abc import Mapping
from typing import Any

from sim2real_bench.envs.carla.embedded import wire
from sim2real_bench.envs.carla.embedded.commands import run_batch
from sim2real_bench.envs.carla.embedded.methods.method import Method, Reply, flag, integer, text
from sim2real_bench.envs.carla.embedded.streams import WORLD_STREAM
from sim2real_bench.envs.carla.embedded.world import World

CARLA_VERSION = "0.9.16"


def _commands(value: object) -> list[Any]:
    return wire.sequence(value, "commands", lambda item: item)


def session_methods(world: World, methods: Mapping[str, Method]) -> dict[str, Method]:
    """Episodes, settings, weather, ticks and batches; ``methods`` is the finished table, for batches."""

    def load(name: str, reset: bool, layers: int) -> None:
        del layers  # towns have no layers to leave out
        world.load(name, reset)

    def set_settings(wanted: wire.EpisodeSettings) -> int:
        world.apply_settings(wanted)
        return world.frame

    def settings() -> list[Any]:
        return world.settings.wire()

    def batch(commands: list[Any], tick: bool) -> list[Any]:
        responses = run_batch(world, methods, commands)
        if tick:
            world.tick()
        return responses

    return {
        "version": Method(lambda: CARLA_VERSION),
        "get_episode_info": Method(lambda: [world.episode, [world.hub.token(WORLD_STREAM)]]),
        "get_episode_settings": Method(settings),
        "set_episode_settings": Method(set_settings, (wire.episode_settings,)),
        "load_new_episode": Method(load, (text("map name"), flag("reset"), integer("layers", 65535)), Reply.VOID),
        "get_weather_parameters": Method(lambda: list(world.weather.values())),
        "set_weather_parameters": Method(world.set_weather, (wire.weather,), Reply.VOID),
        "tick_cue": Method(world.advance, ticks=True),  # the sensors follow once it is answered
        "apply_batch": Method(batch, (_commands, flag("tick")), Reply.BARE, ticks=True),
    }
