"""Templates are compiled one at a time, each when it is first shown.

Chameleon has Python parse expressions to syntax trees. In CPython before 3.11.8 and 3.12.2
(gh-106905) two threads that do so at once can disturb each other's count of the depth, and one of
them gets a ``SystemError``: "AST constructor recursion depth mismatch". The first pages after a
start ask for the same templates at once. To compile all of them at the start instead takes over
two seconds of a processor.
"""

from __future__ import annotations

import os
import threading
from typing import Any
from typing import Final

from chameleon.template import BaseTemplate
from chameleon.template import BaseTemplateFile

_lock: Final = threading.RLock()


def compile_one_at_a_time() -> None:
    """Have all templates of the process compiled under one lock; once, however many sites start."""
    if hasattr(BaseTemplate.cook, "__wrapped__"):
        return
    check, compile_ = BaseTemplateFile.cook_check, BaseTemplate.cook

    def cook_check(template: Any) -> bool:
        if template._cooked and not template.auto_reload:  # noqa: SLF001 - as its own method does
            return False
        # Whoever waited finds it compiled.
        with _lock:
            return bool(check(template))

    def cook(template: Any, body: str) -> None:
        with _lock:
            compile_(template, body)

    cook.__wrapped__ = compile_  # type: ignore[attr-defined]
    BaseTemplateFile.cook_check = cook_check  # type: ignore[method-assign,assignment]
    BaseTemplate.cook = cook  # type: ignore[method-assign,assignment]
    # A server that forks, forks while nobody holds the lock.
    os.register_at_fork(
        before=_lock.acquire,
        after_in_parent=_lock.release,
        after_in_child=_lock.release,
    )
