"""The table of client calls: it matches the committed document, the server's methods and what the client sends."""

import time
from pathlib import Path

import pytest
from embedded_client import STRAIGHT_ROAD, connect, free_port, make_synchronous
from rpc_recorder import RpcRecorder

from sim2real_bench.envs.carla.embedded.calls import CALLS, CLIENT_METHODS, State, rows
from sim2real_bench.envs.carla.embedded.calls.report import document, server_methods
from sim2real_bench.envs.carla.embedded.commands import COMMANDS
from sim2real_bench.envs.carla.embedded.methods.unsupported import UNSUPPORTED_VALUES, UNSUPPORTED_VOIDS

DOCUMENT = Path(__file__).parents[2] / "docs" / "carla-calls.md"
TOWN = "MiniTown01"
BACKGROUND = {"query_lights_state", "get_actors_by_id", "tick_cue", "version", "get_episode_settings", "apply_batch"}
"""What the client asks by itself now and then; it walks pedestrians by a batch at each tick."""

PREPARATION = {"destroy_actor", "get_actor_bounding_box", "get_sensor_token", "get_required_files"}
"""What some of the actions below need beside the call."""

pytestmark = pytest.mark.simulator


@pytest.fixture(scope="module")
def methods(carla_embedded):
    return server_methods()


def test_the_document_is_the_one_the_code_writes(methods):
    assert DOCUMENT.read_text(encoding="utf-8") == document(), (
        "docs/carla-calls.md is out of date: run python -m sim2real_bench.envs.carla.embedded.calls"
    )


def test_every_remote_method_of_the_client_is_answered_or_refused_by_name(methods):
    assert set(methods) >= CLIENT_METHODS
    assert {name for owner in CALLS.values() for call in owner.values() for name in call.remote} <= set(methods)
    refused = set(UNSUPPORTED_VALUES) | set(UNSUPPORTED_VOIDS)
    assert {row.remote[0] for row in rows(methods) if row.state is State.REFUSED} <= refused


def test_the_table_names_only_members_that_exist(methods):
    import carla

    for owner, calls in CALLS.items():
        kind = getattr(carla, owner)
        assert [name for name in calls if not hasattr(kind, name)] == []


def test_batch_commands_stand_for_the_methods_of_the_table():
    by_name = dict(COMMANDS.values())
    for name, call in CALLS["command"].items():
        assert call.remote == (by_name[name],)


class Stage:
    """A world with one actor of each kind; everything the client sends is noted."""

    def __init__(self, server, notes):
        import carla

        self.carla = carla
        self.recorder = RpcRecorder(server.host, server.port, notes)
        self.client = connect(server, self.recorder.port)
        self.client.set_files_base_folder(str(notes.parent))
        self.world = make_synchronous(self.client.load_world(TOWN))
        library = self.world.get_blueprint_library()
        points = self.world.get_map().get_spawn_points()
        self.vehicle = self.world.spawn_actor(library.find("vehicle.tesla.model3"), points[0])
        place = carla.Transform(self.world.get_random_location_from_navigation() + carla.Location(z=1.0))
        self.walker = self.world.spawn_actor(library.find("walker.pedestrian.0005"), place)
        self.controller = self.world.spawn_actor(library.find("controller.ai.walker"), carla.Transform(), self.walker)
        self.camera = self.world.spawn_actor(library.find("sensor.camera.rgb"), carla.Transform())
        self.lane = self.world.spawn_actor(library.find("sensor.other.lane_invasion"), carla.Transform(), self.vehicle)
        self.spare = [self.world.spawn_actor(library.find("static.prop.box01"), point) for point in points[4:5]]
        self.world.tick()
        self.light = self.world.get_actors().filter("traffic.traffic_light")[0]
        self.manager = self.world.get_lightmanager()
        self.lamps = self.manager.get_all_lights()
        self.physics = self.vehicle.get_physics_control()
        self.origin, self.up = carla.Location(), carla.Vector3D(z=1.0)
        self.blueprint, self.point = library.find("static.prop.box02"), points[9]

    def spawn_and_drop(self, spawn):
        actor = spawn(self.blueprint, self.point)
        self.world.tick()
        assert actor.destroy()

    def listen(self, sensor, while_listening=lambda: None):
        sensor.listen(lambda data: None)
        try:
            while_listening()
        finally:
            sensor.stop()

    def relight(self, change):
        change()
        self.world.tick()

    def sent(self, expected):
        """The calls since the last time, once one of the expected ones is among them (or has not come for long)."""
        calls = []
        for _ in range(40):
            self.client.get_server_version()  # what was sent before has arrived once this is answered
            calls += self.recorder.take()
            if any(name in expected for name, _, _ in calls):
                break
            time.sleep(0.05)  # changes of lights are sent by another thread
        return calls

    def close(self):
        self.recorder.close()


@pytest.fixture(scope="module")
def stage(embedded_server, tmp_path_factory):
    stage = Stage(embedded_server, tmp_path_factory.mktemp("calls") / "notes.txt")
    yield stage
    stage.close()


def _texture(s, kind):
    return getattr(s.carla, kind)(1, 1)


DIFFUSE = "Diffuse"
ACTIONS = {
    "Client": {
        "get_server_version": lambda s: s.client.get_server_version(),
        "get_available_maps": lambda s: s.client.get_available_maps(),
        "get_required_files": lambda s: s.client.get_required_files("Nav", False),
        "request_file": lambda s: s.client.request_file(s.client.get_required_files("Nav", False)[0]),
        "apply_batch": lambda s: s.client.apply_batch([]),
        "apply_batch_sync": lambda s: s.client.apply_batch_sync([], True),
        "start_recorder": lambda s: s.client.start_recorder("a.log"),
        "stop_recorder": lambda s: s.client.stop_recorder(),
        "replay_file": lambda s: s.client.replay_file("a.log", 0.0, 0.0, 0),
        "stop_replayer": lambda s: s.client.stop_replayer(True),
        "set_replayer_time_factor": lambda s: s.client.set_replayer_time_factor(2.0),
        "set_replayer_ignore_hero": lambda s: s.client.set_replayer_ignore_hero(True),
        "set_replayer_ignore_spectator": lambda s: s.client.set_replayer_ignore_spectator(True),
        "show_recorder_file_info": lambda s: s.client.show_recorder_file_info("a.log", True),
        "show_recorder_collisions": lambda s: s.client.show_recorder_collisions("a.log", "a", "a"),
        "show_recorder_actors_blocked": lambda s: s.client.show_recorder_actors_blocked("a.log", 1.0, 1.0),
    },
    "World": {
        "get_settings": lambda s: s.world.get_settings(),
        "apply_settings": lambda s: s.world.apply_settings(s.world.get_settings()),
        "get_weather": lambda s: s.world.get_weather(),
        "set_weather": lambda s: s.world.set_weather(s.carla.WeatherParameters.ClearNoon),
        "get_blueprint_library": lambda s: s.world.get_blueprint_library(),
        "get_map": None,  # kept by the client after the first time; see the loads below
        "get_spectator": lambda s: s.world.get_spectator(),
        "get_actor": lambda s: s.world.get_actor(99_999),
        "get_actors": lambda s: s.world.get_actors([99_999]),
        "spawn_actor": lambda s: s.spawn_and_drop(s.world.spawn_actor),
        "try_spawn_actor": lambda s: s.spawn_and_drop(s.world.try_spawn_actor),
        "tick": lambda s: s.world.tick(),
        "get_lightmanager": None,
        "freeze_all_traffic_lights": lambda s: s.world.freeze_all_traffic_lights(False),
        "reset_all_traffic_lights": lambda s: s.world.reset_all_traffic_lights(),
        "get_vehicles_light_states": lambda s: s.world.get_vehicles_light_states(),
        "get_level_bbs": lambda s: s.world.get_level_bbs(),
        "get_environment_objects": lambda s: s.world.get_environment_objects(),
        "get_names_of_all_objects": lambda s: s.world.get_names_of_all_objects(),
        "enable_environment_objects": lambda s: s.world.enable_environment_objects({1}, False),
        "load_map_layer": lambda s: s.world.load_map_layer(s.carla.MapLayer.Buildings),
        "unload_map_layer": lambda s: s.world.unload_map_layer(s.carla.MapLayer.Buildings),
        "project_point": lambda s: s.world.project_point(s.origin, s.up, 10.0),
        "ground_projection": lambda s: s.world.ground_projection(s.origin, 10.0),
        "cast_ray": lambda s: s.world.cast_ray(s.origin, s.carla.Location(10.0, 0.0, 0.0)),
        "get_random_location_from_navigation": None,
        "get_imui_sensor_gravity": lambda s: s.world.get_imui_sensor_gravity(),
        "set_imui_sensor_gravity": lambda s: s.world.set_imui_sensor_gravity(9.81),
        "set_annotations_traverse_translucency": lambda s: s.world.set_annotations_traverse_translucency(True),
        "apply_color_texture_to_object": lambda s: s.world.apply_color_texture_to_object(
            "a", getattr(s.carla.MaterialParameter, DIFFUSE), _texture(s, "TextureColor")),
        "apply_color_texture_to_objects": lambda s: s.world.apply_color_texture_to_objects(
            ["a"], getattr(s.carla.MaterialParameter, DIFFUSE), _texture(s, "TextureColor")),
        "apply_float_color_texture_to_object": lambda s: s.world.apply_float_color_texture_to_object(
            "a", getattr(s.carla.MaterialParameter, DIFFUSE), _texture(s, "TextureFloatColor")),
        "apply_float_color_texture_to_objects": lambda s: s.world.apply_float_color_texture_to_objects(
            ["a"], getattr(s.carla.MaterialParameter, DIFFUSE), _texture(s, "TextureFloatColor")),
        "apply_textures_to_object": lambda s: s.world.apply_textures_to_object(
            "a", _texture(s, "TextureColor"), *[_texture(s, "TextureFloatColor")] * 3),
        "apply_textures_to_objects": lambda s: s.world.apply_textures_to_objects(
            ["a"], _texture(s, "TextureColor"), *[_texture(s, "TextureFloatColor")] * 3),
    },
    "Actor": {
        "destroy": lambda s: s.spare.pop().destroy(),
        "set_location": lambda s: s.vehicle.set_location(s.vehicle.get_location()),
        "set_transform": lambda s: s.vehicle.set_transform(s.vehicle.get_transform()),
        "set_simulate_physics": lambda s: s.vehicle.set_simulate_physics(True),
        "set_collisions": lambda s: s.vehicle.set_collisions(True),
        "set_enable_gravity": lambda s: s.vehicle.set_enable_gravity(True),
        "set_target_velocity": lambda s: s.vehicle.set_target_velocity(s.carla.Vector3D()),
        "set_target_angular_velocity": lambda s: s.vehicle.set_target_angular_velocity(s.carla.Vector3D()),
        "enable_constant_velocity": lambda s: s.vehicle.enable_constant_velocity(s.carla.Vector3D()),
        "disable_constant_velocity": lambda s: s.vehicle.disable_constant_velocity(),
        "add_force": lambda s: s.vehicle.add_force(s.up),
        "add_impulse": lambda s: s.vehicle.add_impulse(s.up),
        "add_angular_impulse": lambda s: s.vehicle.add_angular_impulse(s.up),
        "add_torque": lambda s: s.vehicle.add_torque(s.up),
        "bounding_box": lambda s: s.vehicle.bounding_box,
        "get_bone_names": lambda s: s.walker.get_bone_names(),
        "get_bone_relative_transforms": lambda s: s.walker.get_bone_relative_transforms(),
        "get_bone_world_transforms": lambda s: s.walker.get_bone_world_transforms(),
        "get_component_names": lambda s: s.vehicle.get_component_names(),
        "get_component_relative_transform": lambda s: s.vehicle.get_component_relative_transform("a"),
        "get_component_world_transform": lambda s: s.vehicle.get_component_world_transform("a"),
        "get_socket_names": lambda s: s.vehicle.get_socket_names(),
        "get_socket_relative_transforms": lambda s: s.vehicle.get_socket_relative_transforms(),
        "get_socket_world_transforms": lambda s: s.vehicle.get_socket_world_transforms(),
    },
    "Vehicle": {
        "apply_control": lambda s: s.vehicle.apply_control(s.carla.VehicleControl(brake=0.5)),
        "apply_ackermann_control": lambda s: s.vehicle.apply_ackermann_control(s.carla.VehicleAckermannControl()),
        "apply_ackermann_controller_settings": lambda s: s.vehicle.apply_ackermann_controller_settings(
            s.carla.AckermannControllerSettings()),
        "get_ackermann_controller_settings": lambda s: s.vehicle.get_ackermann_controller_settings(),
        "get_physics_control": lambda s: s.vehicle.get_physics_control(),
        "apply_physics_control": lambda s: s.vehicle.apply_physics_control(s.physics),
        "get_light_state": lambda s: s.vehicle.get_light_state(),
        "set_light_state": lambda s: s.vehicle.set_light_state(s.carla.VehicleLightState.Fog),
        "set_autopilot": None,
        "get_traffic_light": lambda s: s.vehicle.get_traffic_light(),
        "get_wheel_steer_angle": lambda s: s.vehicle.get_wheel_steer_angle(s.carla.VehicleWheelLocation.FL_Wheel),
        "get_wheel_pitch_angle": lambda s: s.vehicle.get_wheel_pitch_angle(s.carla.VehicleWheelLocation.FL_Wheel),
        "set_wheel_pitch_angle": lambda s: s.vehicle.set_wheel_pitch_angle(s.carla.VehicleWheelLocation.FL_Wheel, 1.0),
        "set_wheel_steer_direction": lambda s: s.vehicle.set_wheel_steer_direction(
            s.carla.VehicleWheelLocation.FL_Wheel, 1.0),
        "get_telemetry_data": lambda s: s.vehicle.get_telemetry_data(),
        "show_debug_telemetry": lambda s: s.vehicle.show_debug_telemetry(True),
        "get_vehicle_bone_world_transforms": lambda s: s.vehicle.get_vehicle_bone_world_transforms(),
        "open_door": lambda s: s.vehicle.open_door(s.carla.VehicleDoor.All),
        "close_door": lambda s: s.vehicle.close_door(s.carla.VehicleDoor.All),
        "enable_carsim": lambda s: s.vehicle.enable_carsim("a"),
        "use_carsim_road": lambda s: s.vehicle.use_carsim_road(True),
        "enable_chrono_physics": lambda s: s.vehicle.enable_chrono_physics(10, 0.1, "a", "b", "c", "d"),
        "restore_physx_physics": lambda s: s.vehicle.restore_physx_physics(),
    },
    "Walker": {
        "apply_control": lambda s: s.walker.apply_control(s.carla.WalkerControl(s.carla.Vector3D(1.0), 1.0, False)),
        "get_bones": lambda s: s.walker.get_bones(),
        "set_bones": lambda s: s.walker.set_bones(s.carla.WalkerBoneControlIn()),
        "blend_pose": lambda s: s.walker.blend_pose(0.5),
        "show_pose": lambda s: s.walker.show_pose(),
        "hide_pose": lambda s: s.walker.hide_pose(),
        "get_pose_from_animation": lambda s: s.walker.get_pose_from_animation(),
    },
    "WalkerAIController": {"start": lambda s: s.controller.start()},
    "TrafficLight": {
        "set_state": lambda s: s.light.set_state(s.carla.TrafficLightState.Red),
        "set_green_time": lambda s: s.light.set_green_time(8.0),
        "set_yellow_time": lambda s: s.light.set_yellow_time(2.0),
        "set_red_time": lambda s: s.light.set_red_time(3.0),
        "freeze": lambda s: s.light.freeze(False),
        "reset_group": lambda s: s.light.reset_group(),
        "get_group_traffic_lights": lambda s: s.light.get_group_traffic_lights(),
        "get_light_boxes": lambda s: s.light.get_light_boxes(),
    },
    "Sensor": {"listen": lambda s: s.listen(s.camera)},
    "ServerSideSensor": {
        "listen_to_gbuffer": lambda s: s.listen(
            s.camera, lambda: s.camera.listen_to_gbuffer(s.carla.GBufferTextureID.GBufferA, print)),
        "stop_gbuffer": lambda s: s.listen(
            s.camera, lambda: s.camera.stop_gbuffer(s.carla.GBufferTextureID.GBufferA)),
        "enable_gbuffers": lambda s: s.camera.enable_gbuffers(True),
        "enable_for_ros": lambda s: s.camera.enable_for_ros(),
        "disable_for_ros": lambda s: s.camera.disable_for_ros(),
        "is_enabled_for_ros": lambda s: s.camera.is_enabled_for_ros(),
        "set_ignored_vehicles": lambda s: s.camera.set_ignored_vehicles([1]),
    },
    "LaneInvasionSensor": {"listen": lambda s: s.listen(s.lane)},
    "DebugHelper": {
        "draw_point": lambda s: s.world.debug.draw_point(s.origin, life_time=1.0),
        "draw_line": lambda s: s.world.debug.draw_line(s.origin, s.origin, life_time=1.0),
        "draw_arrow": lambda s: s.world.debug.draw_arrow(s.origin, s.origin, life_time=1.0),
        "draw_box": lambda s: s.world.debug.draw_box(s.vehicle.bounding_box, s.carla.Rotation(), life_time=1.0),
        "draw_string": lambda s: s.world.debug.draw_string(s.origin, "text", life_time=1.0),
        "draw_hud_point": lambda s: s.world.debug.draw_hud_point(s.origin),
        "draw_hud_line": lambda s: s.world.debug.draw_hud_line(s.origin, s.origin),
        "draw_hud_arrow": lambda s: s.world.debug.draw_hud_arrow(s.origin, s.origin),
        "draw_hud_box": lambda s: s.world.debug.draw_hud_box(s.vehicle.bounding_box, s.carla.Rotation()),
        "clear_debug_shape": lambda s: s.world.debug.clear_debug_shape(),
        "clear_debug_string": lambda s: s.world.debug.clear_debug_string(),
    },
    "LightManager": {
        "set_active": lambda s: s.relight(lambda: s.manager.set_active(s.lamps[:1], [True])),
        "set_color": lambda s: s.relight(lambda: s.manager.set_color(s.lamps[:1], s.carla.Color(1, 2, 3))),
        "set_colors": lambda s: s.relight(lambda: s.manager.set_colors(s.lamps[:1], [s.carla.Color(3, 2, 1)])),
        "set_intensity": lambda s: s.relight(lambda: s.manager.set_intensity(s.lamps[:1], 7.0)),
        "set_intensities": lambda s: s.relight(lambda: s.manager.set_intensities(s.lamps[:1], [8.0])),
        "set_light_group": lambda s: s.relight(
            lambda: s.manager.set_light_group(s.lamps[:1], s.carla.LightGroup.Building)),
        "set_light_groups": lambda s: s.relight(
            lambda: s.manager.set_light_groups(s.lamps[:1], [s.carla.LightGroup.Street])),
        "set_light_state": lambda s: s.relight(lambda: s.manager.set_light_state(s.lamps[:1], s.carla.LightState(4.0))),
        "set_light_states": lambda s: s.relight(
            lambda: s.manager.set_light_states(s.lamps[:1], [s.carla.LightState(5.0)])),
        "turn_on": lambda s: s.relight(lambda: s.manager.turn_on(s.lamps[:1])),
        "turn_off": lambda s: s.relight(lambda: s.manager.turn_off(s.lamps[:1])),
        "set_day_night_cycle": lambda s: s.manager.set_day_night_cycle(True),
    },
    "Light": {
        "set_color": lambda s: s.relight(lambda: s.lamps[1].set_color(s.carla.Color(1, 2, 3))),
        "set_intensity": lambda s: s.relight(lambda: s.lamps[1].set_intensity(6.0)),
        "set_light_group": lambda s: s.relight(lambda: s.lamps[1].set_light_group(s.carla.LightGroup.Other)),
        "set_light_state": lambda s: s.relight(lambda: s.lamps[1].set_light_state(s.carla.LightState(9.0))),
        "turn_on": lambda s: s.relight(s.lamps[1].turn_on),
        "turn_off": lambda s: s.relight(s.lamps[1].turn_off),
    },
}  # fmt: skip
"""How to make each call; None = tried by a test of its own below."""

LOADS = ("get_world", "load_world", "load_world_if_different", "reload_world", "generate_opendrive_world")
TRAFFIC = ("get_trafficmanager",)


def test_every_listed_call_is_tried():
    tried = {(owner, name) for owner, actions in ACTIONS.items() for name in actions}
    tried |= {("Client", name) for name in (*LOADS, *TRAFFIC)} | {("TrafficManager", "shut_down")}
    assert tried == {(owner, name) for owner, calls in CALLS.items() if owner != "command" for name in calls}


@pytest.mark.parametrize(
    ("owner", "member"),
    [(owner, name) for owner, actions in ACTIONS.items() for name, action in actions.items() if action],
)
def test_a_call_sends_what_the_table_says(stage, methods, owner, member):
    (row,) = (row for row in rows(methods) if (row.owner, row.member) == (owner, member))
    stage.recorder.take()
    error = ""
    try:
        ACTIONS[owner][member](stage)
    except RuntimeError as raised:
        error = str(raised)
    calls = stage.sent(set(row.remote))
    sent = {name for name, _, _ in calls}
    assert sent & set(row.remote)
    assert sent - set(row.remote) <= BACKGROUND | PREPARATION
    if row.state is State.REFUSED:
        waits = any(waits for name, waits, _ in calls if name in row.remote)
        assert waits is ("silent" not in row.remark)
        assert bool(error) is waits
        if waits:
            assert error.startswith(f"{row.remote[0]} is not supported by the embedded server: ")
    else:
        assert error == ""


def test_loads_and_managers_send_what_the_table_says(embedded_server, methods, tmp_path):
    recorder = RpcRecorder(embedded_server.host, embedded_server.port, tmp_path / "notes.txt")
    try:
        client = connect(embedded_server, recorder.port)
        client.set_files_base_folder(str(tmp_path))

        def sent_by(action):
            recorder.take()
            action()
            client.get_server_version()
            return {name for name, _, _ in recorder.take()} - {"tick_cue"}

        calls = CALLS["Client"]
        opening = sent_by(client.get_world)
        assert "get_episode_info" in opening <= set(calls["get_world"].remote)
        loading = {*calls["load_world"].remote, *calls["get_world"].remote, *CALLS["World"]["get_map"].remote}
        first = sent_by(lambda: client.load_world(TOWN))
        assert "load_new_episode" in first <= loading
        assert "request_file" in opening | first, (
            "the mesh for pedestrians is fetched once, by the first asynchronous world"
        )
        assert "load_new_episode" in sent_by(client.reload_world) <= loading
        assert "load_new_episode" in sent_by(lambda: client.load_world_if_different("MiniTown02")) <= loading
        assert "copy_opendrive_to_file" in sent_by(lambda: client.generate_opendrive_world(STRAIGHT_ROAD))
        world = make_synchronous(client.load_world(TOWN))
        assert sent_by(world.get_map) == {*CALLS["World"]["get_map"].remote, "version"}
        manager = client.get_trafficmanager(free_port())
        registered = {name for name, _, _ in recorder.take()}
        assert registered & set(calls["get_trafficmanager"].remote)
        assert "destroy_traffic_manager" in sent_by(manager.shut_down)
    finally:
        recorder.close()
