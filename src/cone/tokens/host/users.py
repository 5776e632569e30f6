"""The users of a site, listed and changed without starting the site: in files or in a database."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import importlib
import tempfile
import unicodedata
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Final

import cone.app.security
import cone.sql
from cone.app.ugm import ugm_backend
from pyramid.request import Request
from pyramid.settings import aslist
from pyramid.threadlocal import manager
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import InvalidRequestError

from cone.tokens.core.address import read_address
from cone.tokens.core.address import told
from cone.tokens.core.clock import utc_now
from cone.tokens.core.database import Database
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.host.config import DATABASE
from cone.tokens.host.config import StartupError
from cone.tokens.host.files import locked
from cone.tokens.host.files import replacing
from cone.tokens.host.first_connection import require_database
from cone.tokens.host.passwords import require_password
from cone.tokens.host.user_backend import IN_DATABASE
from cone.tokens.host.user_backend import IN_FILES
from cone.tokens.host.user_backend import KEY
from cone.tokens.host.user_backend import backend_of
from cone.tokens.host.user_backend import missing_folders
from cone.tokens.host.user_errors import UserRefused

#: Who may do everything that a site lets somebody do.
MANAGER: Final = "manager"
LONGEST_NAME: Final = 100

#: What separates names in the files of users, groups and roles, and in paths.
_SEPARATORS: Final = ":,/\\"
#: Control characters, unassigned ones, surrogates, ends of lines.
_NO_NAME: Final = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """A user of the site.

    :ivar roles: those of the user alone.
    :ivar groups: that the user is in.
    :ivar group_roles: those that the groups have.
    """

    name: str
    roles: tuple[str, ...]
    groups: tuple[str, ...] = ()
    group_roles: tuple[str, ...] = ()

    @property
    def is_manager(self) -> bool:
        """Whether the user may do everything."""
        return MANAGER in (*self.roles, *self.group_roles)


class Users:
    """The users of a directory, within a change: what fails leaves everything as it was.

    :ivar removed: names of the users that were removed.
    """

    def __init__(
        self,
        directory: Any,
        superuser: str | None,
        hold: Callable[[Any], None] = lambda _user: None,
        hold_all: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the directory.

        :param superuser: ``cone.admin_user``, whom the directory does not know.
        :param hold: keeps other programs from changing a user until the change ends.
        :param hold_all: keeps them from changing any user; called before one is held.
        """
        self.removed: list[str] = []
        self._directory = directory
        self._superuser = superuser
        self._hold = hold
        self._hold_all = hold_all

    def all(self) -> list[User]:
        """Return all users, by name."""
        users = self._directory.users
        return [self._user(users[name]) for name in sorted(users.keys())]

    def add(self, name: str, password: str, roles: Iterable[str]) -> User:
        """Make a user.

        :raises InvalidParameter: name, password or a role is none that can be given.
        :raises UserRefused: there is one of that name.
        """
        require_name(name)
        require_password(password)
        roles = [require_role(role) for role in roles]
        users = self._directory.users
        if name == self._superuser:
            raise UserRefused("user_exists", f"{name} is the cone.admin_user of the ini file")
        if name in users:
            raise UserRefused("user_exists", f"There is a user {name} already")
        user = users.create(name)
        users.passwd(name, None, password)
        for role in dict.fromkeys(roles):
            user.add_role(role)
        return self._user(users[name])

    def set_password(self, name: str, password: str) -> None:
        """Give a user another password.

        :raises InvalidParameter: it is none that can be given.
        :raises UserRefused: there is no such user.
        """
        require_password(password)
        self._known(name)
        self._directory.users.passwd(name, None, password)

    def remove(self, name: str, *, is_last_meant: bool = False) -> User:
        """Remove a user, from groups too, and return who it was.

        :param is_last_meant: remove also the last one who has the role manager.
        :raises UserRefused: there is no such user, or it is the last manager.
        """
        if not is_last_meant:
            self._hold_all()
        was = self._user(self._known(name))
        if not is_last_meant:
            self._require_another_manager(was)
        del self._directory.users[name]
        self.removed.append(name)
        return was

    def change_roles(
        self,
        name: str,
        add: Iterable[str],
        remove: Iterable[str],
        *,
        is_last_meant: bool = False,
    ) -> User:
        """Give a user roles and take others away; where nothing is to be done, that is no error.

        :param is_last_meant: take the role manager also from the last one who has it.
        :raises InvalidParameter: a role to give is unknown, or is to be taken away as well.
        :raises UserRefused: there is no such user, or it is the last manager.
        """
        added, removed = dict.fromkeys(map(require_role, add)), dict.fromkeys(remove)
        both = [role for role in added if role in removed]
        if both:
            message = f"role: {both[0]} cannot be given and taken away at once"
            raise InvalidParameter("role", "contradiction", message)
        is_guarded = MANAGER in removed and not is_last_meant
        if is_guarded:
            self._hold_all()
        user = self._known(name)
        own = _own_roles(user)
        if is_guarded and MANAGER not in self._user(user).group_roles:
            self._require_another_manager(self._user(user))
        for role in added:
            if role not in own:
                user.add_role(role)
        for role in removed:
            if role in own:
                user.remove_role(role)
        return self._user(user)

    def _require_another_manager(self, user: User) -> None:
        """See that somebody else may do everything.

        :raises UserRefused: a manager would be the last one.
        """
        if self._superuser or not user.is_manager:
            return
        if not any(one.is_manager for one in self.all() if one.name != user.name):
            problem = f"{user.name} is the last user with the role {MANAGER}; nothing was changed"
            raise UserRefused("last_manager", f"{problem}. --last-manager does it all the same")

    def _known(self, name: str) -> Any:
        user = self._directory.users.get(name)
        if user is None:
            known = difflib.get_close_matches(name, self._directory.users.keys(), n=1)
            hint = f"; did you mean {known[0]}?" if known else ""
            if name == self._superuser:
                hint = ": it is the cone.admin_user of the ini file, which has the password too"
            raise _no_user(name, hint)
        self._hold(user)
        return user

    def _user(self, user: Any) -> User:
        groups = sorted(user.groups, key=lambda group: group.name)
        roles = {role for group in groups for role in group.roles}
        return User(
            user.name,
            tuple(sorted(_own_roles(user))),
            tuple(group.name for group in groups),
            tuple(sorted(roles)),
        )


def require_name(name: str) -> str:
    """Return the name of a user to be made.

    :raises InvalidParameter: a directory in files could not keep it, or nobody could type it.
    """
    is_known = any(unicodedata.category(sign) in _NO_NAME for sign in name)
    if not name or len(name) > LONGEST_NAME or name != name.strip() or is_known:
        problem = f"must have 1 to {LONGEST_NAME} characters, no line breaks and no blanks around"
    elif set(name) & set(_SEPARATORS) or name.startswith("."):
        problem = f"must not have one of {' '.join(_SEPARATORS)} in it, nor a dot in front"
    else:
        return name
    raise InvalidParameter("name", "wrong_name", f"name: {problem}")


def known_roles() -> list[str]:
    """Return the names of the roles that can be given: cone.app's and all that were registered."""
    return [name for name, _title in cone.app.security.DEFAULT_ROLES]


def require_role(role: str) -> str:
    """Return the name of a role to be given.

    :raises InvalidParameter: there is none of that name.
    """
    known = known_roles()
    if role in known:
        return role
    near = difflib.get_close_matches(role, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"must be one of {', '.join(known)}"
    raise InvalidParameter("role", "unknown_role", f"role: {role!r} is unknown; {hint}")


@contextlib.contextmanager
def changing_users(settings: Mapping[str, str]) -> Iterator[Users]:
    """Open the user directory of a site; what is changed counts when the block ends, or not at all.

    The site may be running.

    :param settings: the ini settings of the application.
    :raises StartupError: the site has no directory that is known here, or it cannot be used.
    :raises Unavailable: the database does not answer.

    Concurrency: others that come this way wait, for all of the files or for one row.
    """
    for plugin in aslist(settings.get("cone.plugins", "")):
        with contextlib.suppress(ImportError):
            importlib.import_module(plugin)
    backend = backend_of(settings)
    if backend in IN_FILES:
        opened = _in_files(settings, backend)
    elif backend == IN_DATABASE:
        opened = _in_database(settings)
    else:
        known = ", ".join((*IN_FILES, IN_DATABASE))
        raise StartupError(KEY, f"users of {backend!r} are not kept here, those of {known} are")
    with opened as users:
        yield users


def _no_user(name: str, hint: str = "") -> UserRefused:
    return UserRefused("user_not_exists", f"There is no user {name}{hint}")


def _own_roles(user: Any) -> list[str]:
    """Return the roles of a user; those of groups are none, which cone.sql mixes in."""
    return list(getattr(user, "own_roles", user.roles))


@contextlib.contextmanager
def _in_files(settings: Mapping[str, str], backend: str) -> Iterator[Users]:
    """Change copies of the files, which then take their place one by one."""
    directory = ugm_backend.registry[backend](settings)()
    for key, folder in missing_folders(settings, backend):
        raise StartupError(key, f"there is no folder {folder}; make it with mkdir -p")
    paths = {}
    # Roles of somebody who is not there yet grant nothing.
    for name in ("roles_file", "groups_file", "users_file"):
        text = getattr(directory, name)
        if not text:
            raise StartupError(f"{IN_FILES[backend]}{name}", "is missing; give the path of a file")
        paths[name] = Path(text).resolve()
    with (
        _told_file_errors(),
        locked(paths["users_file"].parent),
        tempfile.TemporaryDirectory() as name,
    ):
        before = {name: path.read_bytes() for name, path in paths.items() if path.exists()}
        copies = {file: Path(name, file) for file in paths}
        for file, copy in copies.items():
            copy.write_bytes(before.get(file, b""))
            setattr(directory, file, str(copy))
        details, directory.data_directory = directory.data_directory, str(Path(name, "data"))
        users = Users(directory, settings.get("cone.admin_user"))
        yield users
        directory()
        for file, path in paths.items():
            content = copies[file].read_bytes()
            if content != before.get(file):
                with replacing(path) as target:
                    target.write(content)
        if details:
            # Else the next user of that name had the address and more of this one.
            for removed in users.removed:
                Path(details, "users", Path(removed).name).unlink(missing_ok=True)


@contextlib.contextmanager
def _told_file_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        problem = f"the users cannot be changed: {error.filename}: {error.strerror}"
        raise StartupError(KEY, problem) from None
    except UnicodeDecodeError as error:
        raise StartupError(KEY, f"the users cannot be read: {error}") from None


@contextlib.contextmanager
def _in_database(settings: Mapping[str, str]) -> Iterator[Users]:
    """Change the tables, which are made where there are none."""
    require_database(settings)
    # Registers its tables.
    importlib.import_module("cone.sql.ugm")
    factory = cone.sql.SQLSessionFactory(dict(settings), DATABASE)
    # Of cone.ugm only a started site knows the settings; they name attributes.
    plain = {**settings, "cone.plugins": ""}
    try:
        with Database(factory.engine, utc_now).changing_tables() as connection:
            cone.sql.metadata.create_all(connection)
            session = factory.maker(bind=connection)
            cone.sql.setup_session(session)

            def hold(user: Any) -> None:
                name = user.name
                try:
                    session.refresh(user.record, with_for_update=True)
                except InvalidRequestError:
                    # Removed since it was read.
                    raise _no_user(name) from None

            def hold_all() -> None:
                # On SQLite nobody else writes as it is.
                if connection.dialect.name == "postgresql":
                    connection.exec_driver_sql("LOCK TABLE principal IN EXCLUSIVE MODE")

            with _current_request(session):
                directory = ugm_backend.registry[IN_DATABASE](plain)()
                yield Users(directory, settings.get("cone.admin_user"), hold, hold_all)
                session.flush()
            session.close()
    except IntegrityError:
        raise UserRefused("user_exists", "There is a user of that name already") from None
    except DBAPIError as error:
        reason = told(error, read_address(settings[f"{DATABASE}url"]))
        raise StartupError(f"{DATABASE}url", f"the users cannot be changed: {reason}") from None
    finally:
        factory.engine.dispose()


@contextlib.contextmanager
def _current_request(session: Any) -> Iterator[None]:
    """Have a request in which cone.sql finds its session."""
    request = Request.blank("/")
    request.environ[cone.sql.session_key] = session
    manager.push({"request": request, "registry": None})
    try:
        yield
    finally:
        manager.pop()
