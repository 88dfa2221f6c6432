"""The proof that a sample delivery of ours carries, made with what a source expects of its sender."""

from __future__ import annotations

from connector.config.settings import WebhookSettings
from connector.remote.signatures import HmacVerifier, StandardWebhooksVerifier, verifier_for


def proof(settings: WebhookSettings, body: bytes, message_id: str, now: float, *, where: str) -> dict[str, str]:
    """Headers that prove `body`; with several tokens or secrets, the first is used.

    Other headers that are signed hold `message_id`. Raises ConfigError as `verifier_for` does.
    """
    verifier = verifier_for(settings, where=where)
    if isinstance(verifier, StandardWebhooksVerifier | HmacVerifier):
        return verifier.sign(body, message_id, now)
    if settings.verify == "token":
        token = settings.tokens[0].get_secret_value()
        return {settings.header: token} if settings.header else {"authorization": f"Bearer {token}"}
    return {}
