"""The response that carries an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pyramid.response import Response


def json_response(answer: Mapping[str, Any], status: int = 200) -> Response:
    """Return the response that says ``answer``."""
    body = json.dumps(answer).encode()
    # A list of headers spares WebOb to make and to read them one by one.
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    response = Response(app_iter=[body], headerlist=headers)
    if status != HTTPStatus.OK:
        response.status = status
    return response
