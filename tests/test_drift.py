"""What is written in two places says the same in both: code and dvc.yaml, parameters and profiles, ranges and lock."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import BaseModel

from stages.lib.stage import preflight

ROOT = Path(__file__).parent.parent
PIPELINE: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMETERS = ["params.yaml", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "profiles").glob("*.yaml"))]
HEAVY = ["datasets", "great_expectations", "numpy", "pandas", "pyarrow", "sklearn", "spacy", "torch", "transformers"]


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def imported(path: Path) -> Iterator[Path]:
    """Yield the files under stages/ that `path` imports at run time, in functions too."""
    tree = ast.parse(path.read_text())
    typed = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    skipped = {inner for node in typed for statement in node.body for inner in ast.walk(statement)}
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (found for alias in node.names for found in module(alias.name))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import by the full name, not a relative one"
            for alias in node.names:
                yield from module(f"{node.module}.{alias.name}") or module(str(node.module))
        elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
            # f"stages.sources.{kind}", for importlib: whatever the folder holds
            folder = re.fullmatch(r"(stages(?:\.\w+)+)\.", str(node.values[0].value))
            yield from (ROOT / folder[1].replace(".", "/")).glob("*.py") if folder else []


def module(name: str) -> list[Path]:
    path = ROOT / f"{name.replace('.', '/')}.py"
    return [path] if name.startswith("stages.") and path.exists() else []


def closure(path: Path) -> set[Path]:
    found, queue = {path}, [path]
    while queue:
        for new in sorted(set(imported(queue.pop())) - found):
            found.add(new)
            queue.append(new)
    return found


def code_deps(name: str) -> list[Path]:
    return [ROOT / dep for dep in PIPELINE[name]["deps"] if dep.startswith("stages/")]


def paths(name: str, *kinds: str) -> list[str]:
    items = [item for kind in kinds for item in PIPELINE[name].get(kind, [])]
    return [next(iter(item)) if isinstance(item, dict) else item for item in items]


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models within an annotation, and those within their fields."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models(field.annotation)
    for argument in get_args(annotation):
        yield from models(argument)


def params_of(name: str) -> type[BaseModel] | None:
    return getattr(importlib.import_module(f"stages.{name}"), "Params", None)


@pytest.mark.parametrize("name", PIPELINE)
def test_a_stage_declares_the_code_it_imports_and_no_other(name: str) -> None:
    used, deps = closure(ROOT / f"stages/{name}.py"), code_deps(name)
    undeclared = [path for path in used if not any(path == dep or dep in path.parents for dep in deps)]
    unused = [dep for dep in deps if not any(path == dep or dep in path.parents for path in used)]
    assert (sorted(undeclared), unused) == ([], [])


def test_every_stage_file_is_a_stage() -> None:
    assert sorted(path.stem for path in (ROOT / "stages").glob("*.py")) == sorted(PIPELINE)


def test_stages_stand_in_the_order_in_which_they_run() -> None:
    known = {"data/accepted.json", "data/incoming"}  # what a person brings
    for name in PIPELINE:
        data = [dep for dep in paths(name, "deps") if not dep.startswith("stages/")]
        assert sorted(set(data) - known) == [], f"{name} stands before what makes its inputs"
        known.update(paths(name, "outs", "metrics", "plots"))


@pytest.mark.parametrize("name", PIPELINE)
def test_a_stage_is_described_and_run_by_its_module(name: str) -> None:
    assert PIPELINE[name]["cmd"] == f"python -m stages.{name}"
    assert PIPELINE[name]["desc"]
    assert all(isinstance(key, str) for key in PIPELINE[name].get("params", []))


def test_dvc_yaml_is_read_as_it_stands() -> None:
    text = (ROOT / "dvc.yaml").read_text()
    assert "${" not in text
    assert "vars" not in yaml.safe_load(text)
    assert [name for name in PIPELINE if PIPELINE[name].keys() & {"foreach", "do", "matrix"}] == []


@pytest.mark.parametrize("path", PARAMETERS)
def test_a_parameter_file_builds_every_stage_and_holds_nothing_else(path: str) -> None:
    preflight(path)


def test_preflight_imports_nothing_heavy() -> None:
    code = f"import sys; from stages.lib.stage import preflight; preflight(); print({HEAVY} & sys.modules.keys())"
    code = code.replace(str(HEAVY), str(set(HEAVY)))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def unread(model: type[BaseModel], trees: list[ast.Module]) -> list[str]:
    """Return the fields that no code names but to declare them; one with a single value allowed needs no reading."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    named = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    named |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    named |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    dumped = {ast.unparse(node.value).rpartition(".")[2] for node in nodes if getattr(node, "attr", "") == "model_dump"}
    fields = {(found, name): field for found in models(model) for name, field in found.model_fields.items()}
    whole = [inner for (_, name), field in fields.items() if name in dumped for inner in models(field.annotation)]
    return [
        f"{found.__name__}.{name}"
        for (found, name), field in fields.items()
        if name not in named and found not in whole
        if not (get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1)
    ]


@pytest.mark.parametrize("name", PIPELINE)
def test_parameters_are_the_declared_keys_each_described_and_read(name: str) -> None:
    model = params_of(name)
    keys = {key.split(".")[0] for key in PIPELINE[name].get("params", [])}
    assert keys == (set(model.model_fields) if model else set())
    if model:
        fields = [(found, key, field) for found in models(model) for key, field in found.model_fields.items()]
        assert [f"{found.__name__}.{key}" for found, key, field in fields if not field.description] == []
        assert unread(model, [ast.parse(path.read_text()) for path in closure(ROOT / f"stages/{name}.py")]) == []


def test_only_fetch_may_use_the_network() -> None:
    allowed = []
    for name in PIPELINE:
        for node in ast.walk(ast.parse((ROOT / f"stages/{name}.py").read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "run":
                allowed += [name for keyword in node.keywords if keyword.arg == "network"]
    assert allowed == ["fetch"]


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return dict(line.partition(" ;")[0].split("==") for line in lines if line and not line.startswith("#"))


def test_the_lock_pins_every_package_for_any_machine() -> None:
    text = (ROOT / "requirements.lock").read_text()
    for line in filter(None, text.splitlines()):
        assert line.startswith("# ") or re.fullmatch(r"[a-z0-9][a-z0-9._-]*==[\w.]+( ;.*)?", line), line
    assert [name for name in locked() if re.match(r"nvidia(?!-ml-py$)|cuda|triton|pytorch-triton", name)] == []
    assert "://" not in text


def test_the_lock_satisfies_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    for requirement in map(Requirement, wanted):
        version = locked().get(canonicalize_name(requirement.name))
        assert version, f"{requirement.name} is not locked: make lock"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement} against {version}: make lock"


@pytest.mark.parametrize("tool", ["tools.readme", "tools.deidentification"])
def test_the_generated_parts_of_pages_are_current(tool: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", tool, "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_committed_model_is_above_the_ceiling() -> None:
    assert json.loads((ROOT / "metrics/evaluation.json").read_text())["models_above_ceiling"] == 0
