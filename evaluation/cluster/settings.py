"""Where the cluster is and what one worker of it takes."""

from __future__ import annotations

from dataclasses import dataclass

from sim2real_bench.errors import ConfigurationError


@dataclass(frozen=True)
class RaySettings:
    """How an evaluation uses a Ray cluster that runs already; nothing here changes its results.

    Attributes:
        address: ``HOST:PORT`` of the cluster's head, or ``auto``: the cluster that this machine is a node of (the
            environment variable ``RAY_ADDRESS`` where it is set).
        cpus_per_worker: processors that one worker with its simulator is given, and the threads it draws with.
    """

    address: str = "auto"
    cpus_per_worker: int = 1

    def __post_init__(self) -> None:
        if self.cpus_per_worker < 1:
            raise ConfigurationError(f"{self.cpus_per_worker} CPUs for a worker; give it at least 1 (--ray-cpus)")
        host, _, port = self.address.rpartition(":")
        if self.address != "auto" and not (host and "/" not in self.address and port.isdecimal()):
            raise ConfigurationError(
                f"--ray-address {self.address!r}: write HOST:PORT of the cluster's head, or auto for the cluster that "
                "this machine is a node of; the command is run on a machine of the cluster"
            )
