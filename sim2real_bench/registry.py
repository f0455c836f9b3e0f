"""One registry for everything that has a name: import paths as text, so that listing imports nothing heavy."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from sim2real_bench.errors import ConfigurationError, MissingDependencyError, UnknownNameError


@dataclass(frozen=True)
class Spec:
    """A registered name.

    Attributes:
        name: what a user types.
        target: import path ``package.module:attribute``.
        summary: one line for ``sim2real-bench list``.
        extra: the optional dependency set it needs (``pip install "sim2real-bench[extra]"``), or "".
        detail: further facts as (key, value) pairs, for example the licence or the determinism grade.
    """

    name: str
    target: str
    summary: str
    extra: str = ""
    detail: tuple[tuple[str, str], ...] = ()

    def load(self) -> Any:
        """Import and return the target.

        Raises:
            MissingDependencyError: a library of the extra is not installed; the message holds the install line.
        """
        module, _, attribute = self.target.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] == "sim2real_bench" or not self.extra:
                raise
            raise MissingDependencyError(
                f"{self.name!r} needs the Python package {error.name!r}, which is not installed. "
                f'Install it with: pip install "sim2real-bench[{self.extra}]" -c constraints.txt'
            ) from error


class Registry:
    """A mapping from names to specs of one kind (simulators, methods, agents, benchmarks)."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._specs: dict[str, Spec] = {}

    def register(self, spec: Spec) -> None:
        """Add a spec; a name can be taken once."""
        if spec.name in self._specs:
            raise ConfigurationError(
                f"{self.kind} {spec.name!r} is registered already: {self._specs[spec.name].target}"
            )
        self._specs[spec.name] = spec

    def get(self, name: str) -> Spec:
        """The spec of a name.

        Raises:
            UnknownNameError: with the nearest known names.
        """
        if name in self._specs:
            return self._specs[name]
        near = get_close_matches(name, self._specs, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise UnknownNameError(
            f"unknown {self.kind} {name!r}: {hint}known: {', '.join(sorted(self._specs))} (see: sim2real-bench list)"
        )

    def load(self, name: str) -> Any:
        """Import what a name stands for."""
        return self.get(name).load()

    def __iter__(self) -> Iterator[Spec]:
        return iter(self._specs.values())

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def __len__(self) -> int:
        return len(self._specs)
