"""What tools look for, and the step of the build that pyproject.toml cannot say."""

import re
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*.*?\*/[ \t]*)\n", re.MULTILINE | re.DOTALL)


_BEGINNING = re.compile(r"^[ \t\n]+", re.MULTILINE)
#: Where a private member of a class is declared.
_PRIVATE = re.compile(r"^(?:async |get |set |static )*(#\w+)", re.MULTILINE)
#: Where a constant is declared that no other module imports.
_CONSTANT = re.compile(r"^const ([A-Z][A-Z_]+) =", re.MULTILINE)
_TEXT = re.compile(r'("[^"\n]*"|`[^`\n]*`)')
#: Not around signs that two of them would make another one of, and not where a text or a pattern
#: may begin that has them.
_BLANKS = re.compile(r" ?(=>|[=!]==|[<>]=|&&|\|\||[=,?:{}()<>]) ?")
#: Every statement ends with its own sign: a line end parts words alone.
_LINE_END = re.compile(r"\n(?!\w)|(?<!\w)\n")
#: The last statement of a block needs no sign.
_LAST_END = re.compile(r";\n(?=\})")
_ZERO = re.compile(r"(?<![\d.#])0(?=\.\d)")
_STYLE_BLANKS = re.compile(r"\s*([{};,])\s*|(?<=:) ")


def for_browsers(source: str) -> str:
    """Return a script or style sheet without indents and comments that have lines of their own.

    :raises ValueError: a text goes over several lines, in which indents have a meaning.
    """
    bare = _COMMENT.sub("", source)
    for line in bare.splitlines():
        if line.count("`") % 2:
            raise ValueError(line)
    return _BEGINNING.sub("", bare)


def packed(source: str) -> str:
    """Return a script for browsers without the blanks and line ends that mean nothing."""
    bare = _LAST_END.sub("\n", for_browsers(source))
    named = _renamed(_renamed(bare, _PRIVATE, "#"), _CONSTANT, "$")
    lines = map(_packed_line, named.splitlines(keepends=True))
    return _LINE_END.sub("", "".join(lines)).replace("\0", "\n")


def _renamed(source: str, declared: re.Pattern[str], sign: str) -> str:
    """Return a script in which what is ``declared`` has short names: nobody else knows it.

    :param sign: what the short names begin with.
    :raises ValueError: a text, or a member of something else, looks like one of them.
    """
    found = dict.fromkeys(declared.findall(source))
    short = {name: f"{sign}{_letters(number)}" for number, name in enumerate(found)}
    for text in re.findall(r'"[^"\n]*"|(?<!\.)\.[A-Z_]+\b|^\s*[A-Z_]+:', source, re.MULTILINE):
        if any(name in short for name in re.findall(r"#?\w+", text)):
            raise ValueError(text)
    return re.sub(r"#?\b\w+", lambda name: short.get(name[0], name[0]), source)


def _letters(number: int) -> str:
    return chr(ord("a") + number % 26) + str(number // 26 or "")


def _packed_line(line: str) -> str:
    parts = _TEXT.split(line)
    if line.count("`") <= 2 and "/" not in "".join(parts[::2]):  # noqa: PLR2004 - a text has two
        parts[::2] = [_BLANKS.sub(r"\1", part) for part in parts[::2]]
        line = "".join(parts)
    # A comment may end it.
    return line.replace("\n", "\0") if "//" in line else line


def packed_style(source: str) -> str:
    """Return a style sheet for browsers without the blanks and line ends that mean nothing."""
    bare = _STYLE_BLANKS.sub(r"\1", for_browsers(source))
    return _ZERO.sub("", bare.replace(";}", "}"))


PACKERS = {".js": packed, ".css": packed_style}


class BuildForBrowsers(build_py):
    """Leaves indents and comments of what browsers load in the sdist."""

    def run(self) -> None:
        """Build the package."""
        super().run()
        if self.editable_mode:
            return
        for path in Path(self.build_lib).rglob("static/**/*"):
            if path.suffix in PACKERS and "vendor" not in path.parts:
                path.write_text(PACKERS[path.suffix](path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    setup(cmdclass={"build_py": BuildForBrowsers})
