"""Trials of what runs beside the program: Docker, Ray, the video encoder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from importlib import import_module
from pathlib import Path

from sim2real_bench.cli.doctor.check import Finding, Settings, absent, broken, works
from sim2real_bench.cli.doctor.remedies import as_root, extra_install

_DOCKER = "https://docs.docker.com/engine/install/"
_TOOLKIT = "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html"


def docker(settings: Settings) -> Finding:
    """Docker's client finds its daemon, and knows ``docker compose``."""
    if shutil.which("docker") is None:
        return absent("not installed (only docker/compose.yaml needs it)", f"install Docker: {_DOCKER}")
    status, server = _docker("version", "--format", "{{.Server.Version}}")
    if status:
        return broken(_first_line(server), _daemon_remedy(server))
    status, compose = _docker("compose", "version", "--short")
    if status:
        return broken(f"daemon {server}, but no 'docker compose'", f"install its compose plug-in: {_DOCKER}")
    return works(f"daemon {server}, compose {compose}")


def _docker(*arguments: str) -> tuple[int, str]:
    answer = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    return answer.returncode, (answer.stdout if answer.returncode == 0 else answer.stderr).strip()


def _first_line(text: str) -> str:
    return text.splitlines()[0][:160] if text else "docker says nothing"


def _daemon_remedy(words: str) -> str:
    if "permission denied" in words.lower():
        return f"{as_root('usermod -aG docker ' + _user())}, then log in again"
    return as_root("systemctl start docker" if shutil.which("systemctl") else "service docker start")


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def docker_gpu(settings: Settings) -> Finding:
    """Docker can give containers the NVIDIA card; the service ``carla`` needs it."""
    if shutil.which("docker") is None:
        return absent("docker is not installed", f"install Docker: {_DOCKER}")
    status, words = _docker("info", "--format", "{{json .}}")
    if status:
        return absent("Docker's daemon does not answer", _daemon_remedy(words))
    information = json.loads(words)
    devices = [device["ID"] for device in information.get("DiscoveredDevices") or ()]
    if "nvidia" in information.get("Runtimes", {}):
        return works("the runtime 'nvidia' is registered")
    if any(device.startswith("nvidia.com/gpu") for device in devices):
        return works(f"devices {', '.join(devices)}")
    commands = as_root("nvidia-ctk runtime configure --runtime=docker", "systemctl restart docker")
    return absent("no runtime 'nvidia' (the service 'carla' needs it)", f"install {_TOOLKIT} then: {commands}")


def ray(settings: Settings) -> Finding:
    """Ray is there, and which cluster it finds; ``evaluate --executor ray`` needs it."""
    try:
        library = import_module("ray")
    except ModuleNotFoundError:
        return absent("not installed", extra_install("cluster"))
    named = os.environ.get("RAY_ADDRESS")
    try:
        library.init(address=named or "auto", logging_level="error", log_to_driver=False)
    except ConnectionError as error:
        if named:
            return broken(f"RAY_ADDRESS={named}: {str(error).splitlines()[0][:120]}", f"ray status --address {named}")
        return works(f"{library.__version__}; no cluster runs here (ray start --head begins one)")
    nodes = [node for node in library.nodes() if node["Alive"]]
    processors = sum(node["Resources"].get("CPU", 0) for node in nodes)
    library.shutdown()
    return works(f"{library.__version__}; a cluster of {len(nodes)} nodes with {processors:g} processors answers")


def ffmpeg(settings: Settings) -> Finding:
    """The video encoder encodes a few frames; ``evaluate --film`` needs it."""
    try:
        library = import_module("imageio_ffmpeg")
    except ModuleNotFoundError:
        return absent("not installed", extra_install("video"))
    version = library.get_ffmpeg_version()
    encoders = subprocess.run(
        [library.get_ffmpeg_exe(), "-hide_banner", "-encoders"], capture_output=True, text=True, check=True
    ).stdout
    codec, ending = ("libx264", "mp4") if "libx264" in encoders else ("libvpx-vp9", "webm")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"doctor.{ending}"
        writer = library.write_frames(str(path), (64, 48), codec=codec, macro_block_size=1)
        writer.send(None)
        for level in range(3):
            writer.send(bytes([80 * level]) * (64 * 48 * 3))
        writer.close()
        size = path.stat().st_size
    return works(f"ffmpeg {version.split('-')[0]}, {codec}: 3 frames in {size} bytes")
