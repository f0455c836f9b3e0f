"""Where SuperTuxKart's data lies, and the environment variables the engine is started with."""

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from sim2real_bench.errors import MissingDependencyError

DEBIAN_DATA = Path("/usr/share/games/supertuxkart/data")
_ENGINE_DATA_VERSION = "1.5"
_NEEDED = ("tracks", "karts", "skins", "stk_config.xml")
# llvmpipe's anisotropic filtering takes seconds per frame for some views; without it every frame takes milliseconds.
_NO_ANISOTROPY = "-GL_EXT_texture_filter_anisotropic -GL_ARB_texture_filter_anisotropic"


@dataclass(frozen=True)
class Assets:
    """Found game data.

    Attributes:
        path: the folder with ``tracks``, ``karts`` and ``stk_config.xml``.
        kind: where it comes from: "environment", "debian" or "cache".
    """

    path: Path
    kind: str


def find_assets() -> Assets:
    """The game data on this machine: ``SUPERTUXKART_DATADIR``, the Debian package, or the engine's download folder.

    Raises:
        MissingDependencyError: none is complete; the message holds the command that installs it.
    """
    named = os.environ.get("SUPERTUXKART_DATADIR")
    if named:
        for path in (Path(named) / "data", Path(named)):
            if _complete(path):
                return Assets(path, "environment")
        raise MissingDependencyError(
            f"SUPERTUXKART_DATADIR={named} holds no SuperTuxKart data ({', '.join(_NEEDED)} are looked for in it and "
            "in its folder 'data'). Point it at an unpacked SuperTuxKart 1.4 or 1.5, or unset it"
        )
    if _complete(DEBIAN_DATA):
        return Assets(DEBIAN_DATA, "debian")
    cache = Path(platformdirs.user_cache_dir("PySuperTuxKart2")) / _ENGINE_DATA_VERSION
    for path in (cache / "data", *sorted(cache.glob("*/data"))):
        if _complete(path):
            return Assets(path, "cache")
    raise MissingDependencyError(
        f"SuperTuxKart's data is not installed (looked at SUPERTUXKART_DATADIR, {DEBIAN_DATA} and {cache}). "
        "Install it with: apt-get install supertuxkart-data; or unpack a SuperTuxKart 1.5 release and set "
        "SUPERTUXKART_DATADIR to its folder"
    )


def _complete(path: Path) -> bool:
    return all((path / name).exists() for name in _NEEDED)


def engine_environment(assets: Assets, home: Path) -> dict[str, str]:
    """Environment variables that make the engine use ``assets`` and write nowhere but into ``home``.

    The engine wants a data folder that names its version; a few links in ``home`` give it one, so that neither its
    download nor a writable installation is needed.

    Args:
        assets: the game data.
        home: an empty private folder (mode 0700), removed by the caller.
    """
    base = home / "base"
    skins = base / "data" / "skins"
    skins.mkdir(parents=True)
    (base / "data" / f"supertuxkart.{_ENGINE_DATA_VERSION}").touch()
    installed = {entry.name: entry for entry in (assets.path / "skins").iterdir()}
    # Without a skin called "classic" the engine ends at start-up; 1.4 data has none.
    installed.setdefault("classic", assets.path / "skins" / "peach")
    for name, target in installed.items():
        (skins / name).symlink_to(target)
    private = str(home)
    return {
        "SUPERTUXKART_DATADIR": str(base),
        "SUPERTUXKART_ASSETS_DIR": str(assets.path),
        "SUPERTUXKART_SAVEDIR": private,
        "XDG_CONFIG_HOME": private,
        "XDG_DATA_HOME": private,
        "XDG_CACHE_HOME": private,
        "XDG_RUNTIME_DIR": private,
        "SDL_VIDEODRIVER": "offscreen",
        "MESA_EXTENSION_OVERRIDE": _NO_ANISOTROPY,
        # All rasterising on the calling thread: one environment per core scales, threads inside one do not.
        "LP_NUM_THREADS": "0",
    }
