"""The vehicles of the embedded server: CARLA's type ids with their boxes, bodies and driving properties."""

import math
from dataclasses import dataclass
from functools import cached_property

Colour = tuple[int, int, int]

_COMMON_COLOURS: tuple[Colour, ...] = (
    (185, 188, 192), (28, 29, 32), (120, 124, 128), (150, 22, 24), (24, 48, 104), (236, 236, 232), (58, 84, 66),
)  # fmt: skip


@dataclass(frozen=True)
class VehicleModel:
    """What a type id stands for.

    Attributes:
        type_id: blueprint id.
        body: the renderer's body shape.
        half_length: half of the bounding box along x, metres.
        half_width: half of the bounding box along y, metres.
        half_height: half of the bounding box along z, metres.
        mass: kilograms.
        wheelbase: metres; the centre of mass lies ``front_share`` of it behind the front axle.
        track: distance between the left and the right wheels, metres.
        peak_acceleration: full-throttle acceleration at low speed, m/s².
        power: engine power at the wheels, watts.
        base_type: CARLA's ``base_type`` attribute.
        colours: recommended paints, RGB.
    """

    type_id: str
    body: str
    half_length: float
    half_width: float
    half_height: float
    mass: float
    wheelbase: float
    track: float
    peak_acceleration: float = 2.7
    power: float = 130e3
    front_share: float = 0.47
    max_steer_deg: float = 70.0
    drag_area: float = 0.65
    base_type: str = "car"
    colours: tuple[Colour, ...] = _COMMON_COLOURS

    @cached_property
    def front_axle(self) -> float:
        """Distance of the front axle before the centre of mass, metres."""
        return self.wheelbase * self.front_share

    @cached_property
    def rear_axle(self) -> float:
        """Distance of the rear axle behind the centre of mass, metres."""
        return self.wheelbase * (1.0 - self.front_share)

    @cached_property
    def yaw_inertia(self) -> float:
        """Moment of inertia about z of a uniform box, kg m²."""
        return self.mass / 3.0 * (self.half_length**2 + self.half_width**2)

    def single_track_angle(self, inner_wheel: float) -> float:
        """The bicycle model's front wheel angle when the inner front wheel turns by ``inner_wheel`` (radians).

        Ackermann geometry: cot(single track) = cot(inner) + track / (2 wheelbase). CARLA's ``max_steer_angle`` is the
        angle of a wheel, not of the single-track model.
        """
        if abs(inner_wheel) < 1e-9:
            return 0.0
        cotangent = 1.0 / math.tan(abs(inner_wheel)) + self.track / (2.0 * self.wheelbase)
        return math.copysign(math.atan2(1.0, cotangent), inner_wheel)


_MODELS = (
    VehicleModel("vehicle.lincoln.mkz_2020", "sedan", 2.446, 1.064, 0.745, 1860.0, 2.85, 1.58, power=180e3),
    VehicleModel("vehicle.tesla.model3", "sedan", 2.396, 1.082, 0.744, 1845.0, 2.87, 1.58, 3.2, 210e3),
    VehicleModel("vehicle.audi.tt", "sedan", 2.091, 0.997, 0.693, 1420.0, 2.47, 1.55, 3.2, 150e3),
    VehicleModel("vehicle.mini.cooper_s", "hatchback", 1.903, 0.985, 0.738, 1285.0, 2.50, 1.46, 2.9, 110e3),
    VehicleModel("vehicle.ford.mustang", "sedan", 2.359, 0.947, 0.651, 1650.0, 2.72, 1.58, 3.4, 230e3),
    VehicleModel("vehicle.audi.a2", "hatchback", 1.853, 0.895, 0.777, 1000.0, 2.41, 1.46, 2.4, 66e3),
    VehicleModel("vehicle.nissan.micra", "hatchback", 1.817, 0.923, 0.751, 1030.0, 2.45, 1.47, 2.3, 59e3),
    VehicleModel("vehicle.citroen.c3", "hatchback", 1.994, 0.926, 0.809, 1150.0, 2.54, 1.47, 2.4, 70e3),
    VehicleModel("vehicle.toyota.prius", "hatchback", 2.257, 1.003, 0.762, 1400.0, 2.70, 1.53, 2.5, 90e3),
    VehicleModel("vehicle.dodge.charger_2020", "sedan", 2.503, 1.049, 0.767, 1850.0, 3.05, 1.61, 3.2, 220e3),
    VehicleModel("vehicle.volkswagen.t2", "van", 2.240, 1.035, 1.019, 1350.0, 2.40, 1.43, 1.8, 50e3, 0.5, drag_area=1.1,
                 base_type="van"),
    VehicleModel("vehicle.mercedes.sprinter", "van", 2.958, 0.994, 1.280, 2400.0, 3.66, 1.71, 2.0, 105e3, 0.5,
                 drag_area=1.4, base_type="van"),
)  # fmt: skip

VEHICLE_MODELS: dict[str, VehicleModel] = {model.type_id: model for model in _MODELS}
"""Every vehicle blueprint by its type id."""
