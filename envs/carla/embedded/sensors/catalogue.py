"""Every sensor blueprint with its attributes, defaults and ranges, as the library of 0.9.16 has them."""

from sim2real_bench.envs.carla.embedded.attributes import Attribute, AttributeType

MAX_IMAGE_SIDE = 4096
MAX_IMAGE_PIXELS = 4096 * 2160
MAX_CHANNELS = 512
MAX_POINTS_PER_SECOND = 5_000_000
MAX_RANGE_M = 10_000.0

RGB = "sensor.camera.rgb"
DEPTH = "sensor.camera.depth"
SEMANTIC = "sensor.camera.semantic_segmentation"
INSTANCE = "sensor.camera.instance_segmentation"
OPTICAL_FLOW = "sensor.camera.optical_flow"
NORMALS = "sensor.camera.normals"
DVS = "sensor.camera.dvs"
LIDAR = "sensor.lidar.ray_cast"
SEMANTIC_LIDAR = "sensor.lidar.ray_cast_semantic"
RADAR = "sensor.other.radar"
COLLISION = "sensor.other.collision"
OBSTACLE = "sensor.other.obstacle"
LANE_INVASION = "sensor.other.lane_invasion"
GNSS = "sensor.other.gnss"
IMU = "sensor.other.imu"
CAMERAS = (RGB, DEPTH, SEMANTIC, INSTANCE, OPTICAL_FLOW, NORMALS, DVS)
"""What delivers images, or events from images."""

UNSUPPORTED_SENSORS: dict[str, str] = {
    "sensor.camera.cosmos_visualization": "it feeds a video model that does not come with this server",
    "sensor.other.rss": "it needs a client built with the RSS library",
    "sensor.other.v2x": "radio messages between vehicles are not simulated",
    "sensor.other.v2x_custom": "radio messages between vehicles are not simulated",
}
"""Sensors of 0.9.16 that are refused by name, with the reason."""


def _number(name: str, default: str, low: float = -1e9, high: float = 1e9) -> Attribute:
    return Attribute(name, AttributeType.FLOAT, (default,), low=low, high=high)


def _share(name: str, default: str) -> Attribute:
    return _number(name, default, 0.0, 1.0)


def _count(name: str, default: str, low: float, high: float) -> Attribute:
    return Attribute(name, AttributeType.INT, (default,), low=low, high=high)


def _switch(name: str, default: str) -> Attribute:
    return Attribute(name, AttributeType.BOOL, (default,))


_TICK = _number("sensor_tick", "0.0", 0.0, 3600.0)
_SEED = _count("noise_seed", "0", -(2**31), 2**31 - 1)
_DEFAULT_ROLE = Attribute("role_name", AttributeType.STRING, ("default",))
_PLACE_ROLE = Attribute(
    "role_name",
    AttributeType.STRING,
    ("front", "back", "left", "right", "front_left", "front_right", "back_left", "back_right"),
)
_SIZE = (
    _count("image_size_x", "800", 1, MAX_IMAGE_SIDE),
    _count("image_size_y", "600", 1, MAX_IMAGE_SIDE),
    _number("fov", "90.0", 1.0, 170.0),
)
_LENS = (
    _number("lens_circle_falloff", "5.0"),
    _number("lens_circle_multiplier", "0.0"),
    _number("lens_k", "-1.0"),
    _number("lens_kcube", "0.0"),
    _number("lens_x_size", "0.08"),
    _number("lens_y_size", "0.08"),
)
_EXPOSURE_MODE = Attribute("exposure_mode", AttributeType.STRING, ("histogram", "manual"), restricted=True)
_PICTURE = (
    _switch("enable_postprocess_effects", "true"),
    _EXPOSURE_MODE,
    _count("blade_count", "5", 0, 1000),
    *(
        _number(name, default)
        for name, default in (
            ("gamma", "2.2"), ("exposure_compensation", "0.75"), ("shutter_speed", "200.0"), ("iso", "100.0"),
            ("fstop", "1.4"), ("min_fstop", "1.2"), ("motion_blur_intensity", "0.45"),
            ("motion_blur_max_distortion", "0.35"), ("motion_blur_min_object_screen_size", "0.1"),
            ("lens_flare_intensity", "0.1"), ("bloom_intensity", "0.675"), ("exposure_min_bright", "10.0"),
            ("exposure_max_bright", "12.0"), ("exposure_speed_up", "3.0"), ("exposure_speed_down", "1.0"),
            ("calibration_constant", "16.0"), ("focal_distance", "1000.0"), ("blur_amount", "1.0"),
            ("blur_radius", "0.0"), ("slope", "0.88"), ("toe", "0.55"), ("shoulder", "0.26"), ("black_clip", "0.0"),
            ("white_clip", "0.04"), ("temp", "6500.0"), ("tint", "0.0"), ("chromatic_aberration_intensity", "0.0"),
            ("chromatic_aberration_offset", "0.0"),
        )
    ),
)  # fmt: skip
_EVENTS = (
    _number("positive_threshold", "0.3", 1e-3),
    _number("negative_threshold", "0.3", 1e-3),
    _number("sigma_positive_threshold", "0.0", 0.0),
    _number("sigma_negative_threshold", "0.0", 0.0),
    _count("refractory_period_ns", "0", 0, 2**62),
    _switch("use_log", "true"),
    _number("log_eps", "0.001", 1e-9),
)
_SCAN = (
    _count("channels", "32", 1, MAX_CHANNELS),
    _number("range", "10.0", 0.0, MAX_RANGE_M),
    _count("points_per_second", "56000", 1, MAX_POINTS_PER_SECOND),
    _number("rotation_frequency", "10.0", 0.0, 1000.0),
    _number("upper_fov", "10.0", -90.0, 90.0),
    _number("lower_fov", "-30.0", -90.0, 90.0),
    _number("horizontal_fov", "360.0", 0.0, 360.0),
)
_SCAN_LOSSES = (
    _number("atmosphere_attenuation_rate", "0.004", 0.0),
    _share("dropoff_general_rate", "0.45"),
    _share("dropoff_intensity_limit", "0.8"),
    _share("dropoff_zero_intensity", "0.4"),
    _number("noise_stddev", "0.0", 0.0),
    _SEED,
)
_BEAM = (
    _number("horizontal_fov", "30", 0.0, 179.0),
    _number("vertical_fov", "30", 0.0, 179.0),
    _number("range", "100", 0.0, MAX_RANGE_M),
    _count("points_per_second", "1500", 1, MAX_POINTS_PER_SECOND),
)
_PROBE = (
    _number("distance", "5.0", 0.0, MAX_RANGE_M),
    _number("hit_radius", "0.5", 0.0, 100.0),
    _switch("only_dynamics", "false"),
    _switch("debug_linetrace", "false"),
)
_NOISE_KINDS = (("bias", -1e9), ("stddev", 0.0))
_GNSS_NOISE = tuple(
    _number(f"noise_{axis}_{kind}", "0.0", low) for axis in ("lat", "lon", "alt") for kind, low in _NOISE_KINDS
)
_IMU_NOISE = tuple(
    _number(f"noise_{device}_{kind}_{axis}", "0.0", low)
    for device in ("accel", "gyro")
    for kind, low in _NOISE_KINDS
    if (device, kind) != ("accel", "bias")
    for axis in ("x", "y", "z")
)

SENSOR_BLUEPRINTS: dict[str, tuple[Attribute, ...]] = {
    RGB: (*_SIZE, _TICK, _PLACE_ROLE, *_LENS, *_PICTURE),
    **{name: (*_SIZE, _TICK, _PLACE_ROLE, *_LENS) for name in (DEPTH, SEMANTIC, INSTANCE, OPTICAL_FLOW, NORMALS)},
    DVS: (*_SIZE, _TICK, _PLACE_ROLE, *_LENS, *_PICTURE, *_EVENTS),
    LIDAR: (*_SCAN, *_SCAN_LOSSES, _TICK, _PLACE_ROLE),
    SEMANTIC_LIDAR: (*_SCAN, _TICK, _PLACE_ROLE),
    RADAR: (*_BEAM, _TICK, _DEFAULT_ROLE),
    OBSTACLE: (*_PROBE, _TICK, _PLACE_ROLE),
    GNSS: (*_GNSS_NOISE, _SEED, _TICK, _DEFAULT_ROLE),
    IMU: (*_IMU_NOISE, _SEED, _TICK, _DEFAULT_ROLE),
    COLLISION: (_PLACE_ROLE,),
    LANE_INVASION: (_PLACE_ROLE,),
}
"""Attributes of each sensor blueprint that can be spawned, by type id."""

REFUSED_BLUEPRINTS: dict[str, tuple[Attribute, ...]] = {
    name: (*(_SIZE if name.startswith("sensor.camera.") else ()), _TICK, _PLACE_ROLE) for name in UNSUPPORTED_SENSORS
}
"""Listed with the others, because programs look up every sensor of their menu at the start; refused when spawned."""

ACCEPTED_WITHOUT_EFFECT: dict[str, str] = {
    **{attribute.name: "the lens is a pinhole" for attribute in _LENS},
    **{attribute.name: "the renderer has its own exposure and colour grading" for attribute in _PICTURE},
    "debug_linetrace": "nothing is drawn into the pictures",
    "role_name": "it is a name for the client's own use",
}
"""Attributes that are checked and kept but change nothing a sensor delivers, with the reason."""

_BOXES = (
    "rays meet the ground and the boxes that vehicles collide with: trunks, not leaves; whoever carries it is passed"
)

REMARKS: dict[str, str] = {
    RGB: "a pinhole with its own exposure; see the attributes without effect",
    DVS: "as often as the world ticks; brightness changes linearly in between",
    INSTANCE: "actors have their ids, everything that stands has 0",
    NORMALS: "from the depths of neighbouring pixels, in world axes; rough in leaves, 0 in the sky",
    OPTICAL_FLOW: "motion since the sensor's last capture; pedestrians move as rigid bodies",
    LIDAR: _BOXES,
    SEMANTIC_LIDAR: _BOXES,
    RADAR: _BOXES,
    OBSTACLE: "the ground is no obstacle; edges of boxes are met early by up to the hit radius",
    LANE_INVASION: "found by the client itself",
}
"""What is simpler than in CARLA, by type id."""
