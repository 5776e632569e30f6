"""Whether a start finds the session filter in an ini file."""

import logging

import pytest

from cone.tokens.host.pipeline import warn_without_session_filter

APP = "use = egg:cone.app#main"
OURS, THEIRS = "use = egg:cone.tokens#session", "use = egg:cone.sql#session"
OWN = f"paste.filter_app_factory = {__name__}:own_filter"
PREFIX = "use = egg:PasteDeploy#prefix"


def own_filter(app, _global_config):
    """Stand for a filter of a site, which may open a session."""
    return app


def pipeline(*filters: str) -> str:
    names = [f"filter{number}" for number in range(len(filters))]
    sections = "".join(
        f"[filter:{name}]\n{text}\n" for name, text in zip(names, filters, strict=True)
    )
    return f"[app:site]\n{APP}\n{sections}[pipeline:main]\npipeline = {' '.join(names)} site\n"


SITES = {
    "ours": (pipeline(OURS), False),
    "that of cone.sql": (pipeline(THEIRS), False),
    "behind another": (pipeline(PREFIX, OURS), False),
    "an own one": (pipeline(OWN), False),
    "filter-with": (f"[app:main]\n{APP}\nfilter-with = s\n[filter:s]\n{OURS}\n", False),
    "filter-app": (f"[filter-app:main]\n{OURS}\nnext = site\n[app:site]\n{APP}\n", False),
    "none": (pipeline(), True),
    "no pipeline": (f"[app:main]\n{APP}\n", True),
    "another one alone": (pipeline(PREFIX), True),
    "no main application": (f"[app:site]\n{APP}\n", False),
    "no ini file": ("nothing", False),
}


@pytest.mark.parametrize(("text", "is_told"), SITES.values(), ids=SITES)
def test_start_when_the_pipeline_has_no_session_filter_then_the_log_tells_it(
    tmp_path, caplog, text, is_told
):
    caplog.set_level(logging.WARNING)
    ini = tmp_path / "site.ini"
    ini.write_text(text)
    warn_without_session_filter({"__file__": str(ini), "here": str(tmp_path)})
    assert ("egg:cone.tokens#session" in caplog.text) is is_told


def test_start_when_a_program_made_the_application_then_nothing_is_told(caplog):
    warn_without_session_filter({})
    assert not caplog.records
