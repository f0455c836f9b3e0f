"""The embedded server seen through the genuine CARLA client: episodes, maps, blueprints, settings, determinism."""

import math

import pytest
from embedded_client import WAIT_S, camera, make_synchronous, nearest_wall, rigged, spawn

from sim2real_bench.envs.carla.embedded.town import TOWN_NAMES
from sim2real_bench.envs.carla.embedded.vehicle_models import VEHICLE_MODELS

pytestmark = pytest.mark.simulator


def test_versions_match(client):
    assert client.get_server_version() == client.get_client_version() == "0.9.16"


def test_maps_are_listed_and_loaded(client):
    assert client.get_available_maps() == [f"/Game/Carla/Maps/{name}" for name in TOWN_NAMES]
    before = client.get_world().id
    other = client.load_world("/Game/Carla/Maps/MiniTown02")
    assert other.get_map().name.endswith("MiniTown02")
    assert other.id != before
    first = [point.location.x for point in other.get_map().get_spawn_points()]
    back = client.load_world("MiniTown01")
    assert back.get_map().name.endswith("MiniTown01")
    assert [point.location.x for point in back.get_map().get_spawn_points()] != first
    with pytest.raises(RuntimeError, match="nowhere"):
        client.load_world("nowhere")


def test_spawn_points_lie_on_driving_lanes(world):
    import carla

    road_map = world.get_map()
    points = road_map.get_spawn_points()
    assert len(points) >= 20
    for point in points:
        waypoint = road_map.get_waypoint(point.location, project_to_road=False, lane_type=carla.LaneType.Driving)
        assert waypoint is not None
        turn = waypoint.transform.rotation.yaw - point.rotation.yaw
        assert math.cos(math.radians(turn)) > 0.99


def test_every_spawn_point_is_free_and_taken_once(world):
    points = world.get_map().get_spawn_points()
    blueprint = world.get_blueprint_library().find("vehicle.lincoln.mkz_2020")
    chosen = points[:: max(1, len(points) // 30)]
    for point in chosen:
        vehicle = world.try_spawn_actor(blueprint, point)
        assert vehicle is not None
        assert world.try_spawn_actor(blueprint, point) is None
        world.tick()
        vehicle.destroy()
    with pytest.raises(RuntimeError, match="collision at spawn position"):
        vehicle = world.spawn_actor(blueprint, chosen[0])
        world.spawn_actor(blueprint, chosen[0])


def test_nothing_spawns_inside_a_building(world):
    _, box = nearest_wall(world, world.get_map().get_spawn_points()[0], ("Buildings",))
    import carla

    blueprint = world.get_blueprint_library().find("vehicle.audi.tt")
    assert (
        world.try_spawn_actor(blueprint, carla.Transform(carla.Location(box.location.x, box.location.y, 0.2))) is None
    )


def test_all_vehicles_have_their_box(world):
    library = world.get_blueprint_library()
    point = world.get_map().get_spawn_points()[0]
    assert {blueprint.id for blueprint in library.filter("vehicle.*")} == set(VEHICLE_MODELS)
    for name, model in VEHICLE_MODELS.items():
        vehicle = spawn(world, point, name)
        extent = vehicle.bounding_box.extent
        assert (extent.x, extent.y, extent.z) == pytest.approx((model.half_length, model.half_width, model.half_height))
        world.tick()
        assert vehicle.get_location().x == pytest.approx(point.location.x)
        assert vehicle.destroy()


def test_unsupported_calls_are_named(client, world):
    vehicle = spawn(world, world.get_map().get_spawn_points()[0])
    with pytest.raises(RuntimeError, match="get_telemetry_data is not supported"):
        vehicle.get_telemetry_data()
    with pytest.raises(RuntimeError, match="start_recorder is not supported"):
        client.start_recorder("x.log")
    world.tick()
    assert vehicle.is_alive


def test_wrong_attributes_are_refused_by_name(world):
    library = world.get_blueprint_library()
    blueprint = library.find("sensor.camera.rgb")
    blueprint.set_attribute("image_size_x", "100000")
    import carla

    with pytest.raises(RuntimeError, match="image_size_x"):
        world.spawn_actor(blueprint, carla.Transform())


def test_frames_grow_over_reloads_and_episodes_change(client, world):
    frame, episode = world.tick(), world.id
    spawn(world, world.get_map().get_spawn_points()[0])
    again = client.reload_world(False)
    assert again.get_settings().synchronous_mode
    assert again.id != episode
    assert again.tick() > frame
    assert {actor.type_id.split(".")[0] for actor in again.get_actors()} == {"spectator", "traffic"}


def test_weather_is_kept(world):
    import carla

    weather = carla.WeatherParameters(cloudiness=30.0, precipitation=40.0, sun_altitude_angle=-10.0)
    world.set_weather(weather)
    assert world.get_weather() == weather


def test_asynchronous_mode_runs_by_itself(client):
    world = client.load_world("MiniTown01")
    snapshots = [world.wait_for_tick(WAIT_S) for _ in range(4)]
    frames = [snapshot.frame for snapshot in snapshots]
    assert frames == sorted(set(frames))
    assert snapshots[-1].timestamp.elapsed_seconds > snapshots[0].timestamp.elapsed_seconds


def test_the_same_calls_give_the_same_states_and_pixels(client):
    import carla

    runs = []
    for _ in range(2):
        world = make_synchronous(client.load_world("MiniTown01"))
        vehicle = spawn(world, world.get_map().get_spawn_points()[1])
        rig = camera(world, parent=vehicle, transform=carla.Transform(carla.Location(2.0, 0.0, 1.4)))
        trace = []
        with rigged(rig):
            for step in range(15):
                vehicle.apply_control(carla.VehicleControl(throttle=0.8, steer=0.02 * step))
                image = rig.at(world.tick())
                place = vehicle.get_transform()
                trace.append((place.location.x, place.location.y, place.rotation.yaw, bytes(image.raw_data)))
        runs.append(trace)
    assert [state[:3] for state in runs[0]] == [state[:3] for state in runs[1]]
    assert [state[3] for state in runs[0]] == [state[3] for state in runs[1]]


def test_memory_stays_flat_over_reloads(client, embedded_server):
    import psutil

    def cycle(*towns):
        for town in towns:
            world = client.load_world(town)
            rig = camera(world)
            with rigged(rig):
                world.wait_for_tick(WAIT_S)
                rig.queue.get(timeout=WAIT_S)

    process = psutil.Process(embedded_server.pid)
    cycle("MiniTown02", "MiniTown01")
    before = process.memory_info().rss
    cycle("MiniTown02", "MiniTown01", *["MiniTown01"] * 10)
    # A renderer that stays behind costs more than this for each of the twelve loads.
    assert process.memory_info().rss - before < 100 * 2**20
    assert process.num_fds() < 100
