"""Fetch files of others that are kept in the tree: ``python config/vendor.py``. It needs npm.

Each folder names its files in ``vendored.json``: package, version, licence, where they come from
and their sha256; ``tests/unit/test_vendored_files.py`` compares. To take another version change
:data:`SETS`, run this, and read what changed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
STATIC: Final = ROOT / "src" / "cone" / "tokens" / "browser" / "static"
LIST: Final = "vendored.json"


@dataclasses.dataclass(frozen=True)
class Package:
    """A package of npm, and which of its files are taken.

    :ivar folder: where npm puts it below ``node_modules``.
    :ivar files: paths in the package by the names that they get here.
    :ivar contains: what is compiled into it, with its licence and the text of that; npm does
        not bring the text along, it is kept here.
    """

    name: str
    version: str
    folder: str
    files: dict[str, str]
    contains: dict[str, str] | None = None


#: barcode-detector brings the zxing-wasm that it was built with: the two must match.
SETS: Final[dict[Path, tuple[Package, ...]]] = {
    STATIC / "vendor": (
        Package(
            "barcode-detector",
            "3.2.2",
            "barcode-detector",
            {
                # A script, no module: that one is minified.
                "barcode-detector/ponyfill.js": "dist/iife/ponyfill.js",
                "barcode-detector/LICENSE": "LICENSE",
            },
        ),
        Package(
            "zxing-wasm",
            "3.1.3",
            "barcode-detector/node_modules/zxing-wasm",
            {
                "zxing-wasm/zxing_reader.wasm": "dist/reader/zxing_reader.wasm",
                "zxing-wasm/LICENSE": "LICENSE",
            },
            {
                "name": "ZXing-C++",
                "licence": "Apache-2.0",
                "source": "https://github.com/zxing-cpp/zxing-cpp",
                "text": "zxing-wasm/LICENSE-zxing-cpp",
            },
        ),
    ),
    ROOT / "tests" / "browser" / "vendor": (
        Package(
            "axe-core",
            "4.14.1",
            "axe-core",
            {
                "axe-core/axe.min.js": "axe.min.js",
                "axe-core/LICENSE": "LICENSE",
                "axe-core/LICENSE-3RD-PARTY.txt": "LICENSE-3RD-PARTY.txt",
            },
        ),
    ),
}


def main() -> None:
    """Fetch all packages and put their files where they belong."""
    with tempfile.TemporaryDirectory(prefix="vendor-") as folder:
        modules = install(Path(folder))
        for target, packages in SETS.items():
            entries = [copy(package, modules, target) for package in packages]
            text = json.dumps(entries, indent=2)
            (target / LIST).write_text(f"{text}\n")
            print(f"{target.relative_to(ROOT)}: {', '.join(sorted(names(entries)))}")


def install(folder: Path) -> Path:
    """Have npm install what is asked for by name; nothing of it is run."""
    asked = [package for packages in SETS.values() for package in packages]
    specs = [f"{package.name}@{package.version}" for package in asked if is_direct(package)]
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *specs]
    subprocess.run(command, cwd=folder, check=True)  # noqa: S603 - names stand above
    return folder / "node_modules"


def is_direct(package: Package) -> bool:
    """Tell whether npm is asked for the package, or another one brings it along."""
    return package.folder == package.name


def copy(package: Package, modules: Path, target: Path) -> dict[str, object]:
    """Copy the files of a package and return its entry of the list."""
    source = find(package, modules)
    about = json.loads((source / "package.json").read_text())
    if about["version"] != package.version:
        sys.exit(f"{package.name} is {about['version']}, not {package.version}")
    for name, path in package.files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, target / name)
    entry: dict[str, object] = {
        "name": package.name,
        "version": package.version,
        "licence": about["license"],
        "source": f"https://www.npmjs.com/package/{package.name}/v/{package.version}",
    }
    kept = [package.contains["text"]] if package.contains else []
    if package.contains:
        entry["contains"] = package.contains
    entry["sha256"] = {name: sha256(target / name) for name in sorted([*package.files, *kept])}
    return entry


def sha256(path: Path) -> str:
    """Return the sum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def find(package: Package, modules: Path) -> Path:
    """Return the folder of a package; npm nests it only where another version is beside it."""
    nested = modules / package.folder
    return nested if nested.exists() else modules / package.name


def names(entries: list[dict[str, object]]) -> set[str]:
    """Return names and versions of what was fetched."""
    return {f"{entry['name']} {entry['version']}" for entry in entries}


if __name__ == "__main__":
    main()
