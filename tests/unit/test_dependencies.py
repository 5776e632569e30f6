"""What is installed beside the package: no version with a known hole."""

from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

#: The newest versions with a hole that can matter to a site.
WITH_HOLES = {
    "waitress": "3.0.0",  # CVE-2024-49768, CVE-2024-49769
    "pyramid": "2.0.1",  # CVE-2023-40587
    "webob": "1.8.10",  # CVE-2024-42353, repaired for good in 1.8.11
    "pillow": "12.2.0",  # CVE-2026-59197 to 59200
    "mako": "1.3.10",  # CVE-2026-41205
    "redis": "4.5.3",  # CVE-2023-28859
    "reportlab": "3.6.12",  # CVE-2023-33733
    "multipart": "1.3.0",  # CVE-2026-28356
}


@pytest.mark.parametrize(("name", "version"), WITH_HOLES.items(), ids=WITH_HOLES)
def test_requirement_when_a_version_has_a_known_hole_then_it_is_not_installed(name, version):
    required = [Requirement(text) for text in requires("cone.tokens") or []]
    named = [one for one in required if canonicalize_name(one.name) == name]
    plain = [one for one in named if not one.extras]
    assert plain
    assert not any(one.specifier.contains(version) for one in plain)
