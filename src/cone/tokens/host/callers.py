"""Who asks: whom a request is counted for."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from typing import Final

from cone.tokens.host.identity import claimed_userid

if TYPE_CHECKING:
    from pyramid.request import Request

#: The part of an IPv6 address that one customer of a provider has.
_IPV6_NETWORK: Final = 64


def caller_of(request: Request) -> str:
    """Return the caller that a request is counted for: the user, or the address of nobody known.

    A hall of phones has one address.
    """
    # The user directory may be in the database.
    user = claimed_userid(request)
    return f"address {address_of(request)}" if user is None else f"user {user}"


def address_of(request: Request) -> str:
    """Return the address that a request comes from, of IPv6 the network."""
    text = request.environ.get("REMOTE_ADDR") or "unknown"
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if address.version == 4:  # noqa: PLR2004 - the version of the protocol
        return text
    mapped = address.ipv4_mapped
    return str(mapped or ipaddress.ip_network((address, _IPV6_NETWORK), strict=False))
