"""Figures as reStructuredText."""

import platform
import sqlite3
import statistics
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bench.budget import BUDGETS
from bench.measure import CLIENTS
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
    return table(("use case", f"statements, {kind}", "budget"), rows)


def cpu(kind: str, speeds: Speeds, filled: list[Tokens], subjects: Sequence[str]) -> str:
    """Return the table of processor times; behind each its ratio to that of the floor."""

    def cell(use_case: str, size: int, subject: str) -> str:
        own, floor = (_cpu(speeds, use_case, size, each) for each in (subject, FLOOR))
        return f"{statistics.median(own):.2f} ({_ratio(own, floor)})"

    title = f"{kind}: milliseconds of processor time of the server for a request"
    return f"{title}\n\n{_use_cases(filled, subjects, cell)}"


def rates(kind: str, speeds: Speeds, filled: list[Tokens], subjects: Sequence[str]) -> str:
    """Return the table of requests a second."""

    def cell(use_case: str, size: int, subject: str) -> str:
        rounds = speeds[use_case, size, subject]
        return f"{statistics.median(each.per_s for each in rounds):.0f}"

    title = f"{kind}: requests a second of {CLIENTS} clients on the same machine"
    return f"{title}\n\n{_use_cases(filled, subjects, cell)}"


def flatness(kind: str, speeds: Speeds, filled: list[Tokens]) -> str:
    """Return the table of what a large table costs more than a small one."""
    small, *_, large = (tokens.size for tokens in filled)
    rows = []
    for use_case in USE_CASES:
        of_large, of_small = (_cpu(speeds, use_case, size, "ours") for size in (large, small))
        rows.append((use_case, _ratio(of_large, of_small)))
    return table((f"ours, {kind}", f"{large:,} tokens / {small:,}"), rows)


def pages(kind: str, times: Mapping[tuple[str, int], float]) -> str:
    """Return the table of pages."""
    rows = [(name, f"{size:,}", f"{ms:.0f}") for (name, size), ms in times.items()]
    return table((f"page, {kind}", "tokens", "ms"), rows)


def memory(kind: str, held: Mapping[int, float]) -> str:
    """Return the table of memory."""
    rows = [(f"{count:,}", f"{mib:.1f}") for count, mib in held.items()]
    return table((f"requests, {kind}", "MiB"), rows)


def starts(kind: str, found: Mapping[str, tuple[float, float]]) -> str:
    """Return the table of start-up times."""
    rows = [(subject, f"{s:.2f}", f"{mib:.0f}") for subject, (s, mib) in found.items()]
    return table((f"start, {kind}", "s", "MiB"), rows)


def _use_cases(
    filled: list[Tokens],
    subjects: Sequence[str],
    cell: Callable[[str, int, str], str],
) -> str:
    rows = [
        [use_case, f"{tokens.size:,}", *(cell(use_case, tokens.size, each) for each in subjects)]
        for use_case in USE_CASES
        for tokens in filled
    ]
    return table(("use case", "tokens", *subjects), rows)


def _cpu(speeds: Speeds, use_case: str, size: int, subject: str) -> list[float]:
    return [each.cpu_ms for each in speeds[use_case, size, subject]]


def _ratio(some: Sequence[float], others: Sequence[float]) -> str:
    """Return the median of the ratios within each round: what disturbed it disturbed both."""
    ratios = (one / other for one, other in zip(some, others, strict=True))
    return f"{statistics.median(ratios):.2f}"


def table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """Return a table in reStructuredText."""
    lines = [[str(cell) for cell in line] for line in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    texts = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([rule, texts[0], rule, *texts[1:], rule, ""])
