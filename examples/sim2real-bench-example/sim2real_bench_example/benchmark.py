"""The benchmark ``stk-ring-v1``: policies that learnt in SuperTuxKart drive on the ring road."""

from sim2real_bench.evaluation.benchmarks import Benchmark

STK_RING_V1 = Benchmark(
    name="stk-ring-v1",
    source="stk",
    target="ring",
    towns={"flat": "Ring40"},
    weathers=("clear", "dusk"),
    completion_m=(50, 100, 250),
    summary="SuperTuxKart to the ring road: drive round a ring of 40 m radius at 20 km/h, 5 controllers",
)
