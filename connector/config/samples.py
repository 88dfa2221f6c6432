"""What a sample delivery needs beyond `[booking.NAME.webhook]`; products that need more say it in their own settings."""

from __future__ import annotations


class Sampled:
    """A booking account to which a sample delivery can be sent."""

    def sample_query(self) -> dict[str, str]:
        """What the query of a sample delivery's address holds; a secret of the address is among it."""
        return {}

    def own_proof(self, address: str | None, body: bytes, message_id: str, now: float) -> dict[str, str]:  # noqa: ARG002
        """Headers by which the product itself proves a delivery to `address`; none where `[booking.NAME.webhook]` says it."""
        return {}
