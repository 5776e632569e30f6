"""The response that carries an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pyramid.response import Response


def json_response(answer: Mapping[str, Any], status: int = 200) -> Response:
    """Return the response that says ``answer``."""
    body = json.dumps(answer).encode()
    return Response(body, status, content_type="application/json")
