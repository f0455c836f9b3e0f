"""The vehicles of the embedded server: CARLA's type ids with their boxes, bodies and driving properties."""

import math
from dataclasses import dataclass
from functools import cached_property

Colour = tuple[int, int, int]

_HEAVY = 4000.0  # kg
_LARGEST_CENTRE_HEIGHT = 1.2  # m
_LARGEST_TOP_SPEED = 70.0  # m/s, the usual 250 km/h of engine control units
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
        base_type: CARLA's ``base_type`` attribute: car, truck, van, bus, motorcycle or bicycle.
        special_type: CARLA's ``special_type`` attribute: emergency, taxi, electric or nothing.
        generation: CARLA's ``generation`` attribute.
        wheels: CARLA's ``number_of_wheels`` attribute.
        has_lights: it has head, brake and blinker lamps.
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
    special_type: str = ""
    generation: int = 1
    wheels: int = 4
    has_lights: bool = True
    colours: tuple[Colour, ...] = _COMMON_COLOURS

    @property
    def two_wheeled(self) -> bool:
        """It leans and balances."""
        return self.wheels == 2

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

    @cached_property
    def centre_height(self) -> float:
        """Height of the centre of mass, metres: 0.55 m for a saloon car, heavy vehicles carry their weight low."""
        return min(0.74 * self.half_height, _LARGEST_CENTRE_HEIGHT)

    @cached_property
    def wheel_radius(self) -> float:
        """Metres."""
        if self.two_wheeled:
            return 0.32
        return 0.5 if self.mass > _HEAVY else 0.34

    @cached_property
    def brake_acceleration(self) -> float:
        """What a full pedal asks for before the tyres limit it, m/s²."""
        if self.base_type == "bicycle":
            return 5.0
        return 7.0 if self.mass > _HEAVY else 9.0

    @cached_property
    def top_speed(self) -> float:
        """Where top gear ends, m/s: a little above the speed at which air and tyres use up the power."""
        air, rolling = 0.6 * self.drag_area, 0.15 * self.mass
        low, high = 0.0, _LARGEST_TOP_SPEED
        for _ in range(40):
            speed = (low + high) / 2.0
            low, high = (speed, high) if (air * speed**2 + rolling) * speed < self.power else (low, speed)
        return min(1.05 * low, _LARGEST_TOP_SPEED)

    def single_track_angle(self, inner_wheel: float) -> float:
        """The bicycle model's front wheel angle when the inner front wheel turns by ``inner_wheel`` (radians).

        Ackermann geometry: cot(single track) = cot(inner) + track / (2 wheelbase). CARLA's ``max_steer_angle`` is the
        angle of a wheel, not of the single-track model.
        """
        if abs(inner_wheel) < 1e-9:
            return 0.0
        cotangent = 1.0 / math.tan(abs(inner_wheel)) + self.track / (2.0 * self.wheelbase)
        return math.copysign(math.atan2(1.0, cotangent), inner_wheel)


_POLICE: tuple[Colour, ...] = ((28, 29, 32), (24, 48, 104))
_TAXI: tuple[Colour, ...] = ((228, 176, 32), (236, 236, 232))
_FIRE: tuple[Colour, ...] = ((170, 22, 20), (196, 40, 24))
_AMBULANCE: tuple[Colour, ...] = ((236, 236, 232), (222, 196, 60))
_BUS: tuple[Colour, ...] = ((206, 58, 40), (38, 92, 150), (226, 190, 70), (70, 120, 84))

# Half sizes are those of CARLA's bounding boxes (0.9.15 and 0.9.16), to a millimetre or two.
_MODELS = (
    VehicleModel("vehicle.lincoln.mkz_2020", "sedan", 2.446, 0.918, 0.745, 1860.0, 2.85, 1.58, power=180e3,
                 generation=2),
    VehicleModel("vehicle.tesla.model3", "sedan", 2.396, 1.082, 0.744, 1845.0, 2.87, 1.58, 3.2, 210e3,
                 special_type="electric"),
    VehicleModel("vehicle.audi.tt", "coupe", 2.091, 0.997, 0.693, 1420.0, 2.47, 1.55, 3.2, 150e3),
    VehicleModel("vehicle.mini.cooper_s", "hatchback", 1.903, 0.985, 0.738, 1285.0, 2.50, 1.46, 2.9, 110e3),
    VehicleModel("vehicle.ford.mustang", "coupe", 2.359, 0.947, 0.650, 1650.0, 2.72, 1.58, 3.4, 230e3),
    VehicleModel("vehicle.audi.a2", "hatchback", 1.853, 0.894, 0.775, 1000.0, 2.41, 1.46, 2.4, 66e3),
    VehicleModel("vehicle.nissan.micra", "hatchback", 1.817, 0.923, 0.751, 1030.0, 2.45, 1.47, 2.3, 59e3),
    VehicleModel("vehicle.citroen.c3", "hatchback", 1.994, 0.925, 0.809, 1150.0, 2.54, 1.47, 2.4, 70e3),
    VehicleModel("vehicle.toyota.prius", "hatchback", 2.257, 1.003, 0.762, 1400.0, 2.70, 1.53, 2.5, 90e3),
    VehicleModel("vehicle.dodge.charger_2020", "sedan", 2.504, 0.941, 0.767, 1850.0, 3.05, 1.61, 3.2, 220e3,
                 generation=2),
    VehicleModel("vehicle.volkswagen.t2", "minibus", 2.240, 1.035, 1.019, 1350.0, 2.40, 1.43, 1.8, 50e3, 0.5,
                 drag_area=1.1, base_type="van"),
    VehicleModel("vehicle.mercedes.sprinter", "van", 2.958, 0.994, 1.280, 2400.0, 3.66, 1.71, 2.0, 105e3, 0.5,
                 drag_area=1.4, base_type="van", generation=2),
    VehicleModel("vehicle.audi.etron", "suv", 2.428, 1.016, 0.825, 2490.0, 2.93, 1.65, 3.0, 230e3,
                 special_type="electric", drag_area=0.75),
    VehicleModel("vehicle.bmw.grandtourer", "estate", 2.306, 1.121, 0.834, 1600.0, 2.78, 1.56, 2.7, 110e3),
    VehicleModel("vehicle.chevrolet.impala", "sedan", 2.679, 1.017, 0.705, 1750.0, 2.95, 1.60, 2.8, 160e3),
    VehicleModel("vehicle.dodge.charger_police", "police", 2.487, 1.019, 0.771, 1900.0, 3.05, 1.61, 3.2, 250e3,
                 special_type="emergency", colours=_POLICE),
    VehicleModel("vehicle.dodge.charger_police_2020", "police", 2.619, 0.965, 0.819, 1900.0, 3.05, 1.61, 3.2, 250e3,
                 special_type="emergency", generation=2, colours=_POLICE),
    VehicleModel("vehicle.ford.crown", "sedan", 2.683, 0.900, 0.787, 1800.0, 2.91, 1.60, 2.7, 165e3,
                 special_type="taxi", generation=2, colours=_TAXI),
    VehicleModel("vehicle.jeep.wrangler_rubicon", "suv", 1.933, 0.953, 0.939, 1850.0, 2.42, 1.57, 2.5, 150e3,
                 drag_area=1.0),
    VehicleModel("vehicle.lincoln.mkz_2017", "sedan", 2.451, 1.064, 0.755, 1860.0, 2.85, 1.58, power=180e3),
    VehicleModel("vehicle.mercedes.coupe", "coupe", 2.513, 1.076, 0.825, 1790.0, 2.87, 1.60, 3.2, 210e3),
    VehicleModel("vehicle.mercedes.coupe_2020", "coupe", 2.337, 0.906, 0.721, 1650.0, 2.84, 1.58, 3.2, 190e3,
                 generation=2),
    VehicleModel("vehicle.micro.microlino", "microcar", 1.104, 0.740, 0.688, 540.0, 1.57, 1.30, 2.2, 13e3,
                 special_type="electric", drag_area=0.5),
    VehicleModel("vehicle.mini.cooper_s_2021", "hatchback", 2.276, 1.049, 0.884, 1350.0, 2.57, 1.50, 2.9, 130e3,
                 generation=2),
    VehicleModel("vehicle.nissan.patrol", "suv", 2.302, 0.966, 0.927, 2300.0, 2.97, 1.60, 2.5, 160e3, drag_area=1.0),
    VehicleModel("vehicle.nissan.patrol_2021", "suv", 2.783, 1.075, 1.023, 2750.0, 3.08, 1.70, 2.7, 260e3,
                 drag_area=1.1, generation=2),
    VehicleModel("vehicle.seat.leon", "hatchback", 2.096, 0.908, 0.737, 1300.0, 2.58, 1.53, 2.7, 105e3),
    VehicleModel("vehicle.volkswagen.t2_2021", "minibus", 2.221, 0.887, 0.994, 1350.0, 2.40, 1.43, 1.8, 50e3, 0.5,
                 drag_area=1.1, base_type="van", generation=2),
    VehicleModel("vehicle.ford.ambulance", "ambulance", 3.183, 1.176, 1.216, 4600.0, 4.00, 1.80, 1.9, 200e3, 0.5,
                 drag_area=2.2, base_type="van", special_type="emergency", generation=2, colours=_AMBULANCE),
    VehicleModel("vehicle.tesla.cybertruck", "pickup", 3.137, 1.195, 1.049, 3000.0, 3.80, 1.75, 3.2, 300e3, 0.5,
                 drag_area=1.0, base_type="truck", special_type="electric", colours=((176, 180, 184), (52, 56, 62))),
    VehicleModel("vehicle.carlamotors.carlacola", "truck", 2.602, 1.313, 1.234, 5500.0, 2.90, 1.95, 1.4, 140e3, 0.5,
                 drag_area=4.0, base_type="truck"),
    VehicleModel("vehicle.carlamotors.european_hgv", "lorry", 3.968, 1.446, 1.731, 12000.0, 5.00, 2.05, 1.0, 300e3, 0.5,
                 drag_area=5.5, base_type="truck", generation=2, wheels=6),
    VehicleModel("vehicle.carlamotors.firetruck", "firetruck", 4.234, 1.446, 1.914, 13e3, 5.00, 2.10, 1.1, 260e3, 0.5,
                 drag_area=5.5, base_type="truck", special_type="emergency", generation=2, colours=_FIRE),
    VehicleModel("vehicle.mitsubishi.fusorosa", "bus", 5.136, 1.972, 2.126, 8000.0, 5.80, 2.10, 1.2, 150e3, 0.5,
                 drag_area=5.0, base_type="bus", generation=2, colours=_BUS),
    VehicleModel("vehicle.harley-davidson.low_rider", "cruiser", 1.175, 0.383, 0.825, 380.0, 1.62, 0.0, 4.0, 65e3, 0.5,
                 base_type="motorcycle", wheels=2),
    VehicleModel("vehicle.kawasaki.ninja", "motorcycle", 1.022, 0.398, 0.762, 270.0, 1.41, 0.0, 5.0, 90e3, 0.5,
                 base_type="motorcycle", wheels=2),
    VehicleModel("vehicle.vespa.zx125", "scooter", 0.909, 0.433, 0.795, 190.0, 1.25, 0.0, 2.5, 8e3, 0.5,
                 base_type="motorcycle", wheels=2),
    VehicleModel("vehicle.yamaha.yzf", "motorcycle", 1.095, 0.433, 0.765, 260.0, 1.40, 0.0, 5.0, 90e3, 0.5,
                 base_type="motorcycle", wheels=2),
    VehicleModel("vehicle.bh.crossbike", "bicycle", 0.755, 0.433, 0.806, 90.0, 1.05, 0.0, 1.0, 0.4e3, 0.5,
                 drag_area=0.5, base_type="bicycle", wheels=2, has_lights=False),
    VehicleModel("vehicle.diamondback.century", "racing_bicycle", 0.828, 0.291, 0.810, 85.0, 1.00, 0.0, 1.2, 0.5e3, 0.5,
                 drag_area=0.4, base_type="bicycle", wheels=2, has_lights=False),
    VehicleModel("vehicle.gazelle.omafiets", "bicycle", 0.922, 0.330, 0.888, 95.0, 1.10, 0.0, 0.9, 0.3e3, 0.5,
                 drag_area=0.6, base_type="bicycle", wheels=2, has_lights=False),
)  # fmt: skip

VEHICLE_MODELS: dict[str, VehicleModel] = {model.type_id: model for model in _MODELS}
"""Every vehicle blueprint by its type id."""
