"""The documents name files and modules that are there."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.rst", "CONTRIBUTING.rst", "SECURITY.rst")),
    *sorted(ROOT.glob("docs/**/*.rst")),
]
#: What a name of ours looks like: a path with a folder in it, or a file of a kind that we have.
NAME = re.compile(r"``([\w.-]+(?:/[\w.-]+)+|[\w-]+\.(?:py|js|css|pt|svg|toml|rst))/?``")
SUFFIXES = ("", ".py", ".js", ".pt")
#: Names that look like ours and are a zone, a limit, a date, or made on the reader's machine.
OTHERS = re.compile(r"[A-Z][a-z]+/[A-Z][a-z]+|\d.*|var/.*|settings/token_settings")


def paths() -> set[str]:
    """Return the files and folders of the project, each as a path from every folder above it."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    found = {Path(name) for name in listed if (ROOT / name).exists()}
    found |= {folder for path in found for folder in path.parents}
    return {"/".join(path.parts[start:]) for path in found for start in range(len(path.parts))}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout")
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_document_when_it_names_a_file_then_it_is_there(document):
    named = set(NAME.findall(document.read_text(encoding="utf-8")))
    there = paths()
    assert not [
        name
        for name in sorted(named)
        if not OTHERS.fullmatch(name) and not any(name + end in there for end in SUFFIXES)
    ]
