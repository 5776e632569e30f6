"""Figures as reStructuredText."""

import platform
import sqlite3
from collections.abc import Mapping
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bench.budget import BUDGETS
from bench.measure import Speeds
from bench.use_cases import USE_CASES
from bench.use_cases import Tokens

LIBRARIES = ("pyramid", "waitress", "cone.app", "cone.sql", "SQLAlchemy", "psycopg")
#: Ratios are of this one.
FLOOR = "bare"


def machine() -> str:
    """Return what it ran on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{len(models)} cores ({model}), Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, {libraries}\n"
    )


def statements(kind: str, counts: Mapping[str, int]) -> str:
    """Return the table of statements."""
    rows = [(name, number, BUDGETS[name][kind]) for name, number in counts.items()]
    return _table(("use case", f"statements, {kind}", "budget"), rows)


def speed(kind: str, speeds: Speeds, filled: list[Tokens], subjects: list[str]) -> str:
    """Return the table of what requests cost."""
    head = ["use case", "tokens"]
    for subject in subjects:
        head += [f"{subject}, ms", f"x {FLOOR}", "a second"]
    rows = []
    for use_case in USE_CASES:
        for tokens in filled:
            row = [use_case, f"{tokens.size:,}"]
            floor = speeds[use_case, tokens.size, subjects[0]]
            for subject in subjects:
                each = speeds[use_case, tokens.size, subject]
                ratio = each.cpu_ms / floor.cpu_ms
                row += [f"{each.cpu_ms:.2f}", f"{ratio:.2f}", f"{each.per_s:.0f}"]
            rows.append(row)
    return f"{kind}: processor time of the server for a request\n\n{_table(head, rows)}"


def flatness(kind: str, speeds: Speeds, filled: list[Tokens]) -> str:
    """Return the table of what a large table costs more than a small one."""
    small, *_, large = (tokens.size for tokens in filled)
    rows = [
        (use_case, f"{_cpu(speeds, use_case, large) / _cpu(speeds, use_case, small):.2f}")
        for use_case in USE_CASES
    ]
    return _table((kind, f"{large:,} tokens / {small:,}"), rows)


def pages(kind: str, times: Mapping[tuple[str, int], float]) -> str:
    """Return the table of pages."""
    rows = [(name, f"{size:,}", f"{ms:.0f}") for (name, size), ms in times.items()]
    return _table((f"page, {kind}", "tokens", "ms"), rows)


def memory(kind: str, held: Mapping[int, float]) -> str:
    """Return the table of memory."""
    rows = [(f"{count:,}", f"{mib:.1f}") for count, mib in held.items()]
    return _table((f"requests, {kind}", "MiB"), rows)


def starts(kind: str, found: Mapping[str, tuple[float, float]]) -> str:
    """Return the table of start-up times."""
    rows = [(subject, f"{s:.2f}", f"{mib:.0f}") for subject, (s, mib) in found.items()]
    return _table((f"start, {kind}", "s", "MiB"), rows)


def _cpu(speeds: Speeds, use_case: str, size: int) -> float:
    return speeds[use_case, size, "ours"].cpu_ms


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [[str(cell) for cell in line] for line in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    texts = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([rule, texts[0], rule, *texts[1:], rule, ""])
