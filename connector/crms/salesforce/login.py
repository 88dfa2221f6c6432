"""How an access token is asked for: with the app's secret, or with a statement that a private key signs (RFC 7523)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from connector.crms.salesforce.settings import SalesforceSettings
from connector.remote.rs256 import PrivateKey, read_private_key, signed_statement

#: Seconds that a statement is good for; Salesforce takes minutes.
SECONDS = 120
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

_NO_APP = "No app has this client_id in the organisation of base_url: compare it with the app's consumer key."
_NOT_APPROVED = (
    "The app may not act for the username yet: in its policies let admin-approved users be pre-authorized,"
    " and add a permission set or profile of that user."
)
_NO_USER = "Check that the username is active, is not locked, and may log in from this address."
#: What Salesforce says of a refused statement (documented or seen), in lower case → what to do. A description wins.
ADVICE = {
    "invalid assertion": "The app does not accept the signature: upload the certificate that belongs to private_key to it.",
    "audience is invalid": (
        "Set audience to the organisation's My Domain address, or to https://login.salesforce.com,"
        " for a Salesforce sandbox https://test.salesforce.com."
    ),
    "user hasn't approved this consumer": _NOT_APPROVED,
    "user is not admin approved to access this app": _NOT_APPROVED,
    "invalid user": _NO_USER,
    "authentication failure": _NO_USER,
    "expired authorization code": "The signed statement had expired when it arrived: correct this machine's clock.",
    "client identifier invalid": _NO_APP,
    "invalid_client_id": _NO_APP,
    "app_not_found": _NO_APP,
    "invalid_app_access": _NOT_APPROVED,
}


class Login(Protocol):
    """One way to a token."""

    def form(self, now: float) -> dict[str, str]:
        """The form to send; `now` is Unix time."""

    def hint(self, error: str, description: str) -> str:
        """What to do about a refusal."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The app acts as the user whom its own settings name."""

    account: str
    client_id: str
    secret: str

    def form(self, now: float) -> dict[str, str]:  # noqa: ARG002 - a secret does not end
        """The app's id and secret."""
        return {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.secret}

    def hint(self, error: str, description: str) -> str:  # noqa: ARG002 - what was refused is one thing
        """Where the three settings are."""
        where = f"[{self.account}]"
        return f"Check client_id, client_secret and base_url in {where}, and that the app's client credentials have a user."


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """The app acts as the user whom we name, because the statement bears a signature that only our key makes."""

    account: str
    client_id: str
    username: str
    audience: str
    key: PrivateKey

    def form(self, now: float) -> dict[str, str]:
        """A new statement: there is no refresh token in this flow."""
        claims = {"iss": self.client_id, "sub": self.username, "aud": self.audience, "exp": int(now) + SECONDS}
        return {"grant_type": JWT_BEARER, "assertion": signed_statement(claims, self.key)}

    def hint(self, error: str, description: str) -> str:
        """By the description, or else by the code."""
        found = ADVICE.get(description.strip().lower()) or ADVICE.get(error)
        return found or f"Check client_id, username, private_key and audience in [{self.account}]."


def login_of(settings: SalesforceSettings, account: str) -> Login:
    """The way that the settings choose."""
    if settings.private_key is None or settings.username is None:
        secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
        return ClientCredentials(account, settings.client_id, secret)
    key = read_private_key(settings.private_key.get_secret_value())
    return SignedStatement(account, settings.client_id, settings.username, settings.audience or settings.base_url, key)
