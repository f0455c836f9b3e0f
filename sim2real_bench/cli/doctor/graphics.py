"""Trials of drawing: headless OpenGL, Vulkan, the NVIDIA driver, a virtual display."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile

from sim2real_bench.cli.doctor.check import Finding, Settings, absent, broken, weak, works
from sim2real_bench.cli.doctor.remedies import system_packages

_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "software rasterizer", "lavapipe", "swiftshader")
_CARLA_GPU_MIB = 6144  # CARLA 0.9.16's documentation asks for 6 GB at least
_NVIDIA = "https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/"


def opengl(settings: Settings) -> Finding:
    """A picture drawn by OpenGL without a display, read back; and who draws it."""
    import moderngl

    # The stub wrongly declares every extra argument a dictionary.
    context = moderngl.create_context(standalone=True, backend="egl", require=330)  # type: ignore[arg-type]
    frame = context.simple_framebuffer((8, 8))
    frame.clear(1.0, 0.0, 0.0, 1.0)
    pixel = frame.read()[:3]
    renderer = str(context.info["GL_RENDERER"])
    found = f"{renderer} ({_kind(renderer)}), OpenGL {context.version_code / 100:.1f} through EGL"
    context.release()
    if pixel != b"\xff\x00\x00":
        return broken(f"{found} draws wrong colours", system_packages("opengl"))
    return works(found)


def _kind(renderer: str) -> str:
    return "software" if any(name in renderer.lower() for name in _SOFTWARE) else "hardware"


_INSTANCE_INFO = 1
_PROPERTIES_BYTES = 4096  # more than VkPhysicalDeviceProperties takes
_TYPE_OFFSET, _NAME_OFFSET = 16, 20
_TYPES = {1: "integrated GPU", 2: "GPU", 3: "virtual GPU", 4: "software"}


def vulkan(settings: Settings) -> Finding:
    """The graphics devices that Vulkan finds; a real CARLA server draws through it."""
    try:
        library = ctypes.CDLL("libvulkan.so.1")
    except OSError:
        return absent("no Vulkan loader (a real CARLA server needs it)", system_packages("vulkan"))
    devices = _vulkan_devices(library)
    named = ", ".join(f"{name} ({kind})" for name, kind in devices)
    if not any("GPU" in kind for _, kind in devices):
        words = f"no graphics card: {named}" if named else "the loader finds no device"
        return absent(f"{words} (a real CARLA server needs one)", f"install the driver of your card: {_NVIDIA}")
    return works(named)


def _vulkan_devices(library: ctypes.CDLL) -> list[tuple[str, str]]:
    """Name and type of every device; the structures are those of vulkan_core.h on 64-bit machines."""
    request = (ctypes.c_uint64 * 8)(_INSTANCE_INFO)  # VkInstanceCreateInfo: its type, everything else zero
    instance = ctypes.c_void_p()
    status = library.vkCreateInstance(request, None, ctypes.byref(instance))
    if status:
        return []  # VK_ERROR_INCOMPATIBLE_DRIVER: the loader found no driver
    count = ctypes.c_uint32()
    library.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None)
    handles = (ctypes.c_void_p * count.value)()
    library.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), handles)
    devices = []
    for handle in handles:
        properties = ctypes.create_string_buffer(_PROPERTIES_BYTES)
        library.vkGetPhysicalDeviceProperties(ctypes.c_void_p(handle), properties)
        kind = int.from_bytes(properties.raw[_TYPE_OFFSET : _TYPE_OFFSET + 4], "little")
        name = properties.raw[_NAME_OFFSET : _NAME_OFFSET + 256].split(b"\0")[0].decode(errors="replace")
        devices.append((name, _TYPES.get(kind, "other")))
    library.vkDestroyInstance(instance, None)
    return devices


def nvidia(settings: Settings) -> Finding:
    """The NVIDIA driver and how much of the card's memory is free; a real CARLA server needs 6 GiB."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return absent("no NVIDIA driver (a real CARLA server needs one)", f"with an NVIDIA card: install {_NVIDIA}")
    query = "--query-gpu=name,driver_version,memory.free,memory.total"
    answer = subprocess.run(
        [program, query, "--format=csv,noheader,nounits"], capture_output=True, text=True, check=False
    )
    if answer.returncode:
        words = (answer.stdout + answer.stderr).strip().splitlines()
        found = f"nvidia-smi: {words[0] if words else f'status {answer.returncode}'}"
        return broken(found, f"install the driver anew and restart the machine: {_NVIDIA}")
    cards = [[field.strip() for field in line.split(",")] for line in answer.stdout.splitlines() if line.strip()]
    if not cards:
        return absent("the driver finds no card", f"install the driver anew and restart the machine: {_NVIDIA}")
    found = "; ".join(f"{name}, driver {driver}, {free} of {total} MiB free" for name, driver, free, total in cards)
    if max(int(free) for _, _, free, _ in cards) < _CARLA_GPU_MIB:
        return weak(found, f"a CARLA server wants {_CARLA_GPU_MIB} MiB: end what uses the card (nvidia-smi names it)")
    return works(found)


def virtual_display(settings: Settings) -> Finding:
    """A virtual display comes up; CoppeliaSim draws only on a display."""
    program = shutil.which("Xvfb")
    if program is None:
        return absent("no Xvfb (CoppeliaSim needs a display to draw)", system_packages("xvfb"))
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [program, "-displayfd", str(writing), "-screen", "0", "64x64x24", "-nolisten", "tcp"],
            pass_fds=(writing,), stdout=log, stderr=log,
        )  # fmt: skip
        os.close(writing)
        try:
            number = os.read(reading, 16).decode().strip()  # end of file where Xvfb ends without a display
        finally:
            os.close(reading)
            process.terminate()
            process.wait()
        if not number:
            log.seek(0)
            words = log.read().decode(errors="replace").strip().splitlines()
            return broken(f"Xvfb does not start: {words[-1] if words else 'no message'}", system_packages("xvfb"))
    return works(f"Xvfb served display :{number}")
