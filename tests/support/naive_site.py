"""A plugin for sites that shall lose every race: it puts the naive service in place of the core."""

import functools

import cone.sql
from cone.app import main_hook
from pyramid.events import ApplicationCreated

from cone.tokens.host import wiring
from cone.tokens.tickets.service import TicketService
from tests.support.naive import NaiveService
from tests.support.naive import pass_gate

#: Setting with the address of the gate that the service passes.
GATE = "tests.support.naive.gate"


@main_hook
def install_naive_service(config, _global_config, settings) -> None:
    gate = functools.partial(pass_gate, settings[GATE])

    def install(_event: ApplicationCreated) -> None:
        naive = NaiveService(cone.sql.session_factory.engine, gate)
        wiring.add(naive, TicketService)

    config.add_subscriber(install, ApplicationCreated)
