"""Why a request got no answer, in words: what was found on the way, and what an operator does about it."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

#: An error that shows that nothing of the request was sent.
BEFORE_SENDING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
#: The hint where a network may have no direct way out.
WAY_OUT = "check this machine's network and firewall; where only a proxy leads out, set proxy in [outbound]"
#: OpenSSL's number of what is wrong with a certificate (X509_V_ERR_…) → our words and what to do.
CERTIFICATE = {
    9: ("is not valid yet", "Check this machine's clock."),
    10: ("has expired", "Its operator must renew it; if it was renewed, check this machine's clock."),
    **dict.fromkeys(
        (2, 18, 19, 20, 21),
        (
            "is signed by an unknown authority",
            "For a private authority or an intercepting proxy, set ca_file in [outbound] to its certificates.",
        ),
    ),
    **dict.fromkeys((62, 64), ("is for another name", "Check the host in base_url.")),
}
#: Parts of OpenSSL's names of alerts → the same.
ALERTS = (
    ("WRONG_VERSION_NUMBER", "speaks no TLS on that port", "Check scheme and port: is it a plain http address?"),
    ("RECORD_LAYER_FAILURE", "speaks no TLS on that port", "Check scheme and port: is it a plain http address?"),
    ("PROTOCOL", "offers no TLS version that is safe (1.2 or newer)", "Its operator must allow TLS 1.2 or 1.3."),
    (
        "CERTIFICATE",
        "refuses our certificate, or wants one",
        "Set client_cert and client_key in [outbound]; perhaps renew them.",
    ),
    ("UNKNOWN_CA", "does not know the authority of our certificate", "Check client_cert in [outbound]."),
)


@dataclass(frozen=True, slots=True)
class Cause:
    """What goes into an error: the words after "no connection: ", and the hint."""

    reason: str
    hint: str = ""


def explain(error: BaseException) -> Cause:
    """The cause of a failed exchange, from the error and those that led to it. Texts name hosts and ports, no paths."""
    chain = list(_chain(error))
    who = _host(error, chain)
    for one in chain:
        if (found := _of(one, who, before=isinstance(error, BEFORE_SENDING))) is not None:
            return found
    if isinstance(error, BEFORE_SENDING):
        return Cause(f"{who} closed the connection while it was being made", f"If it lasts, {WAY_OUT}.")
    return Cause(f"{who} dropped the connection", "If it lasts, look at the network between, and at a proxy or firewall in it.")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, the innermost first: those say the most."""
    wrapped = next((one for one in error.args if isinstance(one, BaseException)), None)  # httpcore keeps it here
    if (cause := error.__cause__ or wrapped) is not None:
        yield from _chain(cause)
    yield error


def _host(error: BaseException, chain: list[BaseException]) -> str:
    """Whom the connection was for: the proxy's host where it was that one's, with the port where one is known."""
    import aiohttp

    for one in chain:
        if isinstance(one, aiohttp.ClientConnectorError) and one.host:
            proxy = "the proxy " if isinstance(one, aiohttp.ClientProxyConnectionError) else ""
            return f"{proxy}{one.host}"
    try:
        return error.request.url.host if isinstance(error, httpx.RequestError) else "the remote system"
    except RuntimeError:
        return "the remote system"


def _of(error: BaseException, who: str, *, before: bool) -> Cause | None:  # noqa: PLR0911 - one return per kind
    import aiohttp

    match error:
        case ssl.SSLEOFError() if not before:
            return None
        case ssl.SSLError():
            return _tls(error, who)
        case socket.gaierror() if error.errno == socket.EAI_AGAIN:
            return Cause(f"the name {who} cannot be resolved now (no answer from DNS)", "Check the machine's DNS and network.")
        case socket.gaierror():
            hint = "Check the spelling of base_url and the machine's DNS."
            return Cause(f"the name {who} cannot be resolved (DNS)", hint)
        case aiohttp.ClientHttpProxyError():
            return _proxy(error.status, who)
        case TimeoutError() | httpx.TimeoutException() if before:
            return Cause(f"{who} did not accept the connection in time", f"If it lasts, {WAY_OUT}.")
        case TimeoutError() | httpx.TimeoutException():
            return Cause(f"{who} gave no answer in time", "If it lasts, it is overloaded: see its vendor's status page.")
        case OSError():
            return _system(error, who)
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() if not before:
            hint = "If it lasts, look at a proxy or firewall in between."
            return Cause(f"{who} closed the connection before its answer was complete", hint)
        case aiohttp.ClientResponseError() if not before:
            return Cause(f"{who} answered with something that is not HTTP", "Check host and port of base_url.")
        case httpx.DecodingError():
            return Cause(f"the answer of {who} cannot be read: it is too large, or compressed in an unknown way")
    return None


def _tls(error: ssl.SSLError, who: str) -> Cause:
    if isinstance(error, ssl.SSLCertVerificationError):
        other = (f"is not accepted ({error.verify_message.rstrip('.')})", "Its operator must correct it.")
        what, hint = CERTIFICATE.get(error.verify_code, other)
        return Cause(f"the certificate of {who} {what}", hint)
    name = error.reason or ""
    for part, what, hint in ALERTS:
        if part in name:
            return Cause(f"{who} {what}", hint)
    return Cause(
        f"no encryption could be agreed on with {who} ({name.replace('_', ' ').lower() or 'TLS'})", f"First {WAY_OUT}."
    )


def _proxy(status: int, who: str) -> Cause:
    """What a proxy answered when it was asked to connect."""
    if status == 407:
        hint = "Set proxy_user and proxy_password in [outbound], or correct them."
        return Cause("the proxy wants a user name and password, or refuses those given (407)", hint)
    if status in (403, 405):
        return Cause(f"the proxy does not allow {who} ({status})", "Ask its operator to allow this host.")
    return Cause(f"the proxy could not connect to {who} (it answered {status})", "See the proxy's log.")


def _system(error: OSError, who: str) -> Cause | None:
    """What the operating system said."""
    match error.errno:
        case errno.ECONNREFUSED:
            return Cause(f"{who} refused the connection", "Nothing listens there: check host and port of the address.")
        case errno.ENETUNREACH | errno.EHOSTUNREACH | errno.EADDRNOTAVAIL:
            return Cause(f"there is no way to {who} in the network", f"First {WAY_OUT}.")
        case errno.EMFILE | errno.ENFILE:
            return Cause(
                "this machine has no free file handle for a connection", "Raise the limit of open files (LimitNOFILE)."
            )
    return None
