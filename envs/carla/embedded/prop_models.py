"""Things a client can put on the road: some of CARLA's ``static.prop`` ids with their sizes."""

from dataclasses import dataclass

from sim2real_bench.envs.carla.embedded.geometry import Vector
from sim2real_bench.envs.classes import CarlaClass


@dataclass(frozen=True)
class PropModel:
    """A prop.

    Attributes:
        type_id: blueprint id.
        half_size: half length, width and height, metres.
        size: CARLA's ``size`` attribute.
        tag: its class.
        body: the renderer's shape.
        paint: RGB.
    """

    type_id: str
    half_size: Vector
    size: str
    tag: CarlaClass = CarlaClass.STATIC
    body: str = ""
    paint: tuple[int, int, int] = (150, 140, 120)


_ORANGE, _RED, _GREY = (214, 92, 30), (170, 40, 34), (128, 130, 132)

_MODELS = (
    PropModel("static.prop.trafficcone01", (0.21, 0.21, 0.35), "small", CarlaClass.DYNAMIC, "cone", _ORANGE),
    PropModel("static.prop.trafficcone02", (0.17, 0.17, 0.25), "small", CarlaClass.DYNAMIC, "cone", _ORANGE),
    PropModel("static.prop.constructioncone", (0.21, 0.21, 0.35), "small", CarlaClass.DYNAMIC, "cone", _ORANGE),
    PropModel("static.prop.barrel", (0.30, 0.30, 0.45), "small", CarlaClass.DYNAMIC, "barrel", _ORANGE),
    PropModel("static.prop.streetbarrier", (0.60, 0.28, 0.50), "medium", CarlaClass.DYNAMIC, "barrier", _RED),
    PropModel("static.prop.trafficwarning", (1.20, 0.80, 1.30), "big", CarlaClass.DYNAMIC, "barrier", _ORANGE),
    PropModel("static.prop.box01", (0.30, 0.25, 0.25), "small", CarlaClass.DYNAMIC, "crate", (164, 128, 84)),
    PropModel("static.prop.box02", (0.35, 0.30, 0.30), "small", CarlaClass.DYNAMIC, "crate", (164, 128, 84)),
    PropModel("static.prop.box03", (0.45, 0.40, 0.40), "small", CarlaClass.DYNAMIC, "crate", (164, 128, 84)),
    PropModel("static.prop.bin", (0.30, 0.30, 0.52), "small", CarlaClass.STATIC, "bin", (60, 74, 62)),
    PropModel("static.prop.trashcan01", (0.28, 0.28, 0.50), "small", CarlaClass.STATIC, "bin", _GREY),
    PropModel("static.prop.container", (1.90, 0.85, 0.95), "big", CarlaClass.STATIC, "crate", (70, 96, 78)),
    PropModel("static.prop.vendingmachine", (0.45, 0.60, 0.95), "medium", CarlaClass.STATIC, "crate", _RED),
)

PROP_MODELS: dict[str, PropModel] = {model.type_id: model for model in _MODELS}
"""Every prop blueprint by its type id."""
