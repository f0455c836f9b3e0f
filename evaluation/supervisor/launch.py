"""What is launched: the command of a simulator, and how to ask it whether it works."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sim2real_bench.errors import ConfigurationError
from sim2real_bench.evaluation.supervisor.orders import filled

CARLA_PROBE = "sim2real_bench.envs.carla.probe:check"
COPPELIA_PROBE = "sim2real_bench.envs.coppelia.probe:check"
CARLA_IMAGE = "carlasim/carla:0.9.16"
_THREAD_VARIABLES = ("LP_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Launch:
    """How a simulator is started and asked; plain data, made by the functions of this module or by hand.

    Every start leases eight consecutive ports. Placeholders in the commands: ``{port}`` the first of them,
    ``{stream_port}`` the next, ``{name}`` a unique name, ``{folder}`` a folder for temporary files (also ``TMPDIR``),
    ``{python}`` the interpreter of the machine on which it is started, ``{slot}`` the number of the executor's slot
    from 0 on (to spread simulators over graphics cards).

    Attributes:
        name: for messages and log files.
        command: program and arguments; it must stay in the foreground as long as the simulator lives.
        probe: import path ``package.module:function`` of what asks it (see ``envs.health``).
        expects: keyword arguments of the probe.
        environment: variables added to this process's.
        removal: command that removes what does not run below ``command`` (a container); may be run more than once.
        inspection: command that prints the process id of such a thing, for its memory.
    """

    name: str
    command: tuple[str, ...]
    probe: str
    expects: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    removal: tuple[str, ...] = ()
    inspection: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.command:
            raise ConfigurationError(f"the command of {self.name} is empty")
        if not any("{port}" in part for part in self.command):
            raise ConfigurationError(
                f"the command of {self.name}, {shlex.join(self.command)!r}, does not say where its port goes: write "
                "{port} into it"
            )

    def in_slot(self, number: int) -> Launch:
        """The same with ``{slot}`` filled in."""
        values = {"slot": number}
        return replace(self, command=tuple(filled(part, values) for part in self.command))


def embedded_carla(town: str = "MiniTown01", threads: int | None = None) -> Launch:
    """The embedded CARLA server.

    Args:
        town: its first map.
        threads: for drawing; None = one per core.
    """
    module = "sim2real_bench.envs.carla.embedded"
    command = ("{python}", "-m", module, "--host", "127.0.0.1", "--port", "{port}", "--town", town)
    environment = {} if threads is None else dict.fromkeys(_THREAD_VARIABLES, str(threads))
    return Launch("embedded-carla", command, CARLA_PROBE, {"town": town}, environment)


def carla_command(command: str | Sequence[str], town: str | None = None) -> Launch:
    """A real CARLA 0.9.16 on this machine.

    Args:
        command: a line (split as a shell would, but not run by one) or the parts, for example
            ``/opt/carla/CarlaUE4.sh -RenderOffScreen -nosound -carla-rpc-port={port} -graphicsadapter=0`` (CARLA
            ignores ``CUDA_VISIBLE_DEVICES``).
        town: loaded before it counts as ready; None = whatever it starts with.
    """
    return Launch("carla", _parts(command), CARLA_PROBE, {"town": town})


def carla_docker(
    image: str = CARLA_IMAGE,
    gpu: str | None = "all",
    town: str | None = None,
    arguments: Sequence[str] = ("-RenderOffScreen", "-nosound"),
    docker: str = "docker",
) -> Launch:
    """A real CARLA 0.9.16 in a container, reached through loopback only, removed by its name.

    Args:
        image: pin it by digest where results are published.
        gpu: value of ``docker run --gpus`` ("all", "device=0", "device={slot}"); None = no GPU.
        town: loaded before it counts as ready; None = whatever it starts with.
        arguments: of CarlaUE4.sh.
        docker: the command line client.
    """
    # Clients are told the server's own port numbers, so the container publishes them unchanged. Streams use the port
    # after the one for calls. Vulkan needs more of the driver than containers get by default.
    command = [docker, "run", "--rm", "--name", "{name}", "--user", "carla"]
    command += ["--publish", "127.0.0.1:{port}:{port}", "--publish", "127.0.0.1:{stream_port}:{stream_port}"]
    command += ["--gpus", gpu, "--env", "NVIDIA_DRIVER_CAPABILITIES=all"] if gpu else []
    command += [image, "bash", "CarlaUE4.sh", *arguments, "-carla-rpc-port={port}"]
    removal = (docker, "rm", "--force", "{name}")
    inspection = (docker, "inspect", "--format", "{{.State.Pid}}", "{name}")
    return Launch("carla-docker", tuple(command), CARLA_PROBE, {"town": town}, {}, removal, inspection)


def coppelia_command(command: str | Sequence[str], objects: Sequence[str] = ()) -> Launch:
    """CoppeliaSim 4.6 or newer on this machine.

    Args:
        command: a line or its parts, for example
            ``xvfb-run --auto-servernum ./coppeliaSim.sh -h -GzmqRemoteApi.rpcPort={port} scene.ttt``.
        objects: paths that its scene must have, for example ``/UR5/joint``.
    """
    return Launch("coppelia", _parts(command), COPPELIA_PROBE, {"objects": tuple(objects)})


def _parts(command: str | Sequence[str]) -> tuple[str, ...]:
    if not isinstance(command, str):
        return tuple(command)
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise ConfigurationError(f"cannot split the command {command!r}: {error}") from error
