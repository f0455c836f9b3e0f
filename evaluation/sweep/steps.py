"""The sweep as steps: for each method, proxy and number of images one training and one evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sim2real_bench.distill.method import Method, method_named
from sim2real_bench.errors import ConfigurationError
from sim2real_bench.evaluation.recipe.steps import Step
from sim2real_bench.evaluation.rows import ALL_PROXIES

PROXY_STAGE = "proxy"  # f^P: it reads no target data, and is the same for all sizes
_PLAIN = ("task-distillation", "modular")  # share their f^P; other methods have one of their own


@dataclass(frozen=True)
class SweepSettings:
    """What is trained and driven.

    Attributes:
        methods: registered names.
        proxy: "map", "camera" or "all".
        images: numbers of target images; each is met by whole episodes, as nearly as possible.
        target_data: folder of the target's labelled data set.
        proxy_checkpoints: f^P by "PROXY", for task distillation and modular, or by "METHOD:PROXY".
        out: folder of checkpoints, results, data and picture.
        transfer: further words of every ``transfer`` (preset, steps, width ...).
        evaluate: further words of every ``evaluate`` (preset, episodes, horizon ...).
        transfer_aside: words that do not change what is learnt (threads, device).
        evaluate_aside: words that do not change what is driven (workers).
    """

    methods: tuple[str, ...]
    images: tuple[int, ...]
    target_data: Path
    out: Path
    proxy: str = ALL_PROXIES
    proxy_checkpoints: Mapping[str, Path] = field(default_factory=dict)
    transfer: tuple[str, ...] = ()
    evaluate: tuple[str, ...] = ()
    transfer_aside: tuple[str, ...] = ()
    evaluate_aside: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, values in (("methods", self.methods), ("sizes", self.images)):
            if not values or len(set(values)) < len(values):
                raise ConfigurationError(f"--{name} {','.join(map(str, values))!r}: name one or more, each once")
        if min(self.images) < 1:
            raise ConfigurationError(f"--sizes {','.join(map(str, self.images))}: numbers of images are positive")


@dataclass(frozen=True)
class SweepPoint:
    """One method with one number of images.

    Attributes:
        method: registered name.
        proxy: "map", "camera" or None.
        images: asked for.
        checkpoint: the weights it ends in.
        results: folder of its evaluation.
    """

    method: str
    proxy: str | None
    images: int
    checkpoint: Path
    results: Path

    @property
    def name(self) -> str:
        """Told apart from the other points by it."""
        return "-".join([self.method, *([self.proxy] if self.proxy else []), f"{self.images:05d}"])


def sweep_points(settings: SweepSettings) -> list[SweepPoint]:
    """The points, size by size: a first picture is there early.

    Raises:
        UnknownNameError: an unknown method.
        ConfigurationError: a method that needs no training, or has no such proxy.
    """
    lines = [(entry, proxy) for entry in map(_trainable, settings.methods) for proxy in _proxies(entry, settings.proxy)]
    return [_point(settings, entry, proxy, images) for images in settings.images for entry, proxy in lines]


def sweep_steps(settings: SweepSettings) -> list[Step]:
    """A ``transfer`` and an ``evaluate`` for each point."""
    return [step for point in sweep_points(settings) for step in _steps(settings, point)]


def _trainable(name: str) -> Method:
    entry = method_named(name)
    if entry.trainings is None:
        raise ConfigurationError(f"method {name!r} learns nothing from target images; leave it out of --methods")
    return entry


def _proxies(entry: Method, proxy: str) -> Sequence[str | None]:
    if proxy == ALL_PROXIES or not entry.proxies:
        return entry.proxies or (None,)
    entry.key(proxy)
    return (proxy,)


def _point(settings: SweepSettings, entry: Method, proxy: str | None, images: int) -> SweepPoint:
    folder = settings.out / "-".join([entry.name, *([proxy] if proxy else [])]) / f"{images:05d}"
    name = Path(str(entry.checkpoints[entry.key(proxy)])).name
    return SweepPoint(entry.name, proxy, images, folder / f"{name}.safetensors", folder / "results")


def _steps(settings: SweepSettings, point: SweepPoint) -> tuple[Step, Step]:
    proxy = ("--proxy", point.proxy) if point.proxy else ()
    learn = [
        "transfer", "--method", point.method, *proxy, "--target-data", str(settings.target_data),
        "--target-images", str(point.images), "--out", str(point.checkpoint.parent), *settings.transfer,
    ]  # fmt: skip
    if point.proxy and PROXY_STAGE in method_named(point.method).stages:
        learn += ["--part", f"{PROXY_STAGE}={_proxy_checkpoint(settings, point.method, point.proxy)}"]
    row = f"{point.method}:{point.proxy}" if point.proxy else point.method
    drive = [
        "evaluate", "--methods", point.method, *proxy, "--checkpoint", f"{row}={point.checkpoint}",
        "--out", str(point.results), *settings.evaluate,
    ]  # fmt: skip
    return (
        Step(f"{point.name}-train", tuple(learn), point.checkpoint, ("--resume", *settings.transfer_aside)),
        Step(f"{point.name}-drive", tuple(drive), point.results / "table.json", settings.evaluate_aside),
    )


def _proxy_checkpoint(settings: SweepSettings, method: str, proxy: str) -> Path:
    known = settings.proxy_checkpoints
    own = known.get(f"{method}:{proxy}") or (known.get(proxy) if method in _PLAIN else None)
    if own is None:
        raise ConfigurationError(f"f^P of {method} ({proxy}) is missing: --proxy-checkpoint {method}:{proxy}=PATH")
    return own
