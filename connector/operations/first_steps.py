"""What a sender must be given: the webhook's address and the header, for a source that has never received anything."""

from __future__ import annotations

from connector.config.addresses import is_any
from connector.config.settings import BookingSettings, Config


def first_steps(config: Config, name: str) -> dict[str, str]:
    """Address and proof of one source, as a person enters them at the sender; no secret is among them."""
    settings = config.booking[name]
    base = (config.server.public_url or f"http://{_host(config)}:{config.server.port}").rstrip("/")
    query = "?key=PATH_KEY" if getattr(settings, "path_key", None) is not None else ""
    return {"source": name, "address": f"{base}/webhooks/{name}{query}", "proof": _proof(name, settings)}


def _host(config: Config) -> str:
    """Where a program on this machine reaches the service."""
    host = config.server.host
    if is_any(host):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _proof(name: str, settings: BookingSettings) -> str:
    """What each delivery must carry, in words."""
    webhook = settings.webhook
    if settings.own_verification and webhook is None:
        return f"the signature of {settings.system}, made with a secret of [booking.{name}]"
    if webhook is None or webhook.verify == "none":
        return "no header: anybody who knows the address can send"
    if webhook.verify == "token":
        if webhook.header is None or webhook.header.lower() == "authorization":
            return f"`Authorization: Bearer TOKEN`, with a token of [booking.{name}.webhook]"
        return f"`{webhook.header}: TOKEN`, with a token of [booking.{name}.webhook]"
    if webhook.verify == "hmac":
        return f"`{webhook.header}`, a signature made with a secret of [booking.{name}.webhook]"
    return f"`webhook-id`, `webhook-timestamp` and `webhook-signature`, made with a secret of [booking.{name}.webhook]"
