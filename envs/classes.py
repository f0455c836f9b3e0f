"""Label classes of every simulator, and the tables that align them into proxy channels."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt


class StkClass(IntEnum):
    """Classes of SuperTuxKart's ``labels``."""

    BACKGROUND = 0
    TRACK = 1
    KART = 2
    PICKUP = 3


class CarlaClass(IntEnum):
    """Semantic tags of CARLA 0.9.16, which follow the Cityscapes palette."""

    NONE = 0
    ROADS = 1
    SIDEWALKS = 2
    BUILDINGS = 3
    WALLS = 4
    FENCES = 5
    POLES = 6
    TRAFFIC_LIGHT = 7
    TRAFFIC_SIGNS = 8
    VEGETATION = 9
    TERRAIN = 10
    SKY = 11
    PEDESTRIANS = 12
    RIDER = 13
    CAR = 14
    TRUCK = 15
    BUS = 16
    TRAIN = 17
    MOTORCYCLE = 18
    BICYCLE = 19
    STATIC = 20
    DYNAMIC = 21
    OTHER = 22
    WATER = 23
    ROAD_LINES = 24
    GROUND = 25
    BRIDGE = 26
    RAIL_TRACK = 27
    GUARD_RAIL = 28


STK_PALETTE: npt.NDArray[np.uint8] = np.array([[60, 60, 60], [128, 64, 128], [0, 0, 142], [220, 220, 0]], np.uint8)
"""(4, 3) RGB per ``StkClass``."""

CARLA_PALETTE: npt.NDArray[np.uint8] = np.array(
    [
        [0, 0, 0], [128, 64, 128], [244, 35, 232], [70, 70, 70], [102, 102, 156], [190, 153, 153], [153, 153, 153],
        [250, 170, 30], [220, 220, 0], [107, 142, 35], [152, 251, 152], [70, 130, 180], [220, 20, 60], [255, 0, 0],
        [0, 0, 142], [0, 0, 70], [0, 60, 100], [0, 80, 100], [0, 0, 230], [119, 11, 32], [110, 190, 160],
        [170, 120, 50], [55, 90, 80], [45, 60, 150], [157, 234, 50], [81, 0, 81], [150, 100, 100], [230, 150, 140],
        [180, 165, 180],
    ],
    np.uint8,
)  # fmt: skip
"""(29, 3) RGB per ``CarlaClass`` (the client's CityScapesPalette)."""

STK_MAP_CHANNELS = ("track", "kart", "pickup")
CARLA_MAP_CHANNELS = ("road", "vehicle")

# The lane-following task sees one thing: where one may drive (paper 1, section 4.1: track -> road, rest background).
ROAD_CLASSES: dict[str, tuple[int, ...]] = {
    "stk": (StkClass.TRACK,),
    "carla": (CarlaClass.ROADS, CarlaClass.ROAD_LINES),
}
ROAD_MAP_CHANNEL: dict[str, int] = {"stk": 0, "carla": 0}


def road_mask(labels: npt.NDArray[np.uint8], simulator: str) -> npt.NDArray[np.uint8]:
    """(..., H, W) uint8 0/1: the drivable pixels of a label image of ``simulator``."""
    table = np.zeros(256, np.uint8)
    table[list(ROAD_CLASSES[_vocabulary(simulator)])] = 1
    return table[labels]


def road_map_channel(simulator: str) -> int:
    """Which channel of the map view of ``simulator`` is the road."""
    return ROAD_MAP_CHANNEL[_vocabulary(simulator)]


def _vocabulary(simulator: str) -> str:
    """Whose words a simulator uses: those of other packages label and draw in CARLA's."""
    return simulator if simulator in ROAD_CLASSES else "carla"
