"""What the shell has to know of nodes, whatever part they belong to."""

from __future__ import annotations

import uuid
from typing import Any

from zope.interface import Attribute
from zope.interface import Interface


class IOurNode(Interface):
    """A node of a part."""

    place: str = Attribute("what logs and metrics call views of the node")


class IEntryNode(IOurNode):
    """The node of a part below the root of the site: its pages and endpoints are found below it."""

    row_class: type[Any] = Attribute("class of the nodes below it")


class IRowNode(IOurNode):
    """The node of one row of a part, below its entry node. The row need not exist."""

    uid: uuid.UUID | None = Attribute("of the row; None where the name spells none")
    is_there: bool = Attribute("whether the row exists; asking may read it")


class ISettingsNode(IOurNode):
    """The node of the settings of a part."""

    entry: str = Attribute("name of the entry node of the part")
