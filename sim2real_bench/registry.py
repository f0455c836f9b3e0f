"""One registry for everything that has a name: import paths as text, so that listing imports nothing heavy.

Names of this package are registered by its modules. Names of other installed packages come from their entry points;
nothing of such a package is imported before one of its names is used or listed.
"""

import inspect
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from operator import attrgetter
from typing import Any

from sim2real_bench.errors import (
    ConfigurationError,
    MissingDependencyError,
    PlugInError,
    Sim2RealError,
    UnknownNameError,
)

OWN_DISTRIBUTION = "sim2real-bench"
SIMULATORS = "sim2real_bench.simulators"
BENCHMARKS = "sim2real_bench.benchmarks"
METHODS = "sim2real_bench.methods"
AGENTS = "sim2real_bench.agents"
CONTROLLERS = "sim2real_bench.controllers"
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
GROUPS = (SIMULATORS, BENCHMARKS, METHODS, AGENTS, CONTROLLERS)
"""The entry-point groups that other packages add names to."""


@dataclass(frozen=True)
class Spec:
    """A registered name.

    Attributes:
        name: what a user types.
        target: import path ``package.module:attribute``.
        summary: one line for ``sim2real-bench list``.
        extra: the optional dependency set it needs (``pip install "sim2real-bench[extra]"``), or "".
        detail: further facts as (key, value) pairs, for example the licence or the determinism grade.
        distribution: the installed package the name comes from; filled in for entry points.
        version: of that package.
    """

    name: str
    target: str
    summary: str
    extra: str = ""
    detail: tuple[tuple[str, str], ...] = ()
    distribution: str = OWN_DISTRIBUTION
    version: str = ""

    @property
    def is_plug_in(self) -> bool:
        """Whether another package brings the name."""
        return self.distribution != OWN_DISTRIBUTION

    def load(self) -> Any:
        """Import and return the target.

        Raises:
            MissingDependencyError: a library of the extra is not installed; the message holds the install line.
            PlugInError: the name is another package's, and importing it fails.
        """
        module, _, attribute = self.target.partition(":")
        try:
            return attrgetter(attribute)(import_module(module))
        except ModuleNotFoundError as error:
            missing = _top_package(error.name or "")
            own = _top_package(module) if self.is_plug_in else "sim2real_bench"
            if self.extra and missing not in ("sim2real_bench", own):
                raise self._not_installed(missing) from error
            if not self.is_plug_in:
                raise
            raise self._broken(error) from error
        except Exception as error:
            if not self.is_plug_in:
                raise
            raise self._broken(error) from error

    def _not_installed(self, package: str) -> MissingDependencyError:
        pins = "" if self.is_plug_in else " -c constraints.txt"
        return MissingDependencyError(
            f"{self.name!r} needs the Python package {package!r}, which is not installed. "
            f'Install it with: pip install "{self.distribution}[{self.extra}]"{pins}'
        )

    def _broken(self, error: BaseException) -> PlugInError:
        return PlugInError(
            f"{self.name!r} of the package {self.distribution} {self.version} cannot be imported from "
            f"{self.target!r}: {type(error).__name__}: {error}. Mend that package, or uninstall it"
        )


@dataclass(frozen=True)
class Listed:
    """A name as ``list`` shows it.

    Attributes:
        name: what a user types.
        spec: what it stands for; None where it cannot be used.
        problem: why not, in words, or "".
    """

    name: str
    spec: Spec | None
    problem: str = ""


class Registry:
    """A mapping from names to specs of one kind (simulators, methods, agents, benchmarks, controllers).

    Args:
        kind: in words, for messages.
        group: entry-point group in which other packages add names of this kind; "" = they cannot.
    """

    def __init__(self, kind: str, group: str = "") -> None:
        self.kind = kind
        self.group = group
        self._specs: dict[str, Spec] = {}
        self._loaded: dict[EntryPoint, Spec] = {}

    def register(self, spec: Spec) -> None:
        """Add a name of this package; a name can be taken once."""
        if spec.name in self._specs:
            raise ConfigurationError(
                f"{self.kind} {spec.name!r} is registered already: {self._specs[spec.name].target}"
            )
        self._specs[spec.name] = spec

    def names(self) -> list[str]:
        """All names, this package's first; imports no other package."""
        return list(dict.fromkeys([*self._specs, *(entry.name for entry in self._entry_points())]))

    def get(self, name: str, also: Iterable[str] = ()) -> Spec:
        """The spec of a name.

        Args:
            name: what the user typed.
            also: names of other kinds that are accepted in the same place, for the suggestions.

        Raises:
            UnknownNameError: with the nearest known names.
            PlugInError: the name is offered twice, or the package that offers it is broken.
        """
        offers = [entry for entry in self._entry_points() if entry.name == name]
        if len(offers) + (name in self._specs) > 1:
            raise self._clash(name, offers)
        if offers:
            return self._resolved(offers[0])
        if name in self._specs:
            return self._specs[name]
        known = sorted({*self.names(), *also})
        near = get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise UnknownNameError(
            f"unknown {self.kind} {name!r}: {hint}known: {', '.join(known)} (see: sim2real-bench list)"
        )

    def load(self, name: str) -> Any:
        """Import what a name stands for."""
        return self.get(name).load()

    def listed(self) -> list[Listed]:
        """Every name with its spec or its problem; reads the entry points of other packages."""
        rows = []
        for name in self.names():
            try:
                rows.append(Listed(name, self.get(name)))
            except PlugInError as error:
                rows.append(Listed(name, None, str(error)))
        return rows

    def __iter__(self) -> Iterator[Spec]:
        return (row.spec for row in self.listed() if row.spec is not None)

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __len__(self) -> int:
        return len(self.names())

    def _entry_points(self) -> list[EntryPoint]:
        return [entry for entry in installed_entry_points() if entry.group == self.group]

    def _resolved(self, entry: EntryPoint) -> Spec:
        if entry not in self._loaded:
            self._loaded[entry] = _spec_of(entry, self.kind)
        return self._loaded[entry]

    def _clash(self, name: str, offers: list[EntryPoint]) -> PlugInError:
        sources = [OWN_DISTRIBUTION] * (name in self._specs) + [_package(entry) for entry in offers]
        return PlugInError(
            f"the {self.kind} {name!r} is offered by {' and by '.join(sources)}, so it is unclear which is meant. "
            f"Uninstall one of the packages, or rename the entry point (group {self.group!r})"
        )


@cache
def installed_entry_points() -> tuple[EntryPoint, ...]:
    """All entry points of installed packages in groups that begin with ``sim2real_bench.``, read once."""
    offered = entry_points()
    groups = [group for group in offered.groups if group.startswith("sim2real_bench.")]
    found = [entry for group in groups for entry in offered.select(group=group)]
    return tuple(sorted(found, key=lambda entry: (entry.group, entry.name, _package(entry))))


def misplaced_entry_points() -> list[Listed]:
    """Entry points in a group of ours that does not exist: most likely a misspelling."""
    return [
        Listed(
            entry.name,
            None,
            f"{_package(entry)} offers {entry.name!r} in the entry-point group {entry.group!r}, which does not exist; "
            f"groups: {', '.join(GROUPS)}",
        )
        for entry in installed_entry_points()
        if entry.group not in GROUPS
    ]


def plug_in_packages() -> dict[str, str]:
    """Names and versions of the installed packages that offer anything here."""
    return {entry.dist.name: entry.dist.version for entry in installed_entry_points() if entry.dist is not None}


def plug_in_versions(targets: Iterable[str], names: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """Versions of the plug-in packages that a result depends on, for its record.

    Args:
        targets: import paths ``package.module:attribute``; those of packages without entry points here are skipped.
        names: (entry-point group, name); names of this package are skipped.
    """
    packages, wanted = {_top_package(target) for target in targets}, set(names)
    return {
        entry.dist.name: entry.dist.version
        for entry in installed_entry_points()
        if entry.dist is not None and (_top_package(entry.value) in packages or (entry.group, entry.name) in wanted)
    }


@contextmanager
def blaming_plug_in(target: str, what: str) -> Iterator[None]:
    """Turn any exception of another package's code into an error that names the package.

    Args:
        target: import path of what is used; nothing changes where it is not another package's.
        what: is being done, for the message.

    Raises:
        PlugInError: the package's code raised something that is not an error of this package.
    """
    try:
        yield
    except Sim2RealError:
        raise
    except Exception as error:
        packages = " ".join(f"{name} {version}" for name, version in plug_in_versions([target]).items())
        if not packages:
            raise
        raise PlugInError(
            f"{what} failed in the package {packages} ({target}): {type(error).__name__}: {error}. Mend that package"
        ) from error


def _spec_of(entry: EntryPoint, kind: str) -> Spec:
    """What an entry point stands for: the ``Spec`` it names, or one made for the object it names."""
    if not _NAME.fullmatch(entry.name):
        raise _problem(entry, kind, "names are lower case letters, digits, '.' and '-', at most 64")
    try:
        thing = entry.load()
        target = f"{entry.module}:{entry.attr}"
    except (Exception, SystemExit) as error:  # whatever a foreign module does while it is imported
        raise _problem(entry, kind, f"{type(error).__name__}: {error}") from error
    if not entry.attr:
        raise _problem(entry, kind, f"it names a module; write {entry.name} = 'package.module:attribute'")
    distribution, version = (entry.dist.name, entry.dist.version) if entry.dist else ("?", "?")
    if not isinstance(thing, Spec):
        return Spec(entry.name, target, _summary(thing), distribution=distribution, version=version)
    if thing.name != entry.name:
        raise _problem(entry, kind, f"the entry point is called {entry.name!r}, but its Spec {thing.name!r}")
    return replace(thing, distribution=distribution, version=version)


def _summary(thing: Any) -> str:
    """One line about an object: its own ``summary``, or the first line of the docstring of a class or function."""
    own = getattr(thing, "summary", None)
    described = inspect.isclass(thing) or inspect.isroutine(thing)
    text = own if isinstance(own, str) else (inspect.getdoc(thing) or "") if described else ""
    return text.strip().partition("\n")[0]


def _problem(entry: EntryPoint, kind: str, what: str) -> PlugInError:
    return PlugInError(
        f"the {kind} {entry.name!r} of the package {_package(entry)} cannot be used (entry point {entry.value!r} in "
        f"group {entry.group!r}): {what}. Mend that package, or uninstall it"
    )


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unnamed package"


def _top_package(target: str) -> str:
    return target.partition(":")[0].strip().partition(".")[0]
