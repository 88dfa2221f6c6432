"""`[database]`: an SQLite file, or PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit, urlunsplit

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator

from connector.config.values import Section

EXAMPLE = '"postgresql://connector@db.example.com/connector"'


class DatabaseSettings(Section):
    """Where the inbox, the journal and the links are kept."""

    url: str = "sqlite:///connector.db"
    password: SecretStr | None = None
    #: Days without `connector backup` after which it is missed; 0: something else backs the file up.
    backup_warning_days: Annotated[float, Field(ge=0, le=3650)] = 7.0
    #: With PostgreSQL: seconds after which other processes take over the work of one that is not heard of.
    lease_seconds: Annotated[float, Field(ge=2, le=600)] = 10.0
    _base: Path = PrivateAttr(default=Path())

    def model_post_init(self, context: Any) -> None:
        """Take the folder of the configuration file, which relative paths start from."""
        if context:
            self._base = context["base"]

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        scheme, _, rest = value.partition("://")
        if scheme.startswith("postgres"):
            return _on_server(value)
        if scheme != "sqlite" or not rest.startswith("/"):
            raise ValueError('must look like "sqlite:///connector.db" (four slashes make the path absolute)')
        if rest in ("/", "//") or rest.endswith("/") or ":memory:" in rest or "?" in rest:
            raise ValueError('must name a file and nothing more, for example "sqlite:///connector.db"')
        return value

    @classmethod
    def at(cls, address: str, base: Path) -> Self:
        """The database at an address as it is typed, in which a password may stand; relative files start from `base`.

        Raises:
            ValueError: it is no address; the error says what is wrong, and repeats nothing of it.
        """
        try:
            url, password = _apart(address)
            return cls.model_validate({"url": url, "password": password}, context={"base": base})
        except ValidationError as error:
            raise ValueError(str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from None

    @property
    def on_server(self) -> bool:
        """Whether it is PostgreSQL."""
        return self.url.startswith("postgresql:")

    @property
    def path(self) -> Path:
        """The database file; relative ones start from the configuration file's folder.

        With PostgreSQL what the key file and the lock file are named after: they stay in that folder, on this machine.
        """
        return self._base / ("connector" if self.on_server else self.url.removeprefix("sqlite:///"))

    @property
    def name(self) -> str:
        """What people call it: the file's name, or the database's."""
        return urlsplit(self.url).path.strip("/") if self.on_server else self.path.name

    @property
    def address(self) -> str:
        """The URL with the password in it, for whoever opens the database; never to be shown."""
        if self.password is None:
            return self.url
        return f"{self.url}{'&' if '?' in self.url else '?'}password={quote(self.password.get_secret_value(), safe='')}"


def _apart(address: str) -> tuple[str, str | None]:
    """The address of a PostgreSQL database without its password, and the password. Raises ValueError."""
    if not address.startswith("postgres"):
        return address, None
    try:
        parts = urlsplit(address)
        password = unquote(parts.password) if parts.password is not None else None
    except ValueError:
        raise ValueError(f"must name a server and a database, for example {EXAMPLE}") from None
    user, _, host = parts.netloc.rpartition("@")
    place = f"{user.partition(':')[0]}@{host}" if user else host
    rest = []
    for pair in filter(None, parts.query.split("&")):
        name, _, value = pair.partition("=")
        if name == "password":
            password = unquote(value)
        else:
            rest.append(pair)
    return urlunsplit((parts.scheme, place, parts.path, "&".join(rest), parts.fragment)), password


def _on_server(url: str) -> str:
    """Check the address of a PostgreSQL database. Raises ValueError."""
    try:
        parts = urlsplit(url)
        named = parts.scheme == "postgresql" and parts.path.strip("/") and "/" not in parts.path.strip("/")
        secret = parts.password is not None or "password" in parse_qs(parts.query)
    except ValueError:
        named = secret = False
    if secret:
        raise ValueError('must hold no password; write it as database.password = { env = "CONNECTOR_DATABASE_PASSWORD" }')
    if not named or "#" in url:
        raise ValueError(f"must name a server and a database, for example {EXAMPLE}")
    return url
