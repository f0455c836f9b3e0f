"""The contract of a transfer method, as a test class to inherit from: for this package and for yours.

class TestMyMethod(MethodContract):
    method = "my-method"  # the name of its entry point
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from sim2real_bench.agents.agent import Agent
from sim2real_bench.agents.contract import AgentContract
from sim2real_bench.distill.method import build_agent, checkpoint_for, method_named, trainings_of
from sim2real_bench.distill.transfer import TransferRequest
from sim2real_bench.errors import ConfigurationError


class MethodContract(AgentContract):
    """Inherit and set ``method``; pytest then runs the tests below and those of every agent on each of its agents.

    Attributes:
        method: the registered name.
        checkpoint: weights to test with, for a method whose weights do not come with its package.
    """

    method: str = ""
    checkpoint: Path | None = None

    def proxies(self) -> tuple[str | None, ...]:
        """Every proxy the method can be run with; (None,) for a method without."""
        return method_named(self.method).proxies or (None,)

    def agents(self) -> dict[str, Callable[[], Agent]]:
        """An agent for every proxy."""
        return {
            f"{self.method} ({proxy})" if proxy else self.method: partial(
                build_agent, self.method, proxy, 0, self.checkpoint
            )
            for proxy in self.proxies()
        }

    def test_it_says_what_it_reads(self) -> None:
        """The supervision of every proxy is declared: it stands in the table beside the result."""
        entry = method_named(self.method)
        assert entry.supervision, f"{self.method}: supervision is empty; write {{'': Supervision(...)}}"
        for proxy, supervision in entry.supervision.items():
            assert supervision.declared, f"{self.method} {proxy}: say which data it reads"
        mixed = "" in entry.supervision and len(entry.supervision) > 1
        assert not mixed, f"{self.method}: either one entry '' or one entry for each proxy"

    def test_its_weights_are_there(self) -> None:
        """Every checkpoint that comes with the method is in the installation."""
        entry = method_named(self.method)
        unknown = set(entry.checkpoints) - set(entry.supervision)
        assert not unknown, f"{self.method} has checkpoints for {sorted(unknown)}, which are none of its proxies"
        for proxy in self.proxies():
            path = checkpoint_for(self.method, proxy)
            assert path is None or path.is_file(), f"{self.method}: {path} is not in the installed package"

    def test_it_takes_every_controller(self) -> None:
        """An agent is made for each of the benchmark's five controllers."""
        for proxy in self.proxies():
            for controller in range(5):
                build_agent(self.method, proxy, controller, self.checkpoint).reset(0)

    def test_it_refuses_a_proxy_it_does_not_have(self) -> None:
        """A proxy that does not fit is wrong usage."""
        try:
            build_agent(self.method, "smell", 0, self.checkpoint)
        except ConfigurationError as error:
            assert "smell" in str(error)
        else:
            raise AssertionError(f"{self.method} accepted the proxy 'smell'")

    def test_its_training_says_what_it_lacks(self) -> None:
        """Without data sets ``transfer`` explains which option is missing, or that nothing is to be trained."""
        for proxy in self.proxies():
            try:
                trainings_of(self.method, TransferRequest(proxy=proxy))
            except ConfigurationError as error:
                assert str(error)
            else:
                raise AssertionError(
                    f"{self.method} would train without data: ask request.source() or request.target() for it"
                )
