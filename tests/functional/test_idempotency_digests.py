"""The digests that idempotency keys are bound to are the same in each version.

A repeat may come after an upgrade: with another digest it would count as a request of its own.
"""

import uuid

import cone.sql
import pytest
from sqlalchemy import select
from webtest import TestApp

from cone.tokens.core.records import TokenRequestRecord
from tests.support.asking import send
from tests.support.asking import sign_in
from tests.support.factories import new_token

KEY = "order-0001"
UID = "6f2c1d1e-58a3-4a0c-9a87-0d3c64f6a001"

#: Requests of the user ``admin``, and what they are bound to: hash of the key, fingerprint.
BOUND = {
    "consume, by path": (
        f"{UID}/consume_token",
        {},
        "d620fdd1d7db51bef68c2c8f1410b889c07a068066b0622d129520e0287cfa6c",
        "6f8cda04eb1e2a516d7640b6e96a7c2f902bdae50d0fc0280c240783dcf57bb7",
    ),
    "consume, by value": (
        "consume_token",
        {"value": "GUEST-1"},
        "d620fdd1d7db51bef68c2c8f1410b889c07a068066b0622d129520e0287cfa6c",
        "e12979bb0ceca1a425c0068c9be77a7b0fd003d1e073703a08afc1aef2131784",
    ),
    "consume, by value with an empty end": (
        "consume_token",
        {"value": "GUEST-1", "ended_by": ""},
        "d620fdd1d7db51bef68c2c8f1410b889c07a068066b0622d129520e0287cfa6c",
        "e12979bb0ceca1a425c0068c9be77a7b0fd003d1e073703a08afc1aef2131784",
    ),
    "add": (
        "add_token",
        {"value": "GUEST-2", "usage_count": "2", "valid_from": "2026-01-15T10:00:00+00:00"},
        "5c3effa4533f64ae494d3f471d51209a3db0a84c76539f3031e78377f295828d",
        "f0c9a46d7a50d046cb6cd0956b48688f0a4076f4a2a9fb6564a16a3e6e34a2c0",
    ),
    "add many": (
        "add_tokens",
        {"count": "3", "random": "1", "prefix": "VIP-"},
        "d8ec79dcf80038e08b4bb0b53e1f5deb16726bb0849f5e1126ac51e37b5afbf6",
        "44f726aea02bf658a3dd9a01b505897cc21c404ca77c220051b54d66fd6c9840",
    ),
}


@pytest.mark.parametrize(
    ("path", "parameters", "key_hash", "fingerprint"), BOUND.values(), ids=BOUND
)
def test_request_when_it_brings_a_key_then_its_digests_are_those_of_older_versions(
    wsgi_app, service, path, parameters, key_hash, fingerprint
):
    if "consume_token" in path:
        service.add_as(uuid.UUID(UID), new_token(value="GUEST-1"), by=None)
    admin = sign_in(TestApp(wsgi_app), "admin")
    answer = send(admin, "POST", f"/tokens/{path}", parameters, headers={"Idempotency-Key": KEY})
    assert answer.json["success"]
    with cone.sql.session_factory.engine.connect() as connection:
        row = connection.execute(select(TokenRequestRecord)).one()
    assert (row.key_hash, row.fingerprint) == (key_hash, fingerprint)
