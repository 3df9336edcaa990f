"""The layout of the package: imports go down only and never in circles, and a class name means one thing."""

import ast
from collections import defaultdict
from pathlib import Path

import loglik

# From top to bottom. A module imports from the layers below its own, and from its own layer where that makes no circle. Lazy
# imports and those for type checkers count. A package stands for all of its modules. `__init__` is the list of public names: who
# stands below it takes an object from the module that defines it, and a module as `from loglik import <module>`.
LAYERS = {
    "commands and optional faces": "__main__ cli tour bench sklearn torch data _commands",
    "the public names": "__init__",
    "public modules": "losses divergences estimate moments priors bayes dice",
    "what users make": "distributions",
    "rooms": "_gaussian _discrete _dice _divergences _estimation _fitting _losses _faces _saving",
    "what knows no distribution": "_engine",
    "the extension": "ufuncs _ufunc_docs _kernels",
}
MOST_FILES_AT_THE_TOP = 16

ROOT = Path(loglik.__file__).parent
LEVEL = {room: level for level, rooms in enumerate(LAYERS.values()) for room in rooms.split()}


def _modules() -> dict[str, Path]:
    """Every module by its name without "loglik.", a package by the name of its folder; the extension has no Python file."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return found


MODULES = _modules()
TREES = {name: ast.parse(path.read_text(encoding="utf-8"), str(path)) for name, path in MODULES.items()}


def _imported(name: str) -> set[str]:
    """The modules of the package that a module imports anywhere in its text."""
    found = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{MODULES[name]}:{node.lineno}: imports inside the package are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    targets = set()
    for dotted in found:
        first, _, rest = dotted.partition(".")
        if first != "loglik":
            continue
        while rest and rest not in MODULES and rest != "_kernels":  # an object: the module that it is taken from
            rest = rest.rpartition(".")[0]
        targets.add(rest or "__init__")
    return targets - {name}


GRAPH = {name: _imported(name) for name in MODULES}
IMPORTS = {(who, whom) for who, targets in GRAPH.items() for whom in targets}


def _room(module: str) -> str:
    return module.partition(".")[0]


def _goes_up(who: str, whom: str) -> bool:
    return LEVEL[_room(whom)] < LEVEL[_room(who)]


def _way(edges: set[tuple[str, str]], start: str, end: str) -> list[str] | None:
    """A shortest way along the edges, both ends included."""
    following = defaultdict(set)
    for who, whom in edges:
        following[who].add(whom)
    ways = [[start]]
    seen = {start}
    for way in ways:
        if way[-1] == end:
            return way
        for module in sorted(following[way[-1]] - seen):
            seen.add(module)
            ways.append([*way, module])
    return None


def _circles(edges: set[tuple[str, str]]) -> list[str]:
    """Each import that lies on a circle, with the way back."""
    ways = ((who, _way(edges, whom, who)) for who, whom in sorted(edges))
    return [" -> ".join([who, *way]) for who, way in ways if way]


def _between_rooms(imports: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(_room(who), _room(whom)) for who, whom in imports if _room(who) != _room(whom)}


def test_every_module_has_a_layer():
    rooms = {_room(name) for name in MODULES} | {"_kernels"}
    assert rooms == set(LEVEL), "LAYERS at the top of this file lists what lies in src/loglik"


def test_the_top_stays_small():
    files = sorted(path.name for path in ROOT.glob("*.py"))
    assert len(files) <= MOST_FILES_AT_THE_TOP, files


def test_imports_go_down():
    up = sorted(f"{who} imports {whom}" for who, whom in IMPORTS if _goes_up(who, whom))
    assert not up, "\n".join(up)


def test_no_module_imports_itself_through_others():
    circles = _circles(IMPORTS)
    assert not circles, "\n".join(circles)


def test_no_room_imports_itself_through_others():
    circles = _circles(_between_rooms(IMPORTS))
    assert not circles, "\n".join(circles)


def _shared_class_names() -> dict[str, list[str]]:
    homes = defaultdict(list)
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(module)
    return {name: modules for name, modules in homes.items() if len(set(modules)) > 1}


def test_a_class_name_is_used_once():
    shared = _shared_class_names()
    assert not shared, "\n".join(f"{name}: {', '.join(modules)}" for name, modules in shared.items())
