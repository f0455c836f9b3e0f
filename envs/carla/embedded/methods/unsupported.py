"""Remote methods of the 0.9.16 client that have no counterpart here; they are answered with an error."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sim2real_bench.envs.carla.embedded.methods.method import Method, Reply
from sim2real_bench.envs.carla.embedded.world import RefusedError

# The wrapping of the error follows the wanted result: a value, or nothing.
UNSUPPORTED_VALUES = (
    "apply_color_texture_to_objects", "get_actor_bone_names", "get_actor_bone_relative_transforms",
    "get_actor_bone_world_transforms", "get_actor_component_names", "get_actor_component_relative_transform",
    "get_actor_component_world_transform", "get_actor_socket_names", "get_actor_socket_relative_transforms",
    "get_actor_socket_world_transforms", "get_bones_transform", "get_gbuffer_token",
    "get_telemetry_data", "get_wheel_pitch_angle", "get_cached_files", "replay_file",
    "request_file", "show_recorder_actors_blocked", "show_recorder_collisions", "show_recorder_file_info",
    "start_recorder",
)  # fmt: skip
UNSUPPORTED_VOIDS = (
    "apply_control_to_walker", "close_vehicle_door", "console_command", "copy_opendrive_to_file", "draw_debug_shape",
    "enable_carsim", "enable_chrono_physics", "enable_environment_objects", "enable_sensor_for_ros",
    "disable_sensor_for_ros", "load_map_layer", "open_vehicle_door",
    "restore_physx_physics", "set_actor_dead", "set_bones_transform",
    "set_pedestrians_cross_factor", "set_pedestrians_seed", "set_replayer_ignore_hero",
    "set_replayer_ignore_spectator", "set_replayer_time_factor",
    "set_wheel_pitch_angle",
    "set_wheel_steer_direction", "show_vehicle_debug_telemetry", "stop_recorder", "stop_replayer", "unload_map_layer",
    "update_day_night_cycle", "update_lights_state", "use_carsim_road",
)  # fmt: skip


@dataclass(frozen=True)
class _Unsupported(Method):
    """A method that answers with an error that names it, whatever its arguments."""

    def invoke(self, arguments: list[Any]) -> Any:
        """Refuse."""
        return self.call()


def unsupported_methods() -> dict[str, Method]:
    """What is refused."""

    def refusal(name: str) -> Callable[[], None]:
        def refuse() -> None:
            raise RefusedError(f"{name} is not supported by the embedded server; use a full CARLA server for it")

        return refuse

    values: dict[str, Method] = {name: _Unsupported(refusal(name)) for name in UNSUPPORTED_VALUES}
    return values | {name: _Unsupported(refusal(name), reply=Reply.VOID) for name in UNSUPPORTED_VOIDS}
