"""The repository as its own tests read it: parsed modules, and every file by its path."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("csms", "simulators")
FOLDERS = (*CODE, "tests")
TOP_LEVEL = (
    ".ci",
    ".dockerignore",
    ".gitignore",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "csms",
    "docker-compose.yml",
    "pyproject.toml",
    "requirements.lock",
    "simulators",
    "tests",
)
GENERATED = ("__pycache__", ".hypothesis")
LAYOUT = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}


@dataclass(frozen=True)
class Module:
    """One Python file. `path` is relative to the repository, with forward slashes."""

    path: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> list[str]:
        """The file's lines, so that `lines[node.lineno - 1]` is where a node starts."""
        return self.text.splitlines()

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return Path(self.path).stem

    def code_lines(self) -> int:
        """How many lines hold code: neither blank nor comment nor docstring."""
        prose = {
            line
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        }
        code = {
            line
            for token in tokenize.generate_tokens(io.StringIO(self.text).readline)
            if token.type not in LAYOUT
            for line in range(token.start[0], token.end[0] + 1)
        }
        return len(code - prose)

    def imports(self) -> Iterator[tuple[str, int]]:
        """Every imported name in dotted form, and its line."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Every call by what is called, dotted as written: `self._group.create_task`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                yield ast.unparse(node.func), node


def files() -> Iterator[Path]:
    """Every file that belongs to the repository."""
    for name in TOP_LEVEL:
        path = ROOT / name
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        yield from (p for p in found if p.is_file() and not set(p.parts) & set(GENERATED))


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """Parse the Python files under these top-level folders."""
    found = []
    for path in files():
        relative = path.relative_to(ROOT)
        if relative.suffix == ".py" and relative.parts[0] in folders:
            text = path.read_text(encoding="utf-8")
            found.append(Module(relative.as_posix(), text, ast.parse(text)))
    return tuple(found)
