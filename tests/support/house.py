"""The script that draws the house, as a module."""

import functools
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def load() -> ModuleType:
    """Return ``config/house.py``."""
    spec = importlib.util.spec_from_file_location("picture_of_house", ROOT / "config" / "house.py")
    module = importlib.util.module_from_spec(spec)
    # Its data classes look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
