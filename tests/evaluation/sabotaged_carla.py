"""CARLA's environment, whose server is sabotaged in the middle of chosen episodes; importable by spawned workers."""

import os
import signal
from pathlib import Path

import psutil

from sim2real_bench.envs.carla.environment import CarlaDriveEnv

KINDS = ("killed", "stopped", "asynchronous", "ticked", "reloaded")


class SabotagedCarla(CarlaDriveEnv):
    """Does to its server, once, at a tick of the episode of a seed, what a ``KINDS`` says.

    Args:
        faults: seed (text) to kind.
        folder: remembers what was done.
        tick: of the episode.
    """

    def __init__(self, *, faults, folder, tick, port, **options):
        super().__init__(port=port, **options)
        self._server_port, self._faults_of, self._folder, self._at = port, faults, Path(folder), tick

    def reset(self, *, seed=None, options=None):
        self._ticks, self._kind = 0, self._faults_of.get(str(seed))
        return super().reset(seed=seed, options=options)

    def step(self, action):
        self._ticks += 1
        if self._kind and self._ticks == self._at and not (self._folder / self._kind).exists():
            (self._folder / self._kind).touch()
            self._sabotage(self._kind)
        return super().step(action)

    def _sabotage(self, kind):
        if kind in ("killed", "stopped"):
            os.kill(server_pid(self._server_port), signal.SIGKILL if kind == "killed" else signal.SIGSTOP)
            return
        import carla

        client = carla.Client("127.0.0.1", self._server_port, 1)
        client.set_timeout(20.0)
        world = client.get_world()
        settings = world.get_settings()
        if kind == "asynchronous":
            settings.synchronous_mode = False
            world.apply_settings(settings)
        elif kind == "ticked":
            world.tick()
        else:
            client.load_world("MiniTown02")


def server_pid(port):
    """The process that serves a port."""
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if "sim2real_bench.envs.carla.embedded" in command and str(port) in command:
            return process.pid
    raise AssertionError(f"no server on port {port}")
