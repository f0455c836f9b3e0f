"""The registry: lookup, suggestions, missing extras, and names that other packages bring."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sim2real_bench.errors import ConfigurationError, MissingDependencyError, PlugInError, UnknownNameError
from sim2real_bench.registry import (
    METHODS,
    Registry,
    Spec,
    blaming_plug_in,
    misplaced_entry_points,
    plug_in_packages,
    plug_in_versions,
)

Install = Callable[..., None]


def registry() -> Registry:
    entries = Registry("method", METHODS)
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
    assert "direct" in entries and "x" not in entries and len(entries) >= 2
    assert [spec.name for spec in entries][:2] == ["direct", "needs-more"]


def test_a_registry_without_a_group_takes_no_foreign_names(install: Install) -> None:
    install("mine", "mine = mine:x", "x = 1")
    assert Registry("thing").names() == []


@pytest.mark.parametrize(
    ("module", "summary"),
    [
        ("class Thing:\n    '''Drives.\n\n    Well.\n    '''\n", "Drives."),
        ("def Thing():\n    '''Makes one.'''\n", "Makes one."),
        ("class _T:\n    '''Not this.'''\n    summary = 'this'\nThing = _T()\n", "this"),
        ("class _T:\n    '''Not this.'''\nThing = _T()\n", ""),
        ("from sim2real_bench.registry import Spec\nThing = Spec('mine', 'mine:other', 'as it says')\n", "as it says"),
    ],
)
def test_what_an_entry_point_names_becomes_a_spec(install: Install, module: str, summary: str) -> None:
    install("mine", "mine = mine:Thing", module + "\nother = 7\n", version="2.5")
    spec = registry().get("mine")
    assert (spec.name, spec.summary, spec.distribution, spec.version) == ("mine", summary, "mine", "2.5")
    assert spec.load() is getattr(sys.modules["mine"], spec.target.partition(":")[2])
    assert spec.is_plug_in and not registry().get("direct").is_plug_in


def test_names_are_listed_without_importing_their_packages(install: Install) -> None:
    install("mine", "mine = mine:Thing\nyours = mine:Thing", "Thing = 1")
    entries = registry()
    assert entries.names() == ["direct", "needs-more", "mine", "yours"]
    assert "mine" in entries and len(entries) == 4
    assert entries.load("direct") is not None
    assert "mine" not in sys.modules
    with pytest.raises(UnknownNameError, match="did you mean 'yours'"):
        entries.get("youre")
    assert "mine" not in sys.modules


@pytest.mark.parametrize(
    ("entry", "module", "words"),
    [
        ("mine = mine:Thing", "import no_such_library_xyz", "ModuleNotFoundError"),
        ("mine = mine:Thing", "1 / 0", "ZeroDivisionError"),
        ("mine = mine:Thing", "def", "SyntaxError"),
        ("mine = mine:Thing", "import sys\nsys.exit('enough')", "SystemExit: enough"),
        ("mine = mine:Thing", "", "AttributeError"),
        ("mine = no_such_module:Thing", "", "no_such_module"),
        ("mine = mine", "", "it names a module"),
        ("mine = ???", "", "entry point '\\?\\?\\?'"),
        ("mine = mine:Thing", "from sim2real_bench.registry import Spec\nThing = Spec('x', 'a:b', '')", "its Spec 'x'"),
    ],
)
def test_a_broken_package_is_named_where_it_is_used_and_nowhere_else(
    install: Install, entry: str, module: str, words: str
) -> None:
    install("mine", entry, module, version="0.3")
    entries = registry()
    assert entries.load("direct") is not None
    with pytest.raises(PlugInError, match=words) as error:
        entries.get("mine")
    assert "'mine' of the package mine 0.3" in str(error.value) and "uninstall" in str(error.value)
    (row,) = [row for row in entries.listed() if row.name == "mine"]
    assert row.spec is None and row.problem == str(error.value)
    assert [spec.name for spec in entries] == ["direct", "needs-more"]


@pytest.mark.parametrize("name", ["My-Agent", "a,b", "snake_case", "x" * 65, "-x"])
def test_a_name_that_could_not_be_typed_or_submitted_is_refused(install: Install, name: str) -> None:
    install("mine", f"{name} = mine:Thing", "Thing = 1")
    with pytest.raises(PlugInError, match="names are lower case letters"):
        registry().get(name)


def test_a_target_that_fails_late_is_the_packages_failure(install: Install, tmp_path: Path) -> None:
    (tmp_path / "mine_late.py").write_text("import no_such_library_xyz")
    module = "from sim2real_bench.registry import Spec\n"
    module += "Thing = Spec('mine', 'mine:Late', 'x')\nNeeds = Spec('needs', 'mine_late:y', 'x', 'gpu')\n"
    install("mine", "mine = mine:Thing\nneeds = mine:Needs", module)
    assert registry().get("mine").summary == "x"
    with pytest.raises(PlugInError, match=r"'mine' of the package mine 1.0 cannot be imported from 'mine:Late'"):
        registry().load("mine")
    with pytest.raises(MissingDependencyError, match=r'pip install "mine\[gpu\]"$'):
        registry().load("needs")


def test_a_name_offered_twice_means_nothing(install: Install) -> None:
    install("one", "direct = one:Thing\nboth = one:Thing\nalone = one:Thing", "Thing = 1")
    install("two", "both = two:Thing", "Thing = 2", version="3.1")
    entries = registry()
    with pytest.raises(PlugInError, match=r"'direct' is offered by sim2real-bench and by one 1\.0"):
        entries.load("direct")
    with pytest.raises(PlugInError, match=r"'both' is offered by one 1.0 and by two 3.1.*rename the entry point"):
        entries.get("both")
    assert entries.load("alone") == 1
    assert entries.names() == ["direct", "needs-more", "alone", "both"]
    assert {row.name for row in entries.listed() if row.problem} == {"direct", "both"}


def test_a_misspelt_group_is_noticed(install: Install) -> None:
    install("mine", "mine = mine:Thing", group="sim2real_bench.method")
    assert registry().names() == ["direct", "needs-more"]
    (row,) = misplaced_entry_points()
    assert (
        "mine 1.0 offers 'mine' in the entry-point group 'sim2real_bench.method', which does not exist" in row.problem
    )


def test_records_name_the_packages_a_result_depends_on(install: Install) -> None:
    install("mine", "mine = mine.deep:Thing", version="2.0")
    install("yours", "yours = yours:Thing", version="4.0")
    assert plug_in_versions(["sim2real_bench.envs:make", "json"]) == {}
    assert plug_in_versions(["mine.elsewhere:Other"]) == {"mine": "2.0"}
    assert plug_in_versions(["json"], [(METHODS, "yours"), (METHODS, "direct")]) == {"yours": "4.0"}
    assert plug_in_packages().items() >= {"mine": "2.0", "yours": "4.0"}.items()


def test_failures_of_foreign_code_name_its_package(install: Install) -> None:
    install("mine", "mine = mine:Thing", version="2.0")
    blamed = pytest.raises(PlugInError, match=r"driving failed in the package mine 2.0 .*ZeroDivisionError")
    with blamed, blaming_plug_in("mine:Thing", "driving"):
        _ = 1 / 0
    with pytest.raises(ZeroDivisionError), blaming_plug_in("collections:OrderedDict", "driving"):
        _ = 1 / 0
    with pytest.raises(ConfigurationError, match="as it is"), blaming_plug_in("mine:Thing", "driving"):
        raise ConfigurationError("as it is")
