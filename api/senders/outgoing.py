"""The one door through which the service speaks to addresses that people wrote down.

Such an address may point anywhere, also inwards: at the database, at a metadata service, at a neighbour. So the
host must stand on the operator's list, its name is looked up once, every address that came back must be public
or in a network that the operator allowed, and the connection goes to the very address that was checked: a name
that points elsewhere a moment later changes nothing. Redirects are not followed, no proxy of the environment is
used, and five seconds and 64 kB are the most that the other side gets.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import SplitResult, urlsplit

from api.senders.sending import SendFailed

__all__ = ["Answer", "Door"]

SECONDS = 5.0
MOST_BYTES = 64 * 1024

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network
Resolve = Callable[..., Sequence[tuple[Any, ...]]]

# ranges whose addresses carry another address that is meant; each with how to find it
_NAT64 = ip_network("64:ff9b::/96")
_NAT64_LOCAL = ip_network("64:ff9b:1::/48")
_COMPATIBLE = ip_network("::/96")
# public by their numbers, and yet the inside of somebody's cloud
_INSIDE = (ip_network("168.63.129.16/32"), ip_network("192.0.0.0/24"), ip_network("100.64.0.0/10"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said: the status and at most 64 kB."""

    status: int
    body: bytes


class Door:
    """Speaks to hosts of a list, at public addresses and at those of allowed networks.

    hosts : names in lower case; "*.example.org" stands for all below. networks : of the operator's own, that may
    be spoken to, also without TLS. resolve : as `socket.getaddrinfo`.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        networks: Sequence[_Network] = (),
        *,
        seconds: float = SECONDS,
        resolve: Resolve = socket.getaddrinfo,
    ) -> None:
        self._hosts = tuple(hosts)
        self._networks = tuple(networks)
        self._seconds = seconds
        self._resolve = resolve
        self._tls = ssl.create_default_context()

    def allows(self, url: str) -> bool:
        """Tell whether the host of an address is on the list; nothing is looked up."""
        try:
            return self._on_list(urlsplit(url).hostname or "")
        except ValueError:
            return False

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST to an address, once. Raises `SendFailed`: final where it is refused, else worth another try."""
        ends = time.monotonic() + self._seconds
        parts, port = _taken_apart(url)
        host = (parts.hostname or "").lower()
        if not self._on_list(host):
            raise SendFailed("host_not_allowed", final=True)
        address = self._checked(host, port, tls=parts.scheme == "https")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            with self._connect(address, port, ends) as bare:
                wire = bare
                if parts.scheme == "https":
                    bare.settimeout(_left(ends))
                    wire = self._tls.wrap_socket(bare, server_hostname=host)
                with wire:
                    return _exchange(wire, host, parts, path, body, headers, ends)
        except TimeoutError:
            raise SendFailed("timeout") from None
        except ssl.SSLError:
            raise SendFailed("tls_failed") from None
        except ConnectionRefusedError:
            raise SendFailed("connection_refused") from None
        except (OSError, http.client.HTTPException):
            raise SendFailed("connection_lost") from None

    def _on_list(self, host: str) -> bool:
        host = host.lower()
        return any(
            host == allowed or (allowed.startswith("*.") and host.endswith(allowed[1:]))
            for allowed in self._hosts
        )

    def _checked(self, host: str, port: int, *, tls: bool) -> _Address:
        """Look a name up, once, and return an address of it; refuse it whole when any is one of the inside."""
        try:
            rows = self._resolve(host, port, type=socket.SOCK_STREAM)
            found = [ip_address(str(row[4][0]).partition("%")[0]) for row in rows]
        except (OSError, UnicodeError, ValueError):
            raise SendFailed("name_not_found") from None
        if not found:
            raise SendFailed("name_not_found")
        for address in found:
            own = any(address.version == net.version and address in net for net in self._networks)
            if not own and not is_public(address):
                raise SendFailed("address_not_allowed", final=True)
            if not own and not tls:
                raise SendFailed("tls_wanted", final=True)
        return found[0]

    @staticmethod
    def _connect(address: _Address, port: int, ends: float) -> socket.socket:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        wire = socket.socket(family, socket.SOCK_STREAM)
        try:
            wire.settimeout(_left(ends))
            wire.connect((str(address), port))
        except BaseException:
            wire.close()
            raise
        return wire


def is_public(address: _Address) -> bool:
    """Tell whether an address, and the one that it carries inside where it does, is one of the open internet."""
    inner: list[_Address | None] = []
    if isinstance(address, IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64 or address in _COMPATIBLE:
            inner.append(IPv4Address(int(address) & 0xFFFFFFFF))
        if address in _NAT64_LOCAL:
            return False
    if any(one is not None and not is_public(one) for one in inner):
        return False
    if any(address.version == net.version and address in net for net in _INSIDE):
        return False
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    return mapped or (address.is_global and not address.is_multicast and not address.is_reserved)


def _taken_apart(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    except (ValueError, KeyError):
        raise SendFailed("bad_address", final=True) from None
    if "@" in parts.netloc or not url.isascii() or not url.isprintable() or " " in url:
        raise SendFailed("bad_address", final=True)
    return parts, port


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Timed(io.RawIOBase):
    """Reads from a connection until the time for all of it is over, however slowly it drips."""

    def __init__(self, wire: socket.socket, ends: float) -> None:
        self._wire, self._ends = wire, ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._wire.settimeout(_left(self._ends))
        return self._wire.recv_into(buffer)


class _Opened:
    """A connection as `http.client.HTTPResponse` wants one."""

    def __init__(self, wire: socket.socket, ends: float) -> None:
        self._reader: Any = io.BufferedReader(_Timed(wire, ends))

    def makefile(self, _mode: str) -> Any:
        return self._reader


def _exchange(
    wire: socket.socket,
    host: str,
    parts: SplitResult,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    ends: float,
) -> Answer:
    named = f"[{host}]" if ":" in host else host
    if parts.port:
        named = f"{named}:{parts.port}"
    head = {"Host": named, "Connection": "close", "Content-Length": str(len(body)), **headers}
    if any("\r" in text or "\n" in text for pair in head.items() for text in pair):
        raise SendFailed("bad_header", final=True)
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    wire.settimeout(_left(ends))
    wire.sendall("\r\n".join(lines).encode("latin-1", "replace") + body)
    response = http.client.HTTPResponse(_Opened(wire, ends), method="POST")  # type: ignore[arg-type]
    try:
        response.begin()
        said = response.read(MOST_BYTES + 1)
    finally:
        response.close()
    if len(said) > MOST_BYTES:
        raise SendFailed("answer_too_large", final=True)
    return Answer(response.status, said)
