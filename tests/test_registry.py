"""The registry: lookup, suggestions, missing extras."""

import pytest

from sim2real_bench.errors import ConfigurationError, MissingDependencyError, UnknownNameError
from sim2real_bench.registry import Registry, Spec


def registry() -> Registry:
    entries = Registry("method")
    entries.register(Spec("direct", "collections:OrderedDict", "no transfer"))
    entries.register(Spec("needs-more", "no_such_library_xyz:Thing", "needs a library", extra="train"))
    return entries


def test_load_imports_the_target() -> None:
    from collections import OrderedDict

    assert registry().load("direct") is OrderedDict


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'direct'"):
        registry().get("dircet")


def test_a_name_is_taken_once() -> None:
    entries = registry()
    with pytest.raises(ConfigurationError, match="registered already"):
        entries.register(Spec("direct", "json:loads", ""))


def test_missing_extra_names_the_install_line() -> None:
    with pytest.raises(MissingDependencyError, match=r"pip install \"sim2real-bench\[train\]\""):
        registry().load("needs-more")


def test_container_protocol() -> None:
    entries = registry()
    assert "direct" in entries and "x" not in entries and len(entries) == 2
    assert [spec.name for spec in entries] == ["direct", "needs-more"]
