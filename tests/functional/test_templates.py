"""Templates: the first pages after a start, asked for by many at once."""

import subprocess
import sys

import pytest

from tests.support.site import write_site

THREADS = 8
IS_RIGHT = (3, 11, 8) <= sys.version_info < (3, 12) or sys.version_info >= (3, 12, 2)
#: Asks a fresh process for a page at once. What makes the race likely: threads take turns all the
#: time, and memory is tidied up all the time, by a function that lets them.
PROGRAM = f"""
import gc, logging, sys, threading
import pyramid.paster
from chameleon.template import BaseTemplate, BaseTemplateFile
from webtest import TestApp

checked, cooked = BaseTemplateFile.cook_check, BaseTemplate.cook
application = pyramid.paster.get_app(sys.argv[1], "main")
if sys.argv[2] == "as before":
    BaseTemplateFile.cook_check, BaseTemplate.cook = checked, cooked
logging.disable(logging.CRITICAL)
sys.setswitchinterval(1e-6)
gc.set_threshold(50)
gc.callbacks.append(lambda *_: None)
barrier = threading.Barrier({THREADS})
statuses = []

def ask():
    barrier.wait()
    for path in ("/tokens", "/login", "/tokens/nonsense", "/nonsense", "/tokens"):
        statuses.append(TestApp(application).get(path, status="*").status_int)

threads = [threading.Thread(target=ask) for _ in range({THREADS})]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(statuses.count(500))
"""


def failures(folder, how) -> int:
    ini = write_site(folder)
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(ini), how]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_pages_when_many_are_the_first_at_once_then_none_fails(tmp_path):
    assert failures(tmp_path, "now") == 0


@pytest.mark.skipif(IS_RIGHT, reason="CPython has put that right")
def test_pages_when_templates_are_compiled_at_once_then_some_fail(tmp_path):
    assert failures(tmp_path, "as before") > 0
