"""The simulated world: episodes, actors, and the order of a tick."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from sim2real_bench.envs.carla.embedded import physics, wire
from sim2real_bench.envs.carla.embedded.actors import Actor, Prop, Sensor, Solid, Vehicle, Walker
from sim2real_bench.envs.carla.embedded.attachments import Attachment
from sim2real_bench.envs.carla.embedded.debug_shapes import DebugShapes
from sim2real_bench.envs.carla.embedded.geometry import Transform, Vector, relative_to
from sim2real_bench.envs.carla.embedded.messages import MAP_CHANGED, Stamp, world_state
from sim2real_bench.envs.carla.embedded.refusal import RefusedError
from sim2real_bench.envs.carla.embedded.scenery import Scenery, SceneryLibrary
from sim2real_bench.envs.carla.embedded.sensors.capture import Scene, capture
from sim2real_bench.envs.carla.embedded.spawn import make_actor
from sim2real_bench.envs.carla.embedded.streams import WORLD_STREAM, StreamHub
from sim2real_bench.envs.carla.embedded.street_lights import StreetLights
from sim2real_bench.envs.carla.embedded.town.relief import Relief
from sim2real_bench.envs.carla.embedded.traffic import Traffic
from sim2real_bench.envs.carla.embedded.traffic_signals import TrafficSignal, make_signals
from sim2real_bench.envs.carla.embedded.vehicles import GRAVITY, VehicleControl
from sim2real_bench.envs.carla.weather import Weather
from sim2real_bench.errors import Sim2RealError

__all__ = ["MAX_ACTORS", "RefusedError", "World", "shown_weather"]

_log = logging.getLogger(__name__)

A = TypeVar("A", bound=Actor)
MAX_ACTORS = 1024
LIGHTS_CHANGED = 2  # flag of a world state: clients ask for the street lights again
SPECTATOR_POSE = Transform(z=10.0)


class World:
    """One episode at a time in one town; frame numbers and ids grow for the life of the process."""

    def __init__(self, library: SceneryLibrary, hub: StreamHub, town: str) -> None:
        self.library = library
        self.hub = hub
        self.frame = 0
        self.episode = 0
        self.settings = wire.EpisodeSettings()
        self.weather = Weather()
        self.imu_gravity = GRAVITY
        self.free_running = asyncio.Event()
        self._started = time.monotonic()
        self._last_actor = 0
        self._unseen: Scene | None = None
        self.actors: dict[int, Actor] = {}
        self._former_boxes: OrderedDict[int, list[Any]] = OrderedDict()
        self.scenery: Scenery
        self.spectator: Actor
        self.traffic: Traffic
        self.load(town, reset_settings=True)

    # -- episodes -----------------------------------------------------------------------------------------------------

    def load(self, map_name: str, reset_settings: bool) -> None:
        """Start a new episode.

        Args:
            map_name: a town; "" keeps the present one.
            reset_settings: go back to the default settings (asynchronous).

        Raises:
            UnknownNameError: no such town; the present episode goes on.
        """
        self.scenery = self.library.load(map_name) if map_name else self.scenery
        self.episode += 1
        self.elapsed = 0.0
        for actor in self.actors.values():
            self._remember_box(actor)
        self.actors = {}
        self._unseen = None
        self._first_frame = self.frame + 1
        if reset_settings:
            self.apply_settings(wire.EpisodeSettings())
        self.debug_shapes = DebugShapes()
        self.street_lights = StreetLights([(x, -y, z) for x, y, z in self.scenery.town.meshes.lamps.tolist()])
        self.set_weather(Weather())
        self._warm_up()
        self._signals = make_signals(self.scenery.town.signals, self.next_id)
        self.spectator = Actor(self.next_id(), wire.Description(0, "spectator"), SPECTATOR_POSE)
        self.actors |= {actor.actor_id: actor for actor in (*self._signals, self.spectator)}
        self.traffic = Traffic(self)
        _log.info("episode %d in %s", self.episode, self.scenery.town.name)

    def _warm_up(self) -> None:
        """Make the renderer now: a client waits longer for a map than for a camera."""
        try:
            self.prepare_renderer()
        except Sim2RealError as error:
            _log.warning("no cameras: %s", error)

    def apply_settings(self, settings: wire.EpisodeSettings) -> None:
        """Change the settings; an asynchronous world starts to run by itself at once."""
        self.settings = settings
        if settings.synchronous:
            self.free_running.clear()
        else:
            self.free_running.set()

    def set_weather(self, weather: Weather) -> None:
        """Change the weather; the renderer takes it over before its next picture."""
        self.weather = weather
        self._weather_pending = True
        self.street_lights.set_dark(self._dark)
        for vehicle in self.vehicles():
            vehicle.dark = self._dark

    @property
    def _dark(self) -> bool:
        """Drivers and streets have their lights on."""
        return self.weather.sun_altitude_angle < 0.0

    # -- actors -------------------------------------------------------------------------------------------------------

    def spawn(
        self,
        description: wire.Description,
        pose: Transform,
        parent_id: int = 0,
        attachment: Attachment = Attachment.RIGID,
    ) -> Actor:
        """Make an actor.

        Args:
            description: blueprint and attributes.
            pose: in the world, or relative to the parent.
            parent_id: what to mount it on; 0 = nothing.
            attachment: how to mount it.

        Raises:
            ConfigurationError: the description cannot be used.
            RefusedError: unknown parent, too many actors, or the place is taken.
        """
        if len(self.actors) >= MAX_ACTORS:
            raise RefusedError(f"Actor not spawned: an episode holds at most {MAX_ACTORS} actors; destroy some first")
        parent = self.find(parent_id) if parent_id else None
        actor = make_actor(self, description, pose, parent)
        if parent is not None:
            actor.parent, actor.mount, actor.attachment = parent, pose, attachment
            actor.follow()
        if isinstance(actor, Vehicle):
            actor.dark = self._dark
        self.actors[actor.actor_id] = actor
        return actor

    def prepare_renderer(self) -> None:
        """Make the renderer and give it the weather; a machine without OpenGL refuses the camera, not the episode."""
        renderer = self.scenery.renderer
        if self._weather_pending:
            renderer.set_weather(shown_weather(self.weather))
            self._weather_pending = False

    def next_id(self) -> int:
        """An actor id that was never used."""
        self._last_actor += 1
        return self._last_actor

    def find(self, actor_id: int) -> Actor:
        """The actor of an id.

        Raises:
            RefusedError: there is none.
        """
        if actor_id not in self.actors:
            raise RefusedError(
                f"actor {actor_id} not found: it may have been destroyed or belong to an earlier episode"
            )
        return self.actors[actor_id]

    def bounding_box(self, actor_id: int) -> list[Any]:
        """``[location, half sizes, rotation, actor id]`` of an actor, or of one that has not been gone for long.

        A traffic manager asks for its vehicles' boxes at every tick; an error for one that was destroyed a moment ago
        would end the client's process.

        Raises:
            RefusedError: there is none.
        """
        former = self._former_boxes.get(actor_id)
        return self.find(actor_id).bounding_box() if former is None else former

    def _remember_box(self, actor: Actor) -> None:
        self._former_boxes[actor.actor_id] = actor.bounding_box()
        while len(self._former_boxes) > MAX_ACTORS:
            self._former_boxes.popitem(last=False)

    def find_vehicle(self, actor_id: int) -> Vehicle:
        """The vehicle of an id.

        Raises:
            RefusedError: no such actor, or another kind.
        """
        actor = self.find(actor_id)
        if not isinstance(actor, Vehicle):
            raise RefusedError(f"actor {actor_id} is a {actor.type_id}, not a vehicle")
        return actor

    def find_walker(self, actor_id: int) -> Walker:
        """The walker of an id.

        Raises:
            RefusedError: no such actor, or another kind.
        """
        actor = self.find(actor_id)
        if not isinstance(actor, Walker):
            raise RefusedError(f"actor {actor_id} is a {actor.type_id}, not a walker")
        return actor

    def destroy(self, actor_id: int) -> None:
        """Remove an actor; what is mounted on it stays where it is.

        Raises:
            RefusedError: no such actor, or the spectator.
        """
        actor = self.find(actor_id)
        if actor is self.spectator or isinstance(actor, TrafficSignal):
            raise RefusedError(f"a {actor.type_id} cannot be destroyed, it belongs to the episode")
        self._remember_box(self.actors.pop(actor_id))
        for child in self.actors.values():
            if child.parent is actor:
                child.parent = None

    def place(self, actor_id: int, pose: Transform) -> None:
        """Move an actor to a world pose; a mounted actor keeps the new place relative to its parent."""
        actor = self.find(actor_id)
        if isinstance(actor, TrafficSignal):
            raise RefusedError(f"a {actor.type_id} cannot be moved, it belongs to the map")
        if isinstance(actor, Vehicle | Walker):
            actor.dynamics.place(pose)
        elif actor.parent is not None:
            actor.mount = relative_to(actor.parent.transform, pose)
            actor.follow()
        else:
            actor.pose = pose

    def place_at(self, actor_id: int, location: Vector) -> None:
        """Move an actor and keep its rotation."""
        x, y, z = location
        self.place(actor_id, replace(self.find(actor_id).transform, x=x, y=y, z=z))

    def set_physics(self, actor_id: int, on: bool) -> None:
        """Let a vehicle or walker move by itself, or hold it where it is put; other things never move by themselves.

        Raises:
            RefusedError: no such actor, or it has no physics to switch on.
        """
        actor = self.find(actor_id)
        if isinstance(actor, Walker):
            actor.guided = not on
        elif isinstance(actor, Vehicle):
            actor.physics = on
        elif on:
            raise RefusedError(f"actor {actor_id} is a {actor.type_id}, which does not move by itself")
        if isinstance(actor, Vehicle | Walker) and not on:
            actor.dynamics.stop()

    def set_solid(self, actor_id: int, on: bool) -> None:
        """Let an actor collide, or let everything pass through it.

        Raises:
            RefusedError: no such actor, or it takes up no room.
        """
        actor = self.find(actor_id)
        if not isinstance(actor, Vehicle | Walker | Prop):
            raise RefusedError(f"actor {actor_id} is a {actor.type_id}, which collides with nothing")
        actor.solid = on

    def set_velocity(self, actor_id: int, velocity: Vector) -> None:
        """Give a vehicle or walker a velocity in world axes, m/s.

        Raises:
            RefusedError: no such vehicle or walker, or its physics is off.
        """
        actor = self.find(actor_id)
        if not isinstance(actor, Vehicle | Walker):
            raise RefusedError(f"actor {actor_id} is a {actor.type_id}, which takes no velocity")
        if not actor.physics or (isinstance(actor, Walker) and actor.guided):
            raise RefusedError(f"actor {actor_id} has its physics switched off, so it takes no velocity")
        actor.dynamics.set_velocity(velocity)

    def set_control(self, actor_id: int, control: VehicleControl) -> None:
        """Hold a control until the next one; a client that drives a vehicle ends the server's autopilot."""
        vehicle = self.find_vehicle(actor_id)
        vehicle.control, vehicle.autopilot = control, False

    def set_lights(self, actor_id: int, flags: int) -> None:
        """Set a vehicle's light flags; from then on they are the client's business."""
        self.find_vehicle(actor_id).client_lights = flags

    def vehicles(self) -> list[Vehicle]:
        """All vehicles, oldest first."""
        return list(self._of(Vehicle))

    def walkers(self) -> list[Walker]:
        """All walkers, oldest first."""
        return list(self._of(Walker))

    def props(self) -> list[Prop]:
        """All props, oldest first."""
        return list(self._of(Prop))

    def solids(self) -> Iterator[Solid]:
        """Everything that takes up room on the ground."""
        return (actor for actor in self.actors.values() if isinstance(actor, Vehicle | Walker | Prop))

    def traffic_signals(self) -> list[TrafficSignal]:
        """Traffic lights and signs, in the order of the town's."""
        return self._signals

    @property
    def relief(self) -> Relief:
        """The shape of the ground."""
        return self.scenery.town.relief

    def _of(self, kind: type[A]) -> Iterator[A]:
        return (actor for actor in self.actors.values() if isinstance(actor, kind))

    # -- ticks --------------------------------------------------------------------------------------------------------

    def tick(self) -> int:
        """Advance by one step: traffic, physics, mounted actors, world state, then every sensor. Returns the frame."""
        self.advance()
        self.sense()
        return self.frame

    def advance(self) -> int:
        """The first part of a tick, up to the published world state; ``sense`` is due afterwards. Returns the frame."""
        self.sense()
        delta = self.settings.delta
        self.frame += 1
        self.elapsed += delta
        self.traffic.advance(delta)
        vehicles = self.vehicles()
        walkers, props = self.walkers(), self.props()
        hits = physics.advance(vehicles, walkers, self.scenery.field, self.relief, delta, props)
        for actor in self.actors.values():
            actor.follow()
        stamp = Stamp(self.frame, self.elapsed)
        self.hub.publish(WORLD_STREAM, self._state(stamp))
        for walker in walkers:
            walker.end_tick()
        self._unseen = Scene(
            stamp, self.scenery, vehicles, hits, walkers, props,
            [int(signal.state) for signal in self._signals], delta, self.imu_gravity,
        )  # fmt: skip
        return self.frame

    def sense(self) -> None:
        """The second part of a tick: every sensor that somebody listens to; nothing if that was done already."""
        scene, self._unseen = self._unseen, None
        if scene is None:
            return
        listened = [sensor for sensor in self._of(Sensor) if sensor.stream and self.hub.listening(sensor.stream)]
        rendering = not self.settings.no_rendering
        if rendering and any(sensor.optics for sensor in listened):
            self.prepare_renderer()
        for stream, message in capture(listened, scene, rendering):
            self.hub.publish(stream, message)

    def _state(self, stamp: Stamp) -> bytes:
        flags = MAP_CHANGED if self.frame == self._first_frame else 0
        if self.street_lights.changed:
            flags |= LIGHTS_CHANGED
            self.street_lights.changed = False
        wall = time.monotonic() - self._started
        states = (actor.record() for actor in self.actors.values())
        return world_state(stamp, self.episode, wall, self.settings.delta, flags, states)


def shown_weather(weather: Weather) -> Weather:
    """A client's weather within the ranges that mean something (CARLA keeps, and answers, any number)."""

    def percent(value: float) -> float:
        return min(100.0, max(0.0, value))

    return replace(
        weather,
        cloudiness=percent(weather.cloudiness),
        precipitation=percent(weather.precipitation),
        precipitation_deposits=percent(weather.precipitation_deposits),
        wind_intensity=percent(weather.wind_intensity),
        sun_azimuth_angle=weather.sun_azimuth_angle % 360.0,
        sun_altitude_angle=min(90.0, max(-90.0, weather.sun_altitude_angle)),
        fog_density=percent(weather.fog_density),
        fog_distance=max(0.0, weather.fog_distance),
        fog_falloff=max(0.0, weather.fog_falloff),
        wetness=percent(weather.wetness),
        dust_storm=percent(weather.dust_storm),
    )
