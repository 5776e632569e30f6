"""The nodes: plain cone.app nodes over the service, without rules and SQL of their own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any
from typing import Final

from cone.app.interfaces import INavigationLeaf
from cone.app.model import AppNode
from cone.app.model import LeafNode
from cone.app.model import Metadata
from cone.app.model import Properties
from cone.app.model import node_info
from node.behaviors import Node
from node.behaviors import NodeInit
from node.utils import instance_property
from plumber import plumbing
from zope.interface import implementer

from cone.tokens import wiring
from cone.tokens.api import token_values
from cone.tokens.core.params import find_uid
from cone.tokens.core.records import TokenRecord
from cone.tokens.core.records import TokenUsageRecord
from cone.tokens.core.types import Token
from cone.tokens.i18n import _
from cone.tokens.security import acl_of

__all__ = ["TokenContainer", "TokenNode", "TokenRecord", "TokenUsageRecord"]

#: Name of the container below the root.
ENTRY: Final = "tokens"

#: Tokens that are read at once where all of them are walked.
CHUNK: Final = 500


@node_info(
    name="token",
    title=_("token", default="Token"),
    description=_("token_node_description", default="A token"),
    icon="bi-qr-code",
)
@plumbing(LeafNode, Node)
class TokenNode:
    """One token. It is asked for when somebody needs it, and at most once until a change.

    :ivar uid: of the token, which need not exist; None where the name spells none.
    """

    #: What stands in the path.
    name: str

    def __init__(
        self,
        name: str | None = None,
        parent: TokenContainer | None = None,
        uid: uuid.UUID | None = None,
    ) -> None:
        self.__name__ = name
        self.__parent__ = parent
        self.uid = uid
        self._found: list[Token | None] = []

    @property
    def __acl__(self) -> Any:
        """Who may do what."""
        return acl_of(self)

    @property
    def token(self) -> Token | None:
        """The token as it is; None where it does not exist.

        :raises Unavailable: the database does not answer.
        """
        if not self._found:
            service = wiring.token_service()
            self._found.append(service.find(self.uid) if self.uid else None)
        return self._found[0]

    def forget(self) -> None:
        """Ask for the token anew: it was changed."""
        self._found.clear()

    @property
    def attrs(self) -> dict[str, Any]:
        """The fields of the token, for reading. Times are aware and in UTC.

        Empty where the token does not exist.
        """
        token = self.token
        return token_values(token) if token else {}

    @instance_property
    def metadata(self) -> Metadata:
        """Title of the node in the host's pages."""
        metadata = Metadata()
        metadata.title = self.name
        return metadata


@node_info(
    name="tokens",
    title=_("tokens", default="Tokens"),
    description=_("tokens_node_description", default="Container of tokens"),
    icon="bi-qr-code-scan",
)
@implementer(INavigationLeaf)
@plumbing(AppNode, NodeInit, Node)
class TokenContainer:
    """All tokens. There may be millions of them: pages never walk it.

    One instance serves all requests of the process: it keeps no state.
    """

    @property
    def __acl__(self) -> Any:
        """Who may do what."""
        return acl_of(self)

    @instance_property
    def properties(self) -> Properties:
        """Where the host shows the node: as a leaf, tokens are not listed beside pages."""
        properties = Properties()
        properties.in_navtree = True
        return properties

    def __getitem__(self, name: str) -> TokenNode:
        """Return the node of a token; whether the token exists is not asked here.

        :raises KeyError: ``name`` spells no uid.
        """
        uid = find_uid(name)
        if uid is None:
            raise KeyError(name)
        return TokenNode(name=str(uid), parent=self, uid=uid)

    def __iter__(self) -> Iterator[str]:
        """Return the names of all tokens, newest first, read in chunks."""
        service = wiring.token_service()
        page = service.page(CHUNK)
        while page.tokens:
            yield from (str(token.uid) for token in page.tokens)
            page = service.page(CHUNK, after=page.tokens[-1].uid)
