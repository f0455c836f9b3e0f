"""The street lights of a town as the light manager knows them: on at night, or as a client has set them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sim2real_bench.envs.carla.embedded.geometry import Vector
from sim2real_bench.envs.carla.embedded.refusal import RefusedError

STREET_GROUP = 2
MAX_GROUP = 4
_INTENSITY = 5000.0  # lumens of a usual lamp
_COLOUR = (255, 214, 170)


@dataclass(frozen=True, slots=True)
class StreetLight:
    """``carla.Light``: id, place, brightness in lumens, group, RGB, and whether it is on."""

    light_id: int
    location: Vector
    intensity: float = _INTENSITY
    group: int = STREET_GROUP
    colour: tuple[int, int, int] = _COLOUR
    on: bool = False

    def wire(self) -> list[Any]:
        """``[id, location, intensity, group, colour, on]``."""
        return [self.light_id, list(self.location), self.intensity, self.group, list(self.colour), self.on]


class StreetLights:
    """All lights of an episode.

    With the day-night cycle (which an episode starts with) the lights that no client has set follow the sun.

    The sun alone does not make clients ask again: they do it in a thread of their own, which must not meet the end of
    an episode, and every dusk would cause it.

    Attributes:
        changed: a client has switched lights since this was last reset; all clients are then told to ask again.
    """

    def __init__(self, locations: Sequence[Vector], dark: bool = False) -> None:
        self._lights = {
            number: StreetLight(number, location, on=dark) for number, location in enumerate(locations, start=1)
        }
        self._manual: set[int] = set()
        self._cycle = True
        self._dark = dark
        self.changed = False

    def all(self) -> list[StreetLight]:
        """Every light, by id."""
        return list(self._lights.values())

    def set_dark(self, dark: bool) -> None:
        """Night falls or ends."""
        self._dark = dark
        if self._cycle:
            self._follow_the_sun()

    def set_cycle(self, active: bool) -> None:
        """Let all lights follow the sun again, or leave each as it is."""
        self._cycle = active
        self.changed = True
        if active:
            self._manual.clear()
            self._follow_the_sun()

    def update(self, lights: Sequence[StreetLight]) -> None:
        """Take over what a client has set; the places of lights do not change.

        Raises:
            RefusedError: there is no light of an id; nothing is changed then.
        """
        unknown = [light.light_id for light in lights if light.light_id not in self._lights]
        if unknown:
            raise RefusedError(f"no street light has the id {unknown[0]}; get_all_lights() lists them")
        for light in lights:
            self._manual.add(light.light_id)
            self._lights[light.light_id] = replace(light, location=self._lights[light.light_id].location)
        self.changed = True

    def _follow_the_sun(self) -> None:
        for light in self.all():
            if light.light_id not in self._manual:
                self._lights[light.light_id] = replace(light, on=self._dark)
