"""Batches, things of a town, pedestrians and several clients, by the genuine client."""

import math
import time

import pytest
from embedded_client import (
    STRAIGHT_ROAD,
    TICK,
    WAIT_S,
    Rig,
    connect,
    free_port,
    free_road,
    leave,
    make_synchronous,
    nearest_wall,
    rigged,
    spawn,
)

from sim2real_bench.envs.carla.embedded.calls import CALLS

pytestmark = pytest.mark.simulator

LIGHT = "traffic.traffic_light"


def blueprint(world, name):
    return world.get_blueprint_library().find(name)


def above(point, metres):
    import carla

    return carla.Transform(point.location + carla.Location(z=metres), point.rotation)


# -- batches ----------------------------------------------------------------------------------------------------------


def test_batches_answer_per_command(client, world):
    import carla

    model = blueprint(world, "vehicle.tesla.model3")
    point = world.get_map().get_spawn_points()[3]
    then = carla.command.ApplyVehicleControl(carla.command.FutureActor, carla.VehicleControl(throttle=0.5))
    commands = [
        carla.command.SpawnActor(model, point).then(then),
        carla.command.SpawnActor(model, point),
        carla.command.DestroyActor(4_000_000_000),
    ]
    first, second, third = client.apply_batch_sync(commands, False)
    assert not first.error
    assert "collision" in second.error
    assert "4000000000 not found" in third.error
    world.tick()
    vehicle = world.get_actor(first.actor_id)
    assert vehicle.get_control().throttle == pytest.approx(0.5)
    (gone,) = client.apply_batch_sync([carla.command.DestroyActor(first.actor_id)], True)
    assert not gone.error
    assert not world.get_actors().filter("vehicle.*")


def test_every_command_reaches_its_actor(client, world):
    import carla

    command, vector = carla.command, carla.Vector3D
    point = free_road(world)
    vehicle = spawn(world, point)
    other = spawn(world, above(world.get_map().get_spawn_points()[-1], 0.2))
    stand = world.get_map().get_spawn_points()[-8]
    walker = world.spawn_actor(blueprint(world, "walker.pedestrian.0001"), above(stand, 1.0))
    prop = world.spawn_actor(blueprint(world, "static.prop.box01"), above(point, 20.0))
    port = free_port()
    world.tick()
    step = carla.Transform(carla.Location(stand.location.x, stand.location.y, 0.0), carla.Rotation(yaw=90.0))
    batch = [
        command.ApplyTransform(vehicle, above(point, 1.0)),
        command.ApplyTargetVelocity(vehicle, vector(1.0, 0.0, 0.0)),
        command.ApplyTargetAngularVelocity(vehicle, vector(0.0, 0.0, 20.0)),
        command.ApplyImpulse(vehicle, vector(0.0, 500.0, 0.0)),
        command.ApplyForce(vehicle, vector(0.0, 50.0, 0.0)),
        command.ApplyAngularImpulse(vehicle, vector()),
        command.ApplyTorque(vehicle, vector()),
        command.SetEnableGravity(vehicle, False),
        command.SetVehicleLightState(vehicle, carla.VehicleLightState.Position),
        command.ApplyVehicleAckermannControl(other, carla.VehicleAckermannControl(speed=3.0)),
        command.ApplyVehiclePhysicsControl(other, other.get_physics_control()),
        command.SetSimulatePhysics(other, True),
        command.SetAutopilot(other, False, port),
        command.ApplyVehicleControl(vehicle, carla.VehicleControl(steer=0.25)),
        command.ApplyWalkerState(walker, step, 1.25),
        command.DestroyActor(prop),
    ]
    tried = {type(entry).__name__ for entry in batch} | {"SpawnActor", "ShowDebugTelemetry", "ApplyWalkerControl"}
    assert tried == set(CALLS["command"])
    assert [answer.error for answer in client.apply_batch_sync(batch, False)] == [""] * len(batch)
    client.get_trafficmanager(port).shut_down()
    world.tick()
    assert vehicle.get_location().z == pytest.approx(point.location.z + 1.0, abs=0.01), "it has no gravity"
    assert vehicle.get_velocity().x == pytest.approx(1.0, abs=0.05)
    assert vehicle.get_velocity().y == pytest.approx(500.0 / vehicle.get_physics_control().mass, abs=0.05)
    assert vehicle.get_angular_velocity().z == pytest.approx(20.0, abs=2.0)
    assert vehicle.get_light_state() == carla.VehicleLightState.Position
    assert vehicle.get_control().steer == pytest.approx(0.25)
    assert walker.get_velocity().y == pytest.approx(1.25)
    assert walker.get_location().z == pytest.approx(walker.bounding_box.extent.z, abs=0.01)
    assert walker.get_control().speed == pytest.approx(1.25)
    assert world.get_actor(prop.id) is None or prop.id not in [actor.id for actor in world.get_actors()]
    walking = carla.WalkerControl(stand.get_forward_vector(), 2.0, False)
    (answer,) = client.apply_batch_sync([command.ApplyWalkerControl(walker, walking)], False)
    assert not answer.error
    walker.set_simulate_physics(True)
    for _ in range(5):
        world.tick()
    assert walker.get_velocity().length() == pytest.approx(2.0, abs=0.1)
    assert other.get_velocity().length() > 0.1


# -- the town and what is put into it ---------------------------------------------------------------------------------


def test_environment_objects_are_the_boxes_of_the_level(world):
    import carla

    label = carla.CityObjectLabel
    things = world.get_environment_objects(label.Any)
    assert len({thing.id for thing in things}) == len(things)
    assert [thing.name for thing in things] == world.get_names_of_all_objects()
    buildings = world.get_environment_objects(label.Buildings)
    assert {thing.type for thing in buildings} == {label.Buildings}
    boxes = world.get_level_bbs(label.Buildings)
    assert len(boxes) == len(buildings)
    for thing, box in zip(buildings, boxes, strict=True):
        assert thing.bounding_box == box
        assert thing.transform.location.distance(box.location) == pytest.approx(box.extent.z, abs=1e-3)


def test_rays_meet_the_ground_walls_and_actors_or_nothing(world):
    import carla

    point = free_road(world)
    high = point.location + carla.Location(z=10.0)
    ground = world.ground_projection(high, 50.0)
    assert ground.location.z == pytest.approx(0.0, abs=0.05)
    assert ground.label in (carla.CityObjectLabel.Roads, carla.CityObjectLabel.RoadLines)
    assert world.ground_projection(high, 5.0) is None
    assert world.project_point(high, carla.Vector3D(z=1.0), 100.0) is None
    vehicle = spawn(world, point)
    for _ in range(5):
        world.tick()
    roof = world.ground_projection(high, 50.0)
    assert roof.label == carla.CityObjectLabel.Car
    assert roof.location.z == pytest.approx(2.0 * vehicle.bounding_box.extent.z, abs=0.1)
    _, wall = nearest_wall(world, point, ("Buildings",))
    far = carla.Location(wall.location.x, wall.location.y, 1.0)
    labels = [hit.label for hit in world.cast_ray(point.location + carla.Location(z=1.0), far)]
    assert carla.CityObjectLabel.Buildings in labels


def test_a_prop_is_hit_and_named(world):
    point = free_road(world)
    vehicle = spawn(world, point)
    ahead = above(point, 0.0)
    ahead.location += 12.0 * point.get_forward_vector()
    prop = world.spawn_actor(blueprint(world, "static.prop.streetbarrier"), ahead)
    rig = Rig(world, "sensor.other.collision", parent=vehicle)
    with rigged(rig):
        world.tick()
        vehicle.set_target_velocity(10.0 * point.get_forward_vector())
        for _ in range(20):
            world.tick()
        hit = rig.queue.get(timeout=WAIT_S)
        assert hit.other_actor.id == prop.id
        assert hit.other_actor.type_id == "static.prop.streetbarrier"


def test_mounted_actors_outlive_their_bearer_and_controllers_need_a_walker(world):
    import carla

    vehicle = spawn(world, free_road(world))
    mount = carla.Transform(carla.Location(x=1.0, z=1.5))
    sensor = world.spawn_actor(blueprint(world, "sensor.other.gnss"), mount, attach_to=vehicle)
    crate = world.spawn_actor(blueprint(world, "static.prop.box01"), carla.Transform(carla.Location(z=2.0)), vehicle)
    world.tick()
    assert sensor.parent.id == crate.parent.id == vehicle.id
    assert crate.get_location().distance(vehicle.get_location()) == pytest.approx(2.0, abs=0.01)
    place = crate.get_location()
    assert vehicle.destroy()
    world.tick()
    assert sensor.is_alive
    assert crate.get_location() == place
    with pytest.raises(RuntimeError, match="attached to a walker"):
        world.spawn_actor(blueprint(world, "controller.ai.walker"), carla.Transform(), sensor)


def test_the_spectator_goes_where_it_is_put(world):
    import carla

    spectator = world.get_spectator()
    pose = carla.Transform(carla.Location(5.0, 6.0, 40.0), carla.Rotation(pitch=-60.0, yaw=30.0))
    spectator.set_transform(pose)
    world.tick()
    assert spectator.get_location() == pose.location
    assert spectator.get_transform().rotation.pitch == pytest.approx(-60.0)
    assert world.get_spectator().id == spectator.id
    assert not spectator.destroy()


def test_worlds_from_opendrive_texts(client):
    world = client.generate_opendrive_world(STRAIGHT_ROAD)
    try:
        road_map = world.get_map()
        assert road_map.name == "Carla/Maps/OpenDriveMap"
        assert road_map.to_opendrive() == STRAIGHT_ROAD
        assert len(road_map.get_spawn_points()) > 2
        spawn(world, road_map.get_spawn_points()[0])
        with pytest.raises(RuntimeError, match="OpenDriveMap"):
            client.generate_opendrive_world("<OpenDRIVE/>")
        assert client.get_world().get_map().name == road_map.name
        assert client.load_world("OpenDriveMap").get_map().name == road_map.name
    finally:
        client.load_world("MiniTown01")


# -- pedestrians ------------------------------------------------------------------------------------------------------


def test_controllers_walk_pedestrians_over_pavements_and_crossings(client, world, tmp_path):
    import carla

    client.set_files_base_folder(str(tmp_path))
    road_map = world.get_map()
    world.set_pedestrians_seed(7)
    places = [world.get_random_location_from_navigation() for _ in range(30)]
    kinds = [road_map.get_waypoint(place, lane_type=carla.LaneType.Any).lane_type for place in places]
    assert kinds.count(carla.LaneType.Sidewalk) >= 25, "some corners lie nearer to a driving lane"
    assert len({(round(place.x), round(place.y)) for place in places}) > 20
    model = blueprint(world, "walker.pedestrian.0010")
    walkers = [world.try_spawn_actor(model, carla.Transform(place + carla.Location(z=0.7))) for place in places[:6]]
    walkers = [walker for walker in walkers if walker]
    assert len(walkers) >= 4
    world.tick()
    brain = blueprint(world, "controller.ai.walker")
    controllers = [world.spawn_actor(brain, carla.Transform(), walker) for walker in walkers]
    world.tick()
    for controller, place in zip(controllers, places[10:], strict=False):
        controller.start()
        controller.go_to_location(place)
        controller.set_max_speed(1.5)
    world.tick()
    starts = [walker.get_location() for walker in walkers]
    speeds = []
    for _ in range(120):
        world.tick()
        speeds += [walker.get_velocity().length() for walker in walkers]
    assert max(speeds) < 2.0
    moved = [walker.get_location().distance(start) for walker, start in zip(walkers, starts, strict=True)]
    assert sorted(moved)[len(moved) // 2] > 5.0, f"twelve seconds at 1.5 m/s, but they moved {moved}"
    for controller in controllers:
        controller.stop()
        controller.destroy()


# -- several clients --------------------------------------------------------------------------------------------------


def test_an_observer_sees_what_another_client_does(embedded_server, world):
    import carla

    second = connect(embedded_server)
    observer = second.get_world()
    assert observer.get_settings().synchronous_mode
    assert observer.get_settings().fixed_delta_seconds == pytest.approx(TICK)
    ticks = []
    handle = observer.on_tick(lambda snapshot: ticks.append(snapshot.frame))
    vehicle = spawn(world, free_road(world))
    frames = [world.tick() for _ in range(5)]
    deadline = time.monotonic() + WAIT_S
    while frames[-1] not in ticks and time.monotonic() < deadline:
        time.sleep(0.01)
    observer.remove_on_tick(handle)
    assert ticks[-5:] == frames
    seen = observer.get_actor(vehicle.id)
    assert seen.type_id == vehicle.type_id
    assert seen.get_location() == vehicle.get_location()
    other = observer.spawn_actor(
        blueprint(observer, "static.prop.bin"), above(world.get_map().get_spawn_points()[2], 0.0)
    )
    world.tick()
    assert world.get_actor(other.id).type_id == "static.prop.bin"
    seen.apply_control(carla.VehicleControl(hand_brake=True))
    observer.tick()
    world.tick()
    assert vehicle.get_control().hand_brake
    assert vehicle.destroy()


def test_an_asynchronous_world_serves_two_clients(embedded_server, client):
    first = client.load_world("MiniTown01")
    other = connect(embedded_server)
    second = other.get_world()
    assert second.id == first.id
    assert second.wait_for_tick(WAIT_S).frame > 0
    vehicle = spawn(first, free_road(first))
    second.wait_for_tick(WAIT_S)
    second.wait_for_tick(WAIT_S)
    assert second.get_actor(vehicle.id) is not None
    vehicle.destroy()


def test_settings_and_episodes(client, world):
    settings = world.get_settings()
    settings.no_rendering_mode = True
    settings.max_substep_delta_time, settings.max_substeps = 0.02, 12
    settings.fixed_delta_seconds = 0.25
    world.apply_settings(settings)
    kept = world.get_settings()
    assert (kept.no_rendering_mode, kept.max_substeps, kept.fixed_delta_seconds) == (True, 12, 0.25)
    again = client.load_world("MiniTown01", False)
    assert again.get_settings().synchronous_mode
    assert again.get_settings().fixed_delta_seconds == pytest.approx(0.25)
    fresh = client.load_world("MiniTown01")
    assert not fresh.get_settings().synchronous_mode
    assert client.load_world_if_different("MiniTown01") is None
    make_synchronous(fresh)
    leave(fresh)


def test_debug_shapes_are_checked_and_forgotten(world):
    import carla

    debug = world.debug
    begin, end = carla.Location(0.0, 0.0, 1.0), carla.Location(math.inf, 0.0, 1.0)
    debug.draw_line(begin, carla.Location(5.0, 0.0, 1.0), life_time=0.5)
    debug.draw_line(begin, end)  # refused, but the client does not wait for it
    debug.draw_string(begin, "here", life_time=TICK)
    for _ in range(3):
        world.tick()
    assert world.get_snapshot().frame > 0
