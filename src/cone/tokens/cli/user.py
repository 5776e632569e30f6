"""The commands for users of a site: those who sign in, with names, passwords and roles."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from cone.tokens.cli.command import Output
from cone.tokens.cli.command import Site
from cone.tokens.cli.command import site_command
from cone.tokens.cli.passwords import password_options
from cone.tokens.cli.passwords import read_password
from cone.tokens.host.users import User
from cone.tokens.host.users import changing_users
from cone.tokens.tickets.security import register_operator_role

_NAME = click.argument("name", metavar="NAME")
_LAST = click.option(
    "--last-manager",
    "is_last_meant",
    is_flag=True,
    help="Do it also where nobody else has the role manager.",
)


@click.group()
def user() -> None:
    """Look after the users of a site, in files or in its database.

    The site may be running: what changes counts with the next request.
    """
    register_operator_role()


@site_command(
    _NAME,
    click.option(
        "--role",
        "roles",
        multiple=True,
        metavar="ROLE",
        help="What the user may do: token_operator scans, viewer looks, editor makes and changes, "
        "admin deletes too, manager changes the settings too. May be given more than once.",
    ),
    password_options,
)
def add(
    site: Site,
    output: Output,
    *,
    name: str,
    roles: tuple[str, ...],
    **source: Any,
) -> None:
    """Make a user. Without a role one can sign in, and do nothing."""
    password = read_password(**source)
    with changing_users(site.settings) as users:
        made = users.add(name, password.text, roles)
    facts = {"success": True, **dataclasses.asdict(made), **password.facts}
    output.result(facts, f"Made {name}: {_named(made.roles)}{password.line}")


@site_command()
def list_(site: Site, output: Output) -> None:
    """List users, roles and groups; roles in brackets are those of groups."""
    with changing_users(site.settings) as users:
        found = users.all()
    facts = {"success": True, "users": [dataclasses.asdict(one) for one in found]}
    width = max((len(one.name) for one in found), default=0)
    lines = [f"{one.name:<{width}}  {_roles(one)}" for one in found]
    output.result(facts, "\n".join(lines) or "There are no users.")


@site_command(_NAME, password_options)
def set_password(
    site: Site,
    output: Output,
    *,
    name: str,
    **source: Any,
) -> None:
    """Give a user another password. The old one is no good any more, cookies are until they end."""
    password = read_password(**source)
    with changing_users(site.settings) as users:
        users.set_password(name, password.text)
    facts = {"success": True, "name": name, **password.facts}
    output.result(facts, f"{name} has another password{password.line}")


@site_command(
    _NAME,
    click.option("--add", "added", multiple=True, metavar="ROLE", help="Give the role."),
    click.option("--remove", "removed", multiple=True, metavar="ROLE", help="Take the role away."),
    _LAST,
)
def roles(  # noqa: PLR0913 - one for each option
    site: Site,
    output: Output,
    *,
    name: str,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    is_last_meant: bool,
) -> None:
    """Give a user roles, take others away, and tell those that are left."""
    with changing_users(site.settings) as users:
        changed = users.change_roles(name, added, removed, is_last_meant=is_last_meant)
    output.result({"success": True, **dataclasses.asdict(changed)}, f"{name}  {_roles(changed)}")


@site_command(_NAME, _LAST)
def remove(site: Site, output: Output, *, name: str, is_last_meant: bool) -> None:
    """Remove a user, from groups too. What the logs tell of the user stays."""
    with changing_users(site.settings) as users:
        removed = users.remove(name, is_last_meant=is_last_meant)
    output.result({"success": True, **dataclasses.asdict(removed)}, f"Removed {name}")


def _roles(one: User) -> str:
    inherited = [role for role in one.group_roles if role not in one.roles]
    of_groups = f" ({', '.join(inherited)})" if inherited else ""
    groups = f"  in {', '.join(one.groups)}" if one.groups else ""
    return f"{_named(one.roles)}{of_groups}{groups}"


def _named(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "no role"


for command in (add, list_, set_password, roles, remove):
    user.add_command(command)
