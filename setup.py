"""What tools look for, and the step of the build that pyproject.toml cannot say."""

import re
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*.*?\*/[ \t]*)\n", re.MULTILINE | re.DOTALL)


_BEGINNING = re.compile(r"^[ \t\n]+", re.MULTILINE)


def for_browsers(source: str) -> str:
    """Return a script or style sheet without indents and comments that have lines of their own.

    :raises ValueError: a text goes over several lines, in which indents have a meaning.
    """
    bare = _COMMENT.sub("", source)
    for line in bare.splitlines():
        if line.count("`") % 2:
            raise ValueError(line)
    return _BEGINNING.sub("", bare)


class BuildForBrowsers(build_py):
    """Leaves indents and comments of what browsers load in the sdist."""

    def run(self) -> None:
        """Build the package."""
        super().run()
        if self.editable_mode:
            return
        for path in Path(self.build_lib).rglob("static/**/*"):
            if path.suffix in {".js", ".css"} and "vendor" not in path.parts:
                path.write_text(for_browsers(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    setup(cmdclass={"build_py": BuildForBrowsers})
