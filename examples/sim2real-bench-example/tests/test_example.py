"""The tests that come with sim2real-bench, for everything this package brings."""

from sim2real_bench_example.simulator import RingRoadEnv

from sim2real_bench.agents.contract import AgentContract, ControllersContract
from sim2real_bench.distill.contract import MethodContract
from sim2real_bench.envs.contract import EnvironmentContract
from sim2real_bench.evaluation.contract import BenchmarkContract, PlugInContract


class TestSimulator(EnvironmentContract):
    camera_observations = ("rgb", "labels")

    def make(self, observations: tuple[str, ...]) -> RingRoadEnv:
        return RingRoadEnv(observations=observations)


class TestBenchmark(BenchmarkContract):
    benchmark = "stk-ring-v1"


class TestAgent(AgentContract):
    agent = "lane-seeker"


class TestMethod(MethodContract):
    method = "road-colour"


class TestControllers(ControllersContract):
    controllers = "pure-pursuit"


class TestPackage(PlugInContract):
    distribution = "sim2real-bench-example"
