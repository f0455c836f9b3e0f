"""A map's lanes and junctions, read once and kept for the next episodes."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from sim2real_bench.envs.carla.embedded.traffic.junctions import Conflicts
from sim2real_bench.envs.carla.embedded.traffic.lane_graph import LaneGraph

_KEPT = 4


@dataclass(frozen=True, eq=False)
class RoadNetwork:
    """The lanes of a map and where they cross."""

    graph: LaneGraph
    conflicts: Conflicts


_networks: OrderedDict[str, RoadNetwork] = OrderedDict()


def road_network(road_map: Any, xodr: str) -> RoadNetwork:
    """The network of a ``carla.Map`` with its OpenDRIVE text; those of the last few maps are kept."""
    if xodr not in _networks:
        graph = LaneGraph(road_map, xodr)
        _networks[xodr] = RoadNetwork(graph, Conflicts(graph))
    _networks.move_to_end(xodr)
    while len(_networks) > _KEPT:
        _networks.popitem(last=False)
    return _networks[xodr]
