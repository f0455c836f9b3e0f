"""Trials of the driving simulators: each starts, ticks and gives a picture."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from sim2real_bench.cli.doctor.check import Finding, Settings, absent, broken, works
from sim2real_bench.cli.doctor.remedies import checkout, extra_install, system_packages

_CARLA_TIMEOUT_S = 5.0


def stk_assets(settings: Settings) -> Finding:
    """SuperTuxKart's tracks and karts."""
    from sim2real_bench.envs.supertuxkart.assets import find_assets
    from sim2real_bench.errors import MissingDependencyError

    try:
        assets = find_assets()
    except MissingDependencyError as error:
        return absent(str(error).split(". ")[0], stk_assets_remedy())
    return works(f"{assets.path} ({assets.kind})")


def stk_assets_remedy() -> str:
    """The install line, and the variable that must not lead elsewhere."""
    if os.environ.get("SUPERTUXKART_DATADIR"):
        return f"unset SUPERTUXKART_DATADIR, or point it at SuperTuxKart 1.4 or 1.5; {system_packages('stk-assets')}"
    if shutil.which("apt-get"):
        return system_packages("stk-assets")
    return f"{system_packages('stk-assets')}; export SUPERTUXKART_DATADIR=/usr/share/supertuxkart"


def stk_frame(settings: Settings) -> Finding:
    """SuperTuxKart's engine starts, ticks and draws."""
    from sim2real_bench.envs.supertuxkart.environment import SuperTuxKartEnv

    with SuperTuxKartEnv("lighthouse", observations=("rgb",), width=160, height=96) as environment:
        found = _first_tick(environment)
    return works(f"lighthouse: {found}")


def embedded_frame(settings: Settings) -> Finding:
    """The embedded CARLA server starts, ticks and draws."""
    from sim2real_bench.envs.carla.environment import CarlaDriveEnv

    with CarlaDriveEnv(backend="embedded", observations=("rgb",)) as environment:
        found, version = _first_tick(environment), environment.backend_version
    return works(f"{version}: {found}")


def _first_tick(environment: Any) -> str:
    import numpy as np

    environment.reset(seed=0)
    image = environment.step(np.zeros(environment.action_space.shape, np.float32))[0]["rgb"]
    if image.max() == image.min():
        raise ArithmeticError(f"the picture is all {image.max()}: nothing was drawn")
    return f"one tick, {image.shape[1]}x{image.shape[0]} picture, mean grey {image.mean():.0f}"


def carla_client(settings: Settings) -> Finding:
    """CARLA's client library, of the version that is spoken here."""
    import carla

    from sim2real_bench.envs.carla.backends import CLIENT_VERSION

    found = str(carla.Client("127.0.0.1", 1, 1).get_client_version())  # asks nobody
    if found != CLIENT_VERSION:
        return broken(f"{found}, not {CLIENT_VERSION}", extra_install("carla"))
    cache = Path.home() / "carlaCache"  # the client keeps maps there, and fails where it cannot
    try:
        with tempfile.TemporaryFile(dir=cache if cache.exists() else cache.parent):
            return works(f"{found}, keeps maps in {cache}")
    except OSError as error:
        return broken(f"{found} cannot write maps to {cache}: {error.strerror}", "export HOME=FOLDER, one of yours")


def carla_server(settings: Settings) -> Finding:
    """The CARLA server at --host, --port answers: version, map, settings. Nothing is ticked, loaded or changed."""
    from sim2real_bench.envs.carla.backends import CLIENT_VERSION, port_accepts

    address = f"{settings.carla_host}:{settings.carla_port}"
    if not port_accepts(settings.carla_host, settings.carla_port):
        return absent(f"no server at {address}", _start_carla(settings.carla_port))
    import carla

    client = carla.Client(settings.carla_host, settings.carla_port, 1)
    client.set_timeout(_CARLA_TIMEOUT_S)
    try:
        version = str(client.get_server_version())
        if version != CLIENT_VERSION:
            return broken(f"{address} is CARLA {version}, not {CLIENT_VERSION}", _start_carla(settings.carla_port))
        world = client.get_world()
        town, synchronous = world.get_map().name.rpartition("/")[2], world.get_settings().synchronous_mode
        frame = world.get_snapshot().frame
    except RuntimeError as error:
        words = str(error).splitlines()[0]
        return broken(f"{address} accepts connections but does not answer as CARLA: {words}", carla_server_remedy())
    mode = "synchronous" if synchronous else "asynchronous"
    return works(f"CARLA {version} at {address}: {town}, {mode}, frame {frame}; left as it was")


def _start_carla(port: int) -> str:
    embedded = f"sim2real-bench serve carla --port {port}"
    if checkout() is not None and port == 2000:
        return f"docker compose -f docker/compose.yaml --profile carla up -d carla (needs an NVIDIA GPU); or {embedded}"
    return f"./CarlaUE4.sh -RenderOffScreen -nosound -carla-rpc-port={port} (needs an NVIDIA GPU); or {embedded}"


def carla_server_remedy() -> str:
    """For a server that hangs."""
    return "restart that server, or name another with --host and --port"


def vizdoom_frame(settings: Settings) -> Finding:
    """ViZDoom's engine starts, ticks and draws."""
    try:
        library = import_module("vizdoom")
    except ModuleNotFoundError:
        return absent("not installed", extra_install("vizdoom"))
    game = library.DoomGame()
    game.load_config(str(Path(library.scenarios_path) / "basic.cfg"))
    game.set_window_visible(False)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # it writes where it is started
        game.init()
        game.advance_action()
        image = game.get_state().screen_buffer
        game.close()
    if image.max() == image.min():
        raise ArithmeticError(f"the picture is all {image.max()}: nothing was drawn")
    return works(f"{library.__version__}: one tick, picture of {image.size} values, mean {image.mean():.0f}")
