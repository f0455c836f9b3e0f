"""Remote methods of the 0.9.16 client that have no counterpart here; they are answered with an error."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sim2real_bench.envs.carla.embedded.methods.method import Method, Reply
from sim2real_bench.envs.carla.embedded.refusal import RefusedError

_NO_BONES = "its bodies have no skeletons"
_NO_PARTS = "its bodies have no named parts"
_NO_RECORDER = "it has no recorder"
_NO_TEXTURES = "its textures belong to the renderer"
_NO_DOORS = "its doors do not open"
_NO_WHEELS = "its wheels are not posed one by one"
_NO_OTHER_PHYSICS = "it has one vehicle model"
_NO_LAYERS = "its towns are one piece"
_NO_GBUFFERS = "its renderer has no such buffers"
_NO_ROS = "it has no ROS interface"
_NO_CONSOLE = "it has no console"
_NO_V2X = "it has no radio"

# The wrapping of the error follows the wanted result: a value, or nothing.
UNSUPPORTED_VALUES: dict[str, str] = {
    "get_actor_bone_names": _NO_BONES,
    "get_actor_bone_relative_transforms": _NO_BONES,
    "get_actor_bone_world_transforms": _NO_BONES,
    "get_vehicle_bone_world_transforms": _NO_BONES,
    "get_bones_transform": _NO_BONES,
    "get_actor_component_names": _NO_PARTS,
    "get_actor_component_relative_transform": _NO_PARTS,
    "get_actor_component_world_transform": _NO_PARTS,
    "get_actor_socket_names": _NO_PARTS,
    "get_actor_socket_relative_transforms": _NO_PARTS,
    "get_actor_socket_world_transforms": _NO_PARTS,
    "get_gbuffer_token": _NO_GBUFFERS,
    "get_telemetry_data": "it keeps no forces of single wheels",
    "get_wheel_pitch_angle": _NO_WHEELS,
    "start_recorder": _NO_RECORDER,
    "show_recorder_file_info": _NO_RECORDER,
    "show_recorder_collisions": _NO_RECORDER,
    "show_recorder_actors_blocked": _NO_RECORDER,
    "replay_file": _NO_RECORDER,
}
UNSUPPORTED_VOIDS: dict[str, str] = {
    "apply_color_texture_to_objects": _NO_TEXTURES,
    "apply_float_color_texture_to_objects": _NO_TEXTURES,
    "blend_pose": _NO_BONES,
    "get_pose_from_animation": _NO_BONES,
    "set_bones_transform": _NO_BONES,
    "open_vehicle_door": _NO_DOORS,
    "close_vehicle_door": _NO_DOORS,
    "console_command": _NO_CONSOLE,
    "enable_carsim": _NO_OTHER_PHYSICS,
    "use_carsim_road": _NO_OTHER_PHYSICS,
    "enable_chrono_physics": _NO_OTHER_PHYSICS,
    "restore_physx_physics": _NO_OTHER_PHYSICS,
    "enable_environment_objects": _NO_LAYERS,
    "load_map_layer": _NO_LAYERS,
    "unload_map_layer": _NO_LAYERS,
    "enable_gbuffers": _NO_GBUFFERS,
    "enable_sensor_for_ros": _NO_ROS,
    "disable_sensor_for_ros": _NO_ROS,
    "send": _NO_V2X,
    "set_annotations_traverse_translucency": "nothing in it is translucent to its labels",
    "set_ignored_vehicles": "its sensors leave out only what they are mounted on",
    "set_replayer_ignore_hero": _NO_RECORDER,
    "set_replayer_ignore_spectator": _NO_RECORDER,
    "set_replayer_time_factor": _NO_RECORDER,
    "stop_recorder": _NO_RECORDER,
    "stop_replayer": _NO_RECORDER,
    "set_wheel_pitch_angle": _NO_WHEELS,
    "set_wheel_steer_direction": _NO_WHEELS,
    "show_vehicle_debug_telemetry": "it has no window to show it in",
}


@dataclass(frozen=True)
class Unsupported(Method):
    """A method that answers with an error that names it, whatever its arguments.

    Attributes:
        reason: why it is missing.
    """

    reason: str = ""

    def invoke(self, arguments: list[Any]) -> Any:
        """Refuse."""
        return self.call()


def unsupported_methods() -> dict[str, Method]:
    """What is refused."""

    def refusal(name: str, reason: str) -> Callable[[], None]:
        def refuse() -> None:
            raise RefusedError(
                f"{name} is not supported by the embedded server: {reason}; use a full CARLA server for it"
            )

        return refuse

    methods: dict[str, Method] = {}
    for names, reply in ((UNSUPPORTED_VALUES, Reply.VALUE), (UNSUPPORTED_VOIDS, Reply.VOID)):
        methods |= {name: Unsupported(refusal(name, why), reply=reply, reason=why) for name, why in names.items()}
    return methods
