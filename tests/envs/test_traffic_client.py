"""Traffic lights and the server's autopilot, seen through the genuine client."""

import pytest

from sim2real_bench.envs.carla.embedded.launcher import EmbeddedServerProcess

pytestmark = pytest.mark.simulator

TICK = 0.05
WAIT_S = 60.0


@pytest.fixture(scope="module")
def server(carla_embedded):
    with EmbeddedServerProcess("MiniTown01") as process:
        yield process


@pytest.fixture(scope="module")
def client(server):
    import carla

    connection = carla.Client(server.host, server.port, 8)
    connection.set_timeout(WAIT_S)
    return connection


@pytest.fixture
def world(client):
    world = client.load_world("MiniTown01")
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, TICK
    world.apply_settings(settings)
    return world


@pytest.fixture
def lights(world):
    return [actor for actor in world.get_actors() if actor.type_id == "traffic.traffic_light"]


def test_lights_change_by_themselves_and_on_demand(world, lights):
    import carla

    light = next(entry for entry in lights if entry.state == carla.TrafficLightState.Green)
    assert (light.get_green_time(), light.get_yellow_time(), light.get_red_time()) == (10.0, 3.0, 2.0)
    light.set_green_time(0.5)
    light.set_yellow_time(0.3)
    light.set_red_time(0.2)
    for _ in range(12):
        world.tick()
    assert light.state != carla.TrafficLightState.Green
    light.set_state(carla.TrafficLightState.Off)
    light.freeze(True)
    world.tick()
    assert light.is_frozen()
    assert light.state == carla.TrafficLightState.Off
    assert light.get_green_time() == pytest.approx(0.5)
    light.freeze(False)
    light.reset_group()
    world.tick()
    group = light.get_group_traffic_lights()
    assert light.id in [member.id for member in group]
    assert [member.state for member in group].count(carla.TrafficLightState.Green) >= 1


def test_all_lights_freeze_and_reset_together(world, lights):
    world.freeze_all_traffic_lights(True)
    world.tick()
    before = [light.state for light in lights]
    assert all(light.is_frozen() for light in lights)
    for _ in range(30):
        world.tick()
    assert [light.state for light in lights] == before
    world.freeze_all_traffic_lights(False)
    world.reset_all_traffic_lights()
    world.tick()
    assert not any(light.is_frozen() for light in lights)
    assert all(light.get_elapsed_time() <= 2 * TICK for light in lights)


def test_a_light_knows_its_place(world, lights):
    for light in lights:
        assert world.get_traffic_light_from_opendrive_id(light.get_opendrive_id()).id == light.id
        (box,) = light.get_light_boxes()
        assert box.location.z > 2.0
        assert box.location.distance(light.get_location()) < 6.0
        assert light.get_affected_lane_waypoints() and light.get_stop_waypoints()


def test_a_batch_lets_the_server_drive_until_the_client_does(client, world):
    import carla

    blueprint = world.get_blueprint_library().find("vehicle.tesla.model3")
    vehicle = world.spawn_actor(blueprint, world.get_map().get_spawn_points()[0])
    world.tick()
    client.apply_batch([carla.command.SetAutopilot(vehicle.id, True)])
    for _ in range(60):
        world.tick()
    assert vehicle.get_velocity().length() > 2.0
    vehicle.apply_control(carla.VehicleControl(brake=1.0))
    for _ in range(60):
        world.tick()
    assert vehicle.get_velocity().length() < 0.1
    assert vehicle.get_control().brake == 1.0
