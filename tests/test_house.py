"""The house: who may import whom, how long and how deep things are, and how docstrings and comments begin.

The floors are those of README's table. Files are read as text; nothing is run.
"""

import ast
import functools
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent / "numpyae"
FLOORS = [{"checks", "arrays", "described", "windows", "taken", "parameters"},
          {"layers", "activations", "losses", "basis", "latent", "priors", "corruption", "penalties", "optimizers", "scaling", "datasets"},
          {"models", "linear", "autoencoder", "vae", "rbm"},
          {"checkpoints", "training", "pretraining", "evaluation", "tasks", "gradcheck", "plots", "tableau", "library", "__init__"},
          {"lab", "course"},
          {"cli", "__main__"}]
FILES = sorted(ROOT.rglob("*.py"))
TABLES = {"bugs.py"}                  # data, one record after the other
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def name_of(path):
    """numpyae/gradcheck/check.py -> gradcheck.check, numpyae/plots/__init__.py -> plots."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {name_of(path): path for path in FILES}


@functools.cache
def imported(path):
    """The modules of the library that a file imports, also inside functions, and by importlib where the name is written out."""
    found = set()
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numpyae":
            base = node.module.partition(".")[2]
            for alias in node.names:
                inside = f"{base}.{alias.name}".strip(".")
                found.add(inside if inside in MODULES else base or "__init__")
        elif isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[2] or "__init__" for alias in node.names if alias.name.split(".")[0] == "numpyae"}
    return found - {name_of(path)}


def floor_of(module):
    return next(number for number, rooms in enumerate(FLOORS) if module.split(".")[0] in rooms)


def test_every_file_has_a_floor_and_imports_nothing_from_above():
    up = [f"{module} (floor {floor_of(module)}) imports {other} ({floor_of(other)})" for module, path in MODULES.items()
          for other in imported(path) if floor_of(other) > floor_of(module) and module != "__init__"]
    assert not up, "\n".join(up)


def test_no_circle_of_imports():
    graph = {module: imported(path) for module, path in MODULES.items()}
    graph["__init__"] = {other for other in graph["__init__"] if floor_of(other) < 4}
    done, way = set(), []

    def visit(module):
        assert module not in way, " -> ".join([*way[way.index(module):], module])
        if module not in done:
            way.append(module)
            for other in sorted(graph.get(module, ())):
                visit(other)
            way.pop()
            done.add(module)

    for module in graph:
        visit(module)


def depth(node):
    """How many blocks stand in each other below this node; an `elif` is no deeper than its `if`."""
    inside = [depth(child) for name in ("body", "handlers", "orelse", "finalbody") for child in getattr(node, name, ())]
    if isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        return max(1 + max(inside[:-1]), inside[-1])
    return max(inside, default=0) + isinstance(node, (ast.For, ast.While, ast.If, ast.With, ast.Try))


@pytest.mark.parametrize("path", FILES, ids=MODULES)
def test_lines_files_and_functions_can_be_read(path):
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert [f"{number}: {len(line)}" for number, line in enumerate(lines, 1) if len(line) > 120] == []
    assert len(lines) <= 500 or path.name in TABLES
    deep = [node.name for node in ast.walk(TREES[path])
            if isinstance(node, ast.FunctionDef) and depth(node) > 4]
    assert not deep


@pytest.mark.parametrize("path", FILES, ids=MODULES)
def test_docstrings_begin_with_a_verb_or_a_noun(path):
    bad, lacking = [], []
    for node in ast.walk(TREES[path]):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
            text = ast.get_docstring(node) or ""
            if re.match(r"(Of|The same|What|Whatever|Whether)\b", text):
                bad.append(text.splitlines()[0])
    recorded = path.parent.name in ("cli", "judges") or path.name in ("sets.py", "common_bugs.py")       # records say it
    for node in TREES[path].body if not recorded else ():
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_") and not ast.get_docstring(node):
            lacking.append(node.name)
    assert not bad and not lacking, (bad, lacking)
    assert ast.get_docstring(TREES[path])
