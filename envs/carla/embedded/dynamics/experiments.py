"""Driving experiments whose outcome is known in closed form, or was measured with real and CARLA's vehicles."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from sim2real_bench.envs.carla.embedded.dynamics.chassis import (
    AIR_DENSITY,
    ANTI_LOCK_SHARE,
    FRONT_STIFFNESS,
    REAR_STIFFNESS,
)
from sim2real_bench.envs.carla.embedded.dynamics.motion import GRAVITY, ROLLING_RESISTANCE, THROTTLE_LAG_S
from sim2real_bench.envs.carla.embedded.dynamics.physics_control import FRICTION
from sim2real_bench.envs.carla.embedded.geometry import Transform
from sim2real_bench.envs.carla.embedded.town.relief import FLAT, Relief
from sim2real_bench.envs.carla.embedded.vehicle_models import VEHICLE_MODELS, VehicleModel
from sim2real_bench.envs.carla.embedded.vehicles import ENGINE_BRAKING, VehicleControl, VehicleDynamics

TICK_S = 0.05
KMH = 1.0 / 3.6
MKZ = VEHICLE_MODELS["vehicle.lincoln.mkz_2020"]
VAN = VEHICLE_MODELS["vehicle.volkswagen.t2"]
FULL = VehicleControl(throttle=1.0)
NEUTRAL = VehicleControl(manual_gear_shift=True, gear=0)
ROLLING = ROLLING_RESISTANCE * GRAVITY
_LONGEST_S = 400.0


@dataclass(frozen=True)
class Check:
    """One number against what it should be.

    Attributes:
        name: what was measured.
        measured: by simulation.
        expected: from the formula, or the published figure.
        unit: of both.
        tolerance: largest relative difference allowed.
        source: the formula, or where the figure was published.
    """

    name: str
    measured: float
    expected: float
    unit: str
    tolerance: float
    source: str

    @property
    def difference(self) -> float:
        """Relative."""
        return (self.measured - self.expected) / self.expected if self.expected else self.measured

    @property
    def passed(self) -> bool:
        """Within the tolerance."""
        return abs(self.difference) <= self.tolerance


def moving(speed: float, model: VehicleModel = MKZ) -> VehicleDynamics:
    """A vehicle at a speed, m/s."""
    vehicle = VehicleDynamics(model, Transform())
    vehicle.forward = speed
    return vehicle


def run(
    vehicle: VehicleDynamics,
    control: VehicleControl,
    until: Callable[[VehicleDynamics], bool],
    relief: Relief = FLAT,
    tick: float = TICK_S,
) -> float:
    """Drive until a condition holds; the seconds it took, infinite when it never did."""
    time = 0.0
    while not until(vehicle):
        if time > _LONGEST_S:
            return math.inf
        vehicle.advance(control, tick, relief)
        time += tick
    return time


def drive(vehicle: VehicleDynamics, control: VehicleControl, seconds: float, relief: Relief = FLAT) -> None:
    """Drive for some seconds."""
    for _ in range(round(seconds / TICK_S)):
        vehicle.advance(control, TICK_S, relief)


def air(model: VehicleModel) -> float:
    """Drag over mass and speed squared, 1/m."""
    return 0.5 * AIR_DENSITY * model.drag_area / model.mass


# -- straight ahead ---------------------------------------------------------------------------------------------------


def launch(seconds: float = 4.0) -> Check:
    """Constant force behind a first-order lag: v = a (t - lag (1 - exp(-t / lag))) - rolling t."""
    vehicle = moving(0.0)
    drive(vehicle, FULL, seconds)
    lagged = seconds - THROTTLE_LAG_S * (1.0 - math.exp(-seconds / THROTTLE_LAG_S))
    expected = MKZ.peak_acceleration * lagged - ROLLING * seconds
    formula = "v = a (t - τ (1 - exp(-t/τ))) - c_r g t, without air"
    return Check(f"speed after {seconds:g} s of full throttle", vehicle.forward, expected, "m/s", 0.02, formula)


def constant_power(low: float = 24.0, high: float = 30.0) -> Check:
    """From one speed to another where power, not traction, is the limit: t = ∫ v dv / (P/m - R(v) v / m)."""
    vehicle = moving(low, VAN)
    vehicle.throttle = 1.0
    vehicle.powertrain.gear = 5
    start = vehicle.forward
    measured = run(vehicle, FULL, lambda v: v.forward >= high, tick=0.0125)
    count, time = 2000, 0.0
    for number in range(count):
        speed = start + (number + 0.5) * (high - start) / count
        force = VAN.power / VAN.mass - (ROLLING + air(VAN) * speed**2) * speed
        time += speed * (high - start) / count / force
    return Check(
        f"{low:g} to {high:g} m/s at constant power (van)", measured, time, "s", 0.03, "t = ∫ m v dv / (P - R v)"
    )


def top_speed(model: VehicleModel) -> Check:
    """Power used up by air and rolling: P = (k v² + c_r m g) v."""
    vehicle = moving(0.8 * model.top_speed, model)
    vehicle.powertrain.gear = len(vehicle.physics_control.forward_gears)
    drive(vehicle, FULL, 300.0)
    low, high = 0.0, 200.0
    for _ in range(60):
        speed = (low + high) / 2.0
        used = (air(model) * speed**2 + ROLLING) * speed * model.mass
        low, high = (speed, high) if used < model.power else (low, speed)
    expected = min(low, vehicle.physics_control.max_rpm / vehicle.powertrain.engine_rpm(1e3, 6) * 1e3)
    return Check(
        f"top speed ({model.type_id})", vehicle.forward, expected, "m/s", 0.02, "P = (k v² + c_r m g) v, or gear"
    )


def braking(speed: float) -> Check:
    """From a speed to rest with the anti-lock brake: x = v² / 2a."""
    vehicle = moving(speed)
    run(vehicle, VehicleControl(brake=1.0), lambda v: v.at_rest, tick=0.0125)
    pedal = min(MKZ.brake_acceleration, ANTI_LOCK_SHARE * FRICTION * GRAVITY)
    constant = min(pedal + ENGINE_BRAKING + ROLLING, FRICTION * GRAVITY)
    expected = math.log(1.0 + air(MKZ) * speed**2 / constant) / (2.0 * air(MKZ))
    formula = "x = ln(1 + k v²/a) / 2k → v²/2a, a = 0.92 μ g + rolling + engine"
    return Check(f"braking distance from {speed * 3.6:.0f} km/h", vehicle.x, expected, "m", 0.03, formula)


def coasting(speed: float = 25.0, seconds: float = 20.0) -> Check:
    """Out of gear, against rolling and air: v = √(a/k) tan(atan(v₀ √(k/a)) - √(a k) t)."""
    vehicle = moving(speed)
    drive(vehicle, NEUTRAL, seconds)
    k = air(MKZ)
    angle = math.atan(speed * math.sqrt(k / ROLLING)) - math.sqrt(ROLLING * k) * seconds
    expected = math.sqrt(ROLLING / k) * math.tan(angle)
    return Check(
        "speed after 20 s out of gear", vehicle.forward, expected, "m/s", 0.005, "v = √(a/k) tan(φ₀ - √(ak) t)"
    )


# -- turns ------------------------------------------------------------------------------------------------------------


def steady_turn(speed: float, steer: float, model: VehicleModel = MKZ) -> tuple[float, VehicleDynamics]:
    """(radius of the centre's circle in metres, the vehicle) once a turn is steady, with the speed held.

    The throttle makes up for rolling and the engine's drag, so that the tyres carry side forces only.
    """
    vehicle = moving(speed, model)
    rolling_free = (ROLLING + ENGINE_BRAKING) / (model.peak_acceleration + 10.0 * ENGINE_BRAKING)
    vehicle.throttle = rolling_free
    for _ in range(400):
        vehicle.forward = speed
        vehicle.advance(VehicleControl(throttle=rolling_free, steer=steer), 0.0125)
    return math.hypot(*vehicle.velocity[:2]) / abs(vehicle.yaw_rate), vehicle


def slow_turn(steer: float = 0.3) -> Check:
    """Ackermann: the rear axle's radius is L / tan(angle)."""
    radius, vehicle = steady_turn(0.9, steer)
    angle = MKZ.single_track_angle(vehicle.wheel_angle)
    expected = math.hypot(MKZ.wheelbase / math.tan(angle), MKZ.rear_axle)
    return Check("radius at 0.9 m/s", radius, expected, "m", 0.01, "R² = (L / tan δ)² + b²")


def fast_turn(speed: float, steer: float) -> Check:
    """Understeer: R δ = L (1 + K v²)."""
    radius, vehicle = steady_turn(speed, steer)
    angle = MKZ.single_track_angle(vehicle.wheel_angle)
    gradient = (1.0 / FRONT_STIFFNESS - 1.0 / REAR_STIFFNESS) / GRAVITY / MKZ.wheelbase
    expected = MKZ.wheelbase / angle * (1.0 + gradient * speed**2)
    return Check(f"radius at {speed:g} m/s", radius, expected, "m", 0.03, "R = L (1 + K v²) / δ")


def grip(speed: float = 20.0) -> Check:
    """Full steering at speed: the tyres give μ g, sideways, and no more."""
    most = 0.0
    for tenth in range(1, 6):
        vehicle = moving(speed)
        before = vehicle.velocity
        for _ in range(100):
            vehicle.advance(VehicleControl(steer=tenth / 10.0), 0.0125)
            after = vehicle.velocity
            turned = before[0] * after[1] - before[1] * after[0]
            most = max(most, abs(turned) / math.hypot(*before) / 0.0125)
            before = after
    return Check("largest lateral acceleration at 20 m/s", most, FRICTION * GRAVITY, "m/s²", 0.05, "a = μ g")


def spin() -> Check:
    """A spinning vehicle without drive loses energy in every step."""
    vehicle = moving(15.0)
    vehicle.yaw_rate = 4.0
    most, before = 0.0, _energy(vehicle)
    for _ in range(400):
        vehicle.advance(NEUTRAL, 0.0125)
        after = _energy(vehicle)
        most, before = max(most, after - before), after
    return Check("energy gained in a spin", most, 0.0, "J", 1e-6, "ΔE ≤ 0 in each step")


def _energy(vehicle: VehicleDynamics) -> float:
    linear = vehicle.mass * (vehicle.forward**2 + vehicle.side**2)
    return (linear + vehicle.yaw_inertia * vehicle.yaw_rate**2) / 2.0


# -- slopes and falls -------------------------------------------------------------------------------------------------


def ramp(slope: float) -> Relief:
    """Ground that rises by ``slope`` metres per metre along x."""
    import numpy as np

    columns = np.arange(-500.0, 501.0, 2.0) * slope
    return Relief(-500.0, -500.0, np.tile(columns, (501, 1)))


def rolling_away(slope: float = 0.1) -> Check:
    """Out of gear on a slope: a = g sin θ - c_r g cos θ along it."""
    vehicle, relief, seconds = moving(0.0), ramp(slope), 3.0
    drive(vehicle, NEUTRAL, seconds, relief)
    angle = math.atan(slope)
    along = GRAVITY * (math.sin(angle) - ROLLING_RESISTANCE * math.cos(angle)) * seconds
    measured = math.copysign(math.hypot(*vehicle.velocity), -vehicle.forward)
    formula = "v = g (sin θ - c_r cos θ) t"
    return Check(f"speed after {seconds:g} s on a {slope:.0%} slope", measured, along, "m/s", 0.02, formula)


def held(slope: float = 0.1) -> Check:
    """The brake holds a vehicle on a slope that asks for less than the pedal gives."""
    vehicle = moving(0.0)
    drive(vehicle, VehicleControl(brake=0.3), 10.0, ramp(slope))
    return Check(f"way rolled with 30 % brake on a {slope:.0%} slope", abs(vehicle.x), 0.0, "m", 1e-9, "at rest")


def climbing(slope: float = 0.1) -> Check:
    """Full throttle uphill: a = a₀ - g sin θ."""
    vehicle, seconds = moving(0.0), 4.0
    drive(vehicle, FULL, seconds, ramp(slope))
    angle = math.atan(slope)
    lagged = seconds - THROTTLE_LAG_S * (1.0 - math.exp(-seconds / THROTTLE_LAG_S))
    expected = MKZ.peak_acceleration * lagged - GRAVITY * (math.sin(angle) + ROLLING_RESISTANCE) * seconds
    measured = math.hypot(*vehicle.velocity)
    return Check(f"speed after 4 s up a {slope:.0%} slope", measured, expected, "m/s", 0.04, "a = a₀ - g (sin θ + c_r)")


def fall(height: float = 5.0) -> Check:
    """Time of a fall: √(2 h / g)."""
    vehicle = VehicleDynamics(MKZ, Transform(z=height))
    measured = run(vehicle, VehicleControl(), lambda v: v.z <= 0.0, tick=0.0125)
    return Check(f"fall from {height:g} m", measured, math.sqrt(2.0 * height / GRAVITY), "s", 0.02, "t = √(2h/g)")


def closed_forms() -> list[Check]:
    """All experiments with a formula."""
    checks = [launch(), constant_power(), top_speed(MKZ), top_speed(VAN)]
    checks += [braking(speed * KMH) for speed in (20.0, 50.0, 100.0)]
    checks += [coasting(), slow_turn(), fast_turn(10.0, 0.03), fast_turn(20.0, 0.02), fast_turn(30.0, 0.01), grip()]
    return [*checks, spin(), rolling_away(), rolling_away(0.03), held(), climbing(), fall()]


# -- published figures ------------------------------------------------------------------------------------------------

_CARLA_WHEEL = "CARLA 0.9.16 client: default of WheelPhysicsControl"
_CARLA_BODY = "CARLA 0.9.16 client: default of VehiclePhysicsControl"
_CARLA_ISSUE = "printed by CARLA for the Tesla, github.com/carla-simulator/carla issue 1329"
_HYBRID_TEST = "road test of the MKZ hybrid, 188 hp: newcarandmotorcycle.blogspot.com/2013/08/design-lincoln-mkz.html"


def published() -> list[Check]:
    """The MKZ and the Tesla against published figures; the tolerances are wide, for these are different cars."""
    car = moving(0.0)
    wheel = car.physics_control.wheels[-1]
    sixty = run(car, FULL, lambda v: v.forward >= 26.82)
    stopping = moving(31.29)
    run(stopping, VehicleControl(brake=1.0), lambda v: v.at_rest)
    tesla = VEHICLE_MODELS["vehicle.tesla.model3"]
    return [
        Check("largest steering angle of a wheel", MKZ.max_steer_deg, 70.0, "°", 0.0, _CARLA_WHEEL),
        Check("MKZ brake torque of a wheel", wheel.max_brake_torque, 1500.0, "N m", 0.1, _CARLA_WHEEL),
        Check("MKZ hand brake torque of a wheel", wheel.max_handbrake_torque, 3000.0, "N m", 0.0, _CARLA_WHEEL),
        Check("MKZ final ratio", car.physics_control.final_ratio, 4.0, "", 0.0, _CARLA_BODY),
        Check("mass of the Tesla Model 3", tesla.mass, 1847.0, "kg", 0.01, _CARLA_ISSUE),
        Check("MKZ 0 to 60 mph", sixty, 9.4, "s", 0.2, _HYBRID_TEST),
        Check("MKZ 70 to 0 mph", stopping.x, 51.8, "m", 0.1, _HYBRID_TEST),
        Check("MKZ skid pad", grip().measured / GRAVITY, 0.83, "g", 0.2, _HYBRID_TEST),
    ]


def _outer_radius(model: VehicleModel, inner_wheel: float) -> float:
    """Of the outer front corner's circle when the inner wheel turns by so much, metres."""
    rear = model.wheelbase / math.tan(model.single_track_angle(inner_wheel))
    return math.hypot(rear + model.half_width, model.rear_axle + model.half_length)


def figures(model: VehicleModel) -> dict[str, float]:
    """What a vehicle does: seconds to 100 km/h, metres from 100 km/h to rest, top speed in km/h, circle in metres."""
    fast = run(moving(0.0, model), FULL, lambda v: v.forward >= 100.0 * KMH)
    stopping = moving(min(100.0 * KMH, model.top_speed), model)
    run(stopping, VehicleControl(brake=1.0), lambda v: v.at_rest)
    return {
        "mass_kg": model.mass,
        "seconds_to_100_kmh": fast,
        "metres_to_rest": stopping.x,
        "top_speed_kmh": top_speed(model).measured / KMH,
        "turning_circle_m": 2.0 * _outer_radius(model, math.radians(model.max_steer_deg)),
    }
