"""Which remote methods each call of the client's interface leads to, and what differs from a full server.

A call that is not listed is worked out by the client alone: from the last world state, the map's text, its own values.
"""

from dataclasses import dataclass

_WORLD = ("version", "get_episode_info", "get_sensor_token", "get_episode_settings")
_LOAD = ("load_new_episode", *_WORLD)
_LIGHTS = ("update_lights_state",)
_DRAW_NOT = "accepted and kept until its time is over, not drawn"
_SCREEN = "checked and kept, but it belongs to a screen, and the server has none"
_LAMPS = "the answer follows; the street lamps in pictures follow the sun only"
_SILENT = "silent"


@dataclass(frozen=True)
class Call:
    """What a call leads to.

    Attributes:
        remote: methods of the server it may use.
        note: what differs from a full server; "" = nothing of note.
    """

    remote: tuple[str, ...]
    note: str = ""


def _calls(*entries: tuple[str, str] | tuple[str, str, str]) -> dict[str, Call]:
    """From ``(names, remote methods, note)`` with blanks between the names; several names share an entry."""
    table = {}
    for names, remote, *note in entries:
        for name in names.split():
            table[name] = Call(tuple(remote.split()), note[0] if note else "")
    return table


CALLS: dict[str, dict[str, Call]] = {
    "Client": _calls(
        ("get_server_version", "version"),
        ("get_available_maps", "get_available_maps"),
        ("get_world", " ".join((*_WORLD, "get_required_files", "request_file", "query_lights_state"))),
        ("load_world", " ".join(_LOAD), "towns have no layers: all of a town is loaded"),
        ("load_world_if_different reload_world", " ".join(_LOAD)),
        ("generate_opendrive_world", "copy_opendrive_to_file " + " ".join(_LOAD),
         "a town is built around the roads; the generation parameters are checked, not used"),
        ("get_required_files", "get_required_files"),
        ("request_file", "request_file"),
        ("apply_batch", "apply_batch"),
        ("apply_batch_sync", "apply_batch tick_cue"),
        ("get_trafficmanager", "is_traffic_manager_running get_traffic_manager_running add_traffic_manager_running"),
        ("start_recorder", "start_recorder"),
        ("stop_recorder", "stop_recorder", _SILENT),
        ("replay_file", "replay_file"),
        ("stop_replayer", "stop_replayer", _SILENT),
        ("set_replayer_time_factor", "set_replayer_time_factor", _SILENT),
        ("set_replayer_ignore_hero", "set_replayer_ignore_hero", _SILENT),
        ("set_replayer_ignore_spectator", "set_replayer_ignore_spectator", _SILENT),
        ("show_recorder_file_info", "show_recorder_file_info"),
        ("show_recorder_collisions", "show_recorder_collisions"),
        ("show_recorder_actors_blocked", "show_recorder_actors_blocked"),
    ),
    "World": _calls(
        ("get_settings", "get_episode_settings"),
        ("apply_settings", "set_episode_settings tick_cue",
         "substepping, culling and streaming distances are kept but change nothing"),
        ("get_weather", "get_weather_parameters"),
        ("set_weather", "set_weather_parameters"),
        ("get_blueprint_library", "get_actor_definitions"),
        ("get_map", "get_map_info get_required_files get_map_data"),
        ("get_spectator", "get_spectator"),
        ("get_actor get_actors", "get_actors_by_id"),
        ("spawn_actor try_spawn_actor", "spawn_actor spawn_actor_with_parent",
         "spring arms are stiff; attaching to a bone is refused"),
        ("tick", "tick_cue"),
        ("get_lightmanager", "query_lights_state",
         "what the sun switches is told at the load, and again after a client has switched lights"),
        ("freeze_all_traffic_lights", "freeze_all_traffic_lights"),
        ("reset_all_traffic_lights", "reset_all_traffic_lights"),
        ("get_vehicles_light_states", "get_vehicle_light_states"),
        ("get_level_bbs", "get_all_level_BBs", "boxes of what one can hit; roads and plants without a trunk have none"),
        ("get_environment_objects", "get_environment_objects", "one object for each box one can hit"),
        ("get_names_of_all_objects", "get_names_of_all_objects", "of the environment objects"),
        ("enable_environment_objects", "enable_environment_objects", _SILENT),
        ("load_map_layer", "load_map_layer"),
        ("unload_map_layer", "unload_map_layer"),
        ("project_point ground_projection", "project_point"),
        ("cast_ray", "cast_ray"),
        ("get_random_location_from_navigation", "get_required_files request_file",
         "on pavements; maps without pavements have no navigation mesh"),
        ("get_imui_sensor_gravity", "get_imui_gravity"),
        ("set_imui_sensor_gravity", "set_imui_gravity"),
        ("set_annotations_traverse_translucency", "set_annotations_traverse_translucency", _SILENT),
        ("apply_color_texture_to_object apply_color_texture_to_objects", "apply_color_texture_to_objects"),
        ("apply_float_color_texture_to_object apply_float_color_texture_to_objects",
         "apply_float_color_texture_to_objects"),
        ("apply_textures_to_object apply_textures_to_objects",
         "apply_color_texture_to_objects apply_float_color_texture_to_objects"),
    ),
    "Actor": _calls(
        ("destroy", "destroy_actor", "what is mounted on the actor stays where it is"),
        ("set_location", "set_actor_location"),
        ("set_transform", "set_actor_transform", "vehicles and walkers stand upright on the ground"),
        ("set_simulate_physics", "set_actor_simulate_physics"),
        ("set_collisions", "set_actor_collisions"),
        ("set_enable_gravity", "set_actor_enable_gravity"),
        ("set_target_velocity", "set_actor_target_velocity"),
        ("set_target_angular_velocity", "set_actor_target_angular_velocity"),
        ("enable_constant_velocity", "enable_actor_constant_velocity"),
        ("disable_constant_velocity", "disable_actor_constant_velocity"),
        ("add_force", "add_actor_force"),
        ("add_impulse", "add_actor_impulse"),
        ("add_angular_impulse", "add_actor_angular_impulse"),
        ("add_torque", "add_actor_angular_impulse", "the 0.9.16 client sends an angular impulse"),
        ("bounding_box", "get_actor_bounding_box"),
        ("get_bone_names", "get_actor_bone_names"),
        ("get_bone_relative_transforms", "get_actor_bone_relative_transforms"),
        ("get_bone_world_transforms", "get_actor_bone_world_transforms"),
        ("get_component_names", "get_actor_component_names"),
        ("get_component_relative_transform", "get_actor_component_relative_transform"),
        ("get_component_world_transform", "get_actor_component_world_transform"),
        ("get_socket_names", "get_actor_socket_names"),
        ("get_socket_relative_transforms", "get_actor_socket_relative_transforms"),
        ("get_socket_world_transforms", "get_actor_socket_world_transforms"),
    ),
    "Vehicle": _calls(
        ("apply_control", "apply_control_to_vehicle"),
        ("apply_ackermann_control", "apply_ackermann_control_to_vehicle"),
        ("apply_ackermann_controller_settings", "apply_ackermann_controller_settings"),
        ("get_ackermann_controller_settings", "get_ackermann_controller_settings"),
        ("get_physics_control", "get_physics_control"),
        ("apply_physics_control", "apply_physics_control", "values without a counterpart are kept and given back"),
        ("get_light_state", "get_vehicle_light_state"),
        ("set_light_state", "set_vehicle_light_state",
         "until it is called, the driver switches low beam, brake and reverse lamps"),
        ("set_autopilot", "is_traffic_manager_running get_traffic_manager_running add_traffic_manager_running",
         "drives by the traffic manager in the client"),
        ("get_traffic_light", "get_actors_by_id"),
        ("get_wheel_steer_angle", "get_wheel_steer_angle"),
        ("get_wheel_pitch_angle", "get_wheel_pitch_angle"),
        ("set_wheel_pitch_angle", "set_wheel_pitch_angle", _SILENT),
        ("set_wheel_steer_direction", "set_wheel_steer_direction", _SILENT),
        ("get_telemetry_data", "get_telemetry_data"),
        ("show_debug_telemetry", "show_vehicle_debug_telemetry", _SILENT),
        ("get_vehicle_bone_world_transforms", "get_vehicle_bone_world_transforms"),
        ("open_door", "open_vehicle_door", _SILENT),
        ("close_door", "close_vehicle_door", _SILENT),
        ("enable_carsim", "enable_carsim", _SILENT),
        ("use_carsim_road", "use_carsim_road", _SILENT),
        ("enable_chrono_physics", "enable_chrono_physics", _SILENT),
        ("restore_physx_physics", "restore_physx_physics", _SILENT),
    ),
    "Walker": _calls(
        ("apply_control", "apply_control_to_walker"),
        ("get_bones", "get_bones_transform"),
        ("set_bones", "set_bones_transform", _SILENT),
        ("blend_pose show_pose hide_pose", "blend_pose", _SILENT),
        ("get_pose_from_animation", "get_pose_from_animation", _SILENT),
    ),
    "WalkerAIController": _calls(
        ("start", "set_actor_simulate_physics set_actor_collisions get_map_info get_required_files get_map_data "
         "request_file",
         "the client walks the pedestrian itself, on the server's navigation mesh, by ApplyWalkerState commands"),
    ),
    "TrafficLight": _calls(
        ("set_state", "set_traffic_light_state"),
        ("set_green_time", "set_traffic_light_green_time"),
        ("set_yellow_time", "set_traffic_light_yellow_time"),
        ("set_red_time", "set_traffic_light_red_time"),
        ("freeze", "freeze_all_traffic_lights", "the 0.9.16 client freezes all lights"),
        ("reset_group", "reset_traffic_light_group"),
        ("get_group_traffic_lights", "get_group_traffic_lights"),
        ("get_light_boxes", "get_light_boxes"),
    ),
    "Sensor": _calls(("listen", "get_sensor_token")),
    "ServerSideSensor": _calls(
        ("listen_to_gbuffer stop_gbuffer", "get_gbuffer_token"),
        ("enable_gbuffers", "enable_gbuffers"),
        ("enable_for_ros", "enable_sensor_for_ros", _SILENT),
        ("disable_for_ros", "disable_sensor_for_ros", _SILENT),
        ("is_enabled_for_ros", "is_sensor_enabled_for_ros", "never"),
        ("set_ignored_vehicles", "set_ignored_vehicles"),
    ),
    "LaneInvasionSensor": _calls(("listen", "get_actor_bounding_box get_map_info get_required_files get_map_data")),
    "DebugHelper": _calls(
        ("draw_point draw_line draw_arrow draw_box draw_string", "draw_debug_shape", _DRAW_NOT),
        ("draw_hud_point draw_hud_line draw_hud_arrow draw_hud_box", "draw_debug_shape", _SCREEN),
        ("clear_debug_shape", "clear_debug_shape"),
        ("clear_debug_string", "clear_debug_string"),
    ),
    "LightManager": _calls(
        ("set_active set_color set_colors set_intensity set_intensities set_light_group set_light_groups "
         "set_light_state set_light_states turn_on turn_off", " ".join(_LIGHTS), _LAMPS),
        ("set_day_night_cycle", "update_day_night_cycle", _LAMPS),
    ),
    "Light": _calls(
        ("set_color set_intensity set_light_group set_light_state turn_on turn_off", " ".join(_LIGHTS), _LAMPS),
    ),
    "TrafficManager": _calls(("shut_down", "destroy_traffic_manager")),
    "command": _calls(
        ("SpawnActor", "spawn_actor", "the client does not send the kind of attachment: always rigid"),
        ("DestroyActor", "destroy_actor"),
        ("ApplyVehicleControl", "apply_control_to_vehicle"),
        ("ApplyVehicleAckermannControl", "apply_ackermann_control_to_vehicle"),
        ("ApplyWalkerControl", "apply_control_to_walker"),
        ("ApplyVehiclePhysicsControl", "apply_physics_control"),
        ("ApplyTransform", "set_actor_transform"),
        ("ApplyWalkerState", "set_walker_state"),
        ("ApplyTargetVelocity", "set_actor_target_velocity"),
        ("ApplyTargetAngularVelocity", "set_actor_target_angular_velocity"),
        ("ApplyImpulse", "add_actor_impulse"),
        ("ApplyForce", "add_actor_force"),
        ("ApplyAngularImpulse", "add_actor_angular_impulse"),
        ("ApplyTorque", "add_actor_torque"),
        ("SetSimulatePhysics", "set_actor_simulate_physics"),
        ("SetEnableGravity", "set_actor_enable_gravity"),
        ("SetAutopilot", "set_actor_autopilot"),
        ("ShowDebugTelemetry", "show_vehicle_debug_telemetry", "the 0.9.16 client cannot put it into a batch"),
        ("SetVehicleLightState", "set_vehicle_light_state", "the 0.9.16 client sends every state as Position"),
    ),
}  # fmt: skip
"""By class of ``carla`` (``command`` is the module of batch commands), then by name."""
