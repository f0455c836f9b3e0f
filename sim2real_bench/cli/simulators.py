"""From the options that say where the target simulator runs to what a run needs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim2real_bench.evaluation.execution.slots import SlotKeeper
    from sim2real_bench.evaluation.plan import Configuration
    from sim2real_bench.evaluation.supervisor import Launch


@dataclass(frozen=True)
class SimulatorOptions:
    """What was typed about the simulators.

    Attributes:
        host: of a server that runs already.
        port: of a server that runs already.
        workers: simulators at once.
        launch: command that starts a CARLA server.
        launch_docker: image that holds one.
        recycle_after: a new simulator process after this many episodes.
        memory_limit_mib: a new one when its processes hold more.
        threads: an embedded server draws with; an equal share of this machine's cores when absent.
    """

    host: str | None = None
    port: int | None = None
    workers: int | None = None
    launch: str | None = None
    launch_docker: str | None = None
    recycle_after: int | None = None
    memory_limit_mib: float | None = None
    threads: int | None = None

    def check(self, configuration: Configuration) -> None:
        """Refuse what does not fit together.

        Raises:
            ConfigurationError: naming the options.
        """
        from sim2real_bench.errors import ConfigurationError

        place = _given({"--host": self.host, "--port": self.port})
        start = _given({"--launch": self.launch, "--launch-docker": self.launch_docker})
        care = _given({"--recycle-after": self.recycle_after, "--memory-limit": self.memory_limit_mib})
        if configuration.backend != "server":
            if place or start:
                raise ConfigurationError(
                    f"{' and '.join(place + start)} is for --backend server; the {configuration.backend} simulator is "
                    "started for you"
                )
            return
        if len(start) > 1 or (start and place):
            raise ConfigurationError(f"{' and '.join(start + place)}: give one way to come to a server")
        if not start and care:
            raise ConfigurationError(f"{' and '.join(care)} is for servers that are started here; add --launch")
        if not start and self.workers not in (None, 1):
            raise ConfigurationError(
                f"--workers {self.workers}: one CARLA server serves one worker; leave --workers out, or let --launch "
                "start a server for each"
            )

    @property
    def _launches(self) -> bool:
        return bool(self.launch or self.launch_docker)

    def worker_count(self, configuration: Configuration) -> int:
        """How many simulators run at once."""
        if configuration.backend == "server":
            return self.workers or 1
        return self.workers or min(2, os.cpu_count() or 1)

    def environment_options(self, configuration: Configuration) -> dict[str, object]:
        """Keyword arguments of the environment."""
        options: dict[str, object] = {"backend": configuration.backend, "town": configuration.town}
        if configuration.backend == "server" and configuration.target == "carla" and not self._launches:
            return options | {"host": self.host or "127.0.0.1", "port": self.port}
        typed = {"host": self.host, "port": self.port}
        return options | {name: value for name, value in typed.items() if value is not None}

    def keeper(self, configuration: Configuration) -> SlotKeeper | None:
        """What starts, watches and replaces the simulators; None where the environment finds its own.

        Raises:
            ConfigurationError: a command that cannot be used.
        """
        from sim2real_bench.evaluation.supervisor import Policy, SupervisorKeeper

        launch = self._launch(configuration)
        if launch is None:
            return None
        policy = Policy(recycle_after=self.recycle_after, memory_limit_mib=self.memory_limit_mib)
        return SupervisorKeeper(launch, policy)

    def _launch(self, configuration: Configuration) -> Launch | None:
        from sim2real_bench.evaluation.supervisor import carla_command, carla_docker, embedded_carla

        if configuration.target != "carla":
            return None
        if configuration.backend == "embedded":
            share = self.threads or max(1, (os.cpu_count() or 1) // self.worker_count(configuration))
            return embedded_carla(configuration.town, threads=share)
        if self.launch:
            return carla_command(self.launch, configuration.town)
        return carla_docker(self.launch_docker, town=configuration.town) if self.launch_docker else None


def _given(options: dict[str, object]) -> list[str]:
    """Those that were typed, for a message."""
    return [f"{name} {value}" for name, value in options.items() if value is not None]
