"""The rules of the house that no other tool checks, read off the repository itself."""

from __future__ import annotations

import ast
import re
import stat
import sys
import tomllib
from importlib.metadata import packages_distributions
from typing import Any

from tests.unit.source_tree import CODE, FOLDERS, ROOT, Module, files, modules

MODULE_LINES = 600
FUNCTION_LINES = 60
TEST_CODE_RATIO = 1.5

BANNED_NAMES = {"utils", "helpers", "common", "core", "services", "managers"}
# OCPP 1.6 calls the feature profile so: its handlers are named after it.
NAMED_BY_THE_STANDARD = {"csms/protocol/ocpp16/core.py"}

# Modules without a mirror test, each with what tests it instead.
NO_MIRROR = {
    "csms/__main__.py": "runs cli.main",
}
# Folders without mirror tests, each with what tests them instead.
NO_MIRRORS_IN = {
    "csms/ports/": "signatures and values: tests/contract holds every implementation to them",
}
# Unit tests of no module: they test the repository.
NO_MODULE = {"tests/unit/test_documents.py", "tests/unit/test_repository.py"}


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def shown(module: Module, line: int) -> str:
    return f"{module.path}:{line}: {module.lines[line - 1].strip()}"


def test_modules_are_short() -> None:
    long = [f"{m.path}: {len(m.lines)}" for m in modules(*FOLDERS) if len(m.lines) > MODULE_LINES]
    assert long == []


def test_functions_are_short() -> None:
    long = []
    for module in modules(*FOLDERS):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES:
                    long.append(f"{module.path}:{node.lineno}: {node.name} has {length} lines")
    assert long == []


def test_names_say_what_is_inside() -> None:
    vague = [
        m.path
        for m in modules(*FOLDERS)
        if BANNED_NAMES & {m.name, *m.path.split("/")} and m.path not in NAMED_BY_THE_STANDARD
    ]
    assert [path for path in vague if not path.endswith("ocpp16/test_core.py")] == []


def test_every_package_says_what_it_is() -> None:
    silent = [
        m.path
        for m in modules(*FOLDERS)
        if m.name == "__init__"
        and m.path.startswith(CODE)
        and len(ast.get_docstring(m.tree) or "") < 15
    ]
    assert silent == []


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {m.path.rsplit("/", 1)[0] for m in modules(*FOLDERS)}
    packages = {m.path.rsplit("/", 1)[0] for m in modules(*FOLDERS) if m.name == "__init__"}
    assert folders - packages == set()


def test_a_broad_except_says_which_boundary_it_guards() -> None:
    unexplained = []
    for module in modules(*CODE):
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = "BaseException" if node.type is None else ast.unparse(node.type)
            broad = set(re.findall(r"\w+", caught)) & {"Exception", "BaseException"}
            raised_again = isinstance(node.body[-1], ast.Raise)
            reason = re.search(r"#.*\bboundary\b.*\w", module.lines[node.lineno - 1])
            if broad and not raised_again and not reason:
                unexplained.append(shown(module, node.lineno))
    assert unexplained == []


def test_tasks_live_in_task_groups() -> None:
    loose = []
    for module in modules(*FOLDERS):
        for called, node in module.calls():
            owner, _, method = called.rpartition(".")
            in_group = re.search(r"group|tasks", owner, re.IGNORECASE)
            if method == "create_task" and not in_group:
                loose.append(shown(module, node.lineno))
    assert loose == []


def test_the_loop_is_not_read_as_a_clock() -> None:
    readers = []
    for module in modules(*CODE):
        for called, node in module.calls():
            owner, _, method = called.rpartition(".")
            if method == "time" and "loop" in owner and not module.path.endswith("/clock.py"):
                readers.append(shown(module, node.lineno))
    assert readers == []


def test_only_end_to_end_tests_sleep() -> None:
    sleepers = []
    for module in modules("tests"):
        if module.path.startswith(("tests/e2e/", "tests/benchmarks/")):
            continue
        for called, node in module.calls():
            yielding = (
                node.args and isinstance(node.args[0], ast.Constant) and not node.args[0].value
            )
            if called.rpartition(".")[2] == "sleep" and not yielding:
                sleepers.append(shown(module, node.lineno))
    assert sleepers == []


def test_csms_does_not_use_the_charge_point_class_it_is_tested_against() -> None:
    used = []
    for module in modules("csms"):
        for name, line in module.imports():
            if re.match(r"ocpp\.(.*\.)?(charge_point|ChargePoint|routing)(\.|$)", name):
                used.append(shown(module, line))
    assert used == []


def mirror_of(module: Module) -> str:
    folder, _, _ = module.path.rpartition("/")
    return f"tests/unit/{folder}/test_{module.name}.py"


def test_every_module_has_its_mirror_test() -> None:
    tests = {m.path for m in modules("tests")}
    missing = {
        m.path
        for m in modules(*CODE)
        if m.name != "__init__"
        and "/migrations/" not in m.path
        and not m.path.startswith(tuple(NO_MIRRORS_IN))
        and mirror_of(m) not in tests
    }
    assert missing == set(NO_MIRROR)


def test_every_unit_test_mirrors_a_module() -> None:
    # A mirror that grew too long is split: test_loop.py, test_loop_stops.py.
    mirrors = {mirror_of(m).removesuffix(".py") for m in modules(*CODE)}
    strays = {
        m.path
        for m in modules("tests")
        if m.path.startswith("tests/unit/")
        and m.name.startswith("test_")
        and not any(f"{m.path.removesuffix('.py')}_".startswith(f"{mirror}_") for mirror in mirrors)
    }
    assert strays - NO_MODULE == set()


def test_there_is_more_test_code_than_code() -> None:
    # The simulators are left out on both sides: they are code, and what csms is tested with.
    code = sum(m.code_lines() for m in modules("csms"))
    tests = sum(
        m.code_lines() for m in modules("tests") if not m.path.startswith("tests/unit/simulators/")
    )
    assert tests / code >= TEST_CODE_RATIO


def test_every_third_party_import_is_declared() -> None:
    project = pyproject()["project"]
    wanted = {"csms": project["dependencies"], "simulators": project["dependencies"]}
    wanted["tests"] = project["dependencies"] + project["optional-dependencies"]["test"]
    distributions = packages_distributions()
    undeclared = []
    for folder, requirements in wanted.items():
        declared = {re.split(r"[<>=!~\[;]", r)[0].strip().lower() for r in requirements}
        for module in modules(folder):
            for name, line in module.imports():
                top = name.partition(".")[0]
                if top in sys.stdlib_module_names or top in FOLDERS:
                    continue
                found = {d.lower().replace("_", "-") for d in distributions.get(top, [])}
                if not found & declared:
                    undeclared.append(shown(module, line))
    assert undeclared == []


def test_the_lock_file_holds_names_versions_and_hashes_only() -> None:
    marker = r"[a-z_]+ [<>=!]+ '[A-Za-z0-9.]+'"
    pinned = re.compile(rf"[a-z0-9-]+==[0-9][0-9a-z.]*( ; {marker}( and {marker})*)? \\")
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    odd = [line for line in lines if not pinned.fullmatch(line) and not digest.fullmatch(line)]
    assert odd == []


def test_the_lock_file_covers_what_the_project_asks_for() -> None:
    project = pyproject()
    asked = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    asked += project["project"]["optional-dependencies"]["test"]
    names = {re.split(r"[<>=!~\[;]", r)[0].strip().lower() for r in asked}
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert names - set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)) == set()


def test_nothing_is_left_for_later_and_nothing_names_a_machine() -> None:
    # The brackets keep these patterns from finding themselves.
    forbidden = re.compile(
        r"TO[D]O|FIX[M]E|XX[X]|no[ ]cover|NotImplemented[E]rror"
        r"|py[p]i\.org|python[h]osted|(?<![\w.:])/(?:work|root|opt/v|home)/"
    )
    found = []
    for path in files():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if forbidden.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []


def test_scripts_can_be_run() -> None:
    scripts = [p for p in files() if p.read_bytes().startswith(b"#!")]
    assert ROOT / ".ci/run" in scripts
    assert [p for p in scripts if not p.stat().st_mode & stat.S_IXUSR] == []


def test_every_ignored_style_rule_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = text.split("\nignore = [\n", 1)[1].split("\n]\n", 1)[0]
    bare = [line for line in block.splitlines() if not re.search(r"# \w.{10,}", line)]
    assert bare == []
