"""The nodes: cone.app nodes over the service, without rules and SQL of their own."""

from __future__ import annotations

import uuid
from collections.abc import ItemsView
from collections.abc import Iterator
from collections.abc import KeysView
from collections.abc import Mapping
from collections.abc import ValuesView
from types import MappingProxyType
from typing import Any
from typing import Final
from typing import TypeVar
from typing import cast

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

from cone.tokens.core.params import find_uid
from cone.tokens.core.values import EVERYTHING
from cone.tokens.core.values import UNSET
from cone.tokens.core.values import Unset
from cone.tokens.host import wiring
from cone.tokens.host.nodes import IEntryNode
from cone.tokens.host.nodes import IRowNode
from cone.tokens.i18n import _
from cone.tokens.tickets.fields import fields_of
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenUsageRecord
from cone.tokens.tickets.security import acl_of
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.values import Ticket

__all__ = ["TokenContainer", "TokenNode", "TokenRecord", "TokenUsageRecord"]

#: Name of the container below the root.
ENTRY: Final = "tokens"

#: Name of the view of the scan page.
SCAN: Final = "scan"

T = TypeVar("T")


@node_info(
    name="token",
    title=_("token", default="Token"),
    description=_("token_node_description", default="A token"),
    icon="bi-qr-code",
)
@implementer(IRowNode)
@plumbing(LeafNode, Node)
class TokenNode:
    """One token. It is asked for when somebody needs it, and at most once until a change.

    :ivar uid: of the token, which need not exist; None where the name spells none.
    """

    place = "token"

    #: What stands in the path.
    name: str

    def __init__(
        self,
        name: str | None = None,
        parent: TokenContainer | None = None,
        uid: uuid.UUID | None = None,
        token: Ticket | None = None,
    ) -> None:
        self.__name__ = name
        self.__parent__ = parent
        self.uid = uid
        self._found: Ticket | Unset | None = token or UNSET

    @property
    def __acl__(self) -> Any:
        """Who may do what."""
        return acl_of(self)

    @property
    def token(self) -> Ticket | None:
        """The token as it is; None where it does not exist.

        :raises Unavailable: the database does not answer.
        """
        if isinstance(self._found, Unset):
            self._found = wiring.get(TicketService).find(self.uid) if self.uid else None
        return self._found

    @property
    def is_there(self) -> bool:
        """Whether the token exists."""
        return self.token is not None

    def forget(self) -> None:
        """Ask for the token anew: it was changed."""
        self._found = UNSET

    @property
    def attrs(self) -> Mapping[str, Any]:
        """The fields of the token, for reading. Times are aware and in UTC.

        Empty where the token does not exist.
        """
        token = self.token
        return MappingProxyType(fields_of(token) if token else {})

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
@implementer(INavigationLeaf, IEntryNode)
@plumbing(AppNode, NodeInit, Node)
class TokenContainer:
    """All tokens, as a mapping for reading. There may be millions of them: pages never walk it.

    One instance serves all requests of the process: it keeps no state.
    """

    place = "tokens"
    row_class = TokenNode

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
        return (str(token.uid) for token in wiring.get(TicketService).every(EVERYTHING))

    def __len__(self) -> int:
        """Return how many tokens there are; more than 10,000 are walked."""
        count = wiring.get(TicketService).count()
        return sum(1 for _name in self) if count is None else count

    def __contains__(self, name: object) -> bool:
        """Return whether there is a token with this uid."""
        return self.get(name) is not None

    def get(self, name: object, default: T | None = None) -> TokenNode | T | None:
        """Return the node of a token that exists, else ``default``."""
        uid = find_uid(str(name))
        node = self[str(uid)] if uid else None
        return node if node is not None and node.token else default

    def keys(self) -> KeysView[str]:
        """Return the names of all tokens."""
        return KeysView(cast("Mapping[str, TokenNode]", self))

    def values(self) -> ValuesView[TokenNode]:
        """Return the nodes of all tokens, read in chunks."""
        return _Nodes(self)

    def items(self) -> ItemsView[str, TokenNode]:
        """Return names and nodes of all tokens, read in chunks."""
        return _Items(self)

    def walk(self) -> Iterator[TokenNode]:
        """Return the nodes of all tokens, newest first; none is asked for by itself."""
        for token in wiring.get(TicketService).every(EVERYTHING):
            yield TokenNode(str(token.uid), self, token.uid, token)


class _Nodes(ValuesView[TokenNode]):
    def __init__(self, container: TokenContainer) -> None:
        super().__init__(cast("Mapping[str, TokenNode]", container))
        self._walk = container.walk

    def __iter__(self) -> Iterator[TokenNode]:
        return self._walk()


class _Items(ItemsView[str, TokenNode]):
    def __init__(self, container: TokenContainer) -> None:
        super().__init__(cast("Mapping[str, TokenNode]", container))
        self._walk = container.walk

    def __iter__(self) -> Iterator[tuple[str, TokenNode]]:
        return ((node.name, node) for node in self._walk())
