"""Traffic lights, street lights and the lights of vehicles, by the genuine client."""

import time

import pytest
from embedded_client import (
    WAIT_S,
    connect,
    free_road,
    spawn,
)

pytestmark = pytest.mark.simulator

LIGHT = "traffic.traffic_light"


def blueprint(world, name):
    return world.get_blueprint_library().find(name)


def above(point, metres):
    import carla

    return carla.Transform(point.location + carla.Location(z=metres), point.rotation)


# -- traffic lights ---------------------------------------------------------------------------------------------------


def test_every_landmark_has_its_actor(world):
    road_map = world.get_map()
    lights = {light.get_opendrive_id(): light for light in world.get_actors().filter(LIGHT)}
    landmarks = road_map.get_all_landmarks_of_type("1000001")
    assert lights.keys() == {landmark.id for landmark in landmarks}
    for landmark in landmarks:
        assert world.get_traffic_light(landmark).id == lights[landmark.id].id
        assert world.get_traffic_light_from_opendrive_id(landmark.id).id == lights[landmark.id].id
    signs = [landmark for landmark in road_map.get_all_landmarks() if landmark.type != "1000001"]
    assert signs
    for landmark in signs:
        assert world.get_traffic_sign(landmark).type_id.startswith("traffic.")


def test_lights_know_their_lanes_junction_and_group(world):
    road_map = world.get_map()
    for light in world.get_actors().filter(LIGHT):
        stops = light.get_stop_waypoints()
        assert stops
        assert {(stop.road_id, stop.lane_id) for stop in stops} == {
            (waypoint.road_id, waypoint.lane_id) for waypoint in light.get_affected_lane_waypoints()
        }
        volume = light.trigger_volume
        centre = light.get_transform().transform(volume.location)
        assert road_map.get_waypoint(centre).road_id in {stop.road_id for stop in stops}
        approach = stops[0].previous(8.0)[0]
        assert light.id in {found.id for found in world.get_traffic_lights_from_waypoint(approach, 60.0)}
        junction = next(way for way in stops[0].next_until_lane_end(2.0)[-1].next(3.0) if way.is_junction)
        together = {found.id for found in world.get_traffic_lights_in_junction(junction.junction_id)}
        assert light.id in together
        assert {member.id for member in light.get_group_traffic_lights()} <= together
        assert len(light.get_light_boxes()) >= 1


def test_a_vehicle_at_a_light_is_told_its_state(world):
    import carla

    light = world.get_actors().filter(LIGHT)[0]
    stop = light.get_stop_waypoints()[0].previous(2.0)[0].transform
    vehicle = spawn(world, above(stop, 0.3))
    light.set_state(carla.TrafficLightState.Red)
    light.set_red_time(50.0)
    world.tick()
    world.tick()
    assert light.state == carla.TrafficLightState.Red
    assert light.get_red_time() == pytest.approx(50.0)
    assert vehicle.is_at_traffic_light()
    assert vehicle.get_traffic_light().id == light.id
    assert vehicle.get_traffic_light_state() == carla.TrafficLightState.Red
    assert vehicle.get_speed_limit() == pytest.approx(30.0)
    world.freeze_all_traffic_lights(True)
    before = [other.state for other in world.get_actors().filter(LIGHT)]
    for _ in range(150):
        world.tick()
    lights = world.get_actors().filter(LIGHT)
    assert [other.state for other in lights] == before
    assert all(other.is_frozen() for other in lights)
    world.freeze_all_traffic_lights(False)


def test_traffic_lights_can_neither_be_moved_nor_destroyed(world):
    import carla

    light = world.get_actors().filter(LIGHT)[0]
    place = light.get_transform()
    light.set_transform(carla.Transform())
    world.tick()
    assert light.get_transform() == place
    assert not light.destroy()


# -- street lights ----------------------------------------------------------------------------------------------------


def settled(world, condition):
    """Tick until something holds; the client asks for changed lights in another thread."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        world.tick()
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_street_lights_follow_the_sun_until_a_client_sets_them(embedded_server, world):
    import carla

    manager = world.get_lightmanager()
    lamps = manager.get_all_lights()
    assert len(lamps) > 20
    assert not any(lamp.is_on for lamp in lamps)
    world.set_weather(carla.WeatherParameters(sun_altitude_angle=-20.0))
    world.tick()
    other = connect(embedded_server)
    observer = other.get_world()
    watcher = observer.get_lightmanager()
    assert len(watcher.get_turned_on_lights(carla.LightGroup.Street)) == len(lamps)
    lamp = min(lamps, key=lambda entry: entry.id)
    lamp.turn_off()
    lamp.set_intensity(77.0)

    def seen():
        (found,) = (entry for entry in watcher.get_all_lights() if entry.id == lamp.id)
        return not found.is_on and found.intensity == pytest.approx(77.0)

    assert settled(world, seen)
    manager.set_day_night_cycle(True)
    assert settled(world, lambda: len(watcher.get_turned_on_lights(carla.LightGroup.Street)) == len(lamps))


def test_drivers_switch_their_lights_until_a_client_does(world):
    import carla

    state = carla.VehicleLightState
    vehicle = spawn(world, free_road(world))
    world.tick()
    assert vehicle.get_light_state() == state.NONE
    world.set_weather(carla.WeatherParameters(sun_altitude_angle=-10.0))
    assert vehicle.get_light_state() == state(state.Position | state.LowBeam)
    vehicle.apply_control(carla.VehicleControl(brake=1.0))
    assert vehicle.get_light_state() == state(state.Position | state.LowBeam | state.Brake)
    vehicle.set_light_state(state.Interior)
    assert vehicle.get_light_state() == state.Interior
    world.set_weather(carla.WeatherParameters(sun_altitude_angle=40.0))
    assert vehicle.get_light_state() == state.Interior
