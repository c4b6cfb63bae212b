"""The configuration's model: attribute names are the YAML keys, durations are seconds, sizes are bytes.

Only what is served stands here; keys that are known and not served yet are in ``availability.py``. To
serve one, move it here. Every object is frozen; a live configuration is replaced whole, never changed.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the model reads its annotations at run time
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gateway.config.index_url import IndexUrl  # noqa: TC001 - as below
from gateway.config.policies import Policy  # noqa: TC001 - the model reads its annotations at run time
from gateway.config.section import Section
from gateway.config.values import (
    Duration,
    File,
    Flag,
    Folder,
    HeaderName,
    HeaderValue,
    Host,
    Name,
    OpenApi,
    Overlay,
    Prefix,
    Proxies,
    Retention,
    Secret,
    Url,
    Workers,
    choice,
    fault,
    integer,
    size,
    string,
)

_GIB: Final = 1 << 30
_TIB: Final = 1 << 40

Port = Annotated[int, *integer(0, 65535)]
BodyBytes = Annotated[int, *size(1, _GIB)]


class ListenTls(Section):
    """The listener's certificate; PEM files."""

    certificate: File = Field(description="Certificate chain, PEM")
    key: File = Field(description="Private key, PEM")


class Listen(Section):
    """Where callers connect."""

    host: Host = Field(default="127.0.0.1", description="Address to listen on")
    port: Port = Field(default=8080, description="Port to listen on; 0 takes any free one")
    tls: ListenTls | None = Field(
        default=None, description="Serve HTTPS with this certificate; absent: plain HTTP"
    )


class Token(Section):
    """Who may use the admin listener."""

    name: Name = Field(description="Who holds the token, for the records")
    role: Annotated[Literal["viewer", "operator"], *choice("viewer", "operator")] = Field(
        description="A viewer reads; an operator may also reload"
    )
    token: Secret = Field(description="The bearer token, or {file: PATH}")


def _distinct_tokens(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    if len({token.name for token in tokens}) < len(tokens):
        raise fault("two tokens have the same name")
    if len({token.token.get_secret_value() for token in tokens}) < len(tokens):
        raise fault("two tokens have the same value")
    return tokens


class Admin(Section):
    """Health, metrics and the console."""

    host: Host = Field(default="127.0.0.1", description="Address to listen on; off loopback it needs a token")
    port: Port = Field(default=9901, description="Port to listen on; 0 takes any free one")
    tokens: Annotated[tuple[Token, ...], AfterValidator(_distinct_tokens)] = Field(
        default=(), description="Who may use it; health and readiness never need a token"
    )


class Deadlines(Section):
    """How long each step of a connection may take."""

    header: Duration = Field(default=10.0, description="From a request's first byte to its whole head")
    body: Duration = Field(default=30.0, description="From the head to the whole body")
    keepalive: Duration = Field(default=75.0, description="An idle connection is kept this long")
    drain: Duration = Field(default=30.0, description="On shutdown, requests under way may take this long")


class Body(Section):
    """What a request body may be at most."""

    max_bytes: BodyBytes = Field(default=1 << 20, description="Largest body; more is refused with 413")
    max_depth: Annotated[int, *integer(1, 200)] = Field(default=32, description="How deep JSON may nest")
    max_decoded_ratio: Annotated[int, *integer(1, 100_000)] = Field(
        default=100,
        description="How many times its size a compressed body may have once it is decoded; more: 413",
    )


class Capacity(Section):
    """What the whole gateway holds at once; more is answered 503 with Retry-After."""

    in_flight: Annotated[int, *integer(1, 1_000_000)] = Field(default=1000, description="Requests at once")
    body_bytes: Annotated[int, *size(1, _TIB)] = Field(
        default=256 << 20, description="Bytes of bodies at once"
    )


class Timeouts(Section):
    """How long an upstream may take."""

    connect: Duration = Field(default=5.0, description="To take a connection, TLS included")
    first_byte: Duration = Field(
        default=600.0, description="From the whole request to the response's first byte"
    )
    idle: Duration = Field(default=300.0, description="Between two pieces of a response")


class UpstreamTls(Section):
    """How https upstreams are verified, and what the gateway shows them; PEM files."""

    ca: File | None = Field(default=None, description="Certificates to trust in place of the system's")
    certificate: File | None = Field(default=None, description="The gateway's own certificate chain")
    key: File | None = Field(default=None, description="Its private key")

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise fault("certificate and key are needed together")
        return self


def _distinct_urls(urls: tuple[Url, ...]) -> tuple[Url, ...]:
    if len(set(urls)) < len(urls):
        raise fault("a URL stands twice")
    return urls


class Upstream(Section):
    """A service that requests are forwarded to."""

    urls: Annotated[tuple[Url, ...], Field(min_length=1), AfterValidator(_distinct_urls)] = Field(
        description="Scheme and authority of each server; several share the load"
    )
    timeouts: Timeouts = Field(default={}, validate_default=True, description="How long it may take")
    pool: Annotated[int, *integer(1, 100_000)] = Field(default=200, description="Most connections at once")
    authorization: Secret | None = Field(
        default=None,
        description="Replaces the Authorization that the client sent; absent: the client's goes through",
    )
    forwarded: Flag = Field(default=True, description="Whether Forwarded, X-Forwarded-* and Via are sent")
    tls: UpstreamTls | None = Field(default=None, description="For https URLs")

    @model_validator(mode="after")
    def _tls_is_used(self) -> Self:
        if self.tls is not None and all(url.scheme == "http" for url in self.urls):
            raise fault("tls is set, but no URL is https")
        return self


def _distinct_operations(operations: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if operations is not None and len(set(operations)) < len(operations):
        raise fault("an operation stands twice")
    return operations


OperationId = Annotated[str, *string(r"[^\s:]{1,256}", "an operationId")]


def _distinct_fields(fields: object) -> object:
    if isinstance(fields, dict) and len({str(name).lower() for name in fields}) < len(fields):
        raise fault("a header field stands twice; their names are the same in upper and lower case")
    return fields


class Contract(Section):
    """An OpenAPI document whose operations are let through, and to where."""

    openapi: OpenApi = Field(description="pack:NAME for a shipped one, or an OpenAPI file, YAML or JSON")
    overlays: tuple[Overlay, ...] = Field(
        default=(),
        description="OpenAPI Overlay 1.0 documents, applied to it in order: files, or pack:errata/NAME",
    )
    prefix: Prefix | None = Field(
        default=None,
        description="Replaces the path of the document's servers; absent: the first server's path",
    )
    upstream: Name = Field(description="Name of the upstream that serves it")
    operations: Annotated[
        Annotated[tuple[OperationId, ...], Field(min_length=1)] | None, AfterValidator(_distinct_operations)
    ] = Field(default=None, description="operationIds to let through; absent: all of the document's")
    mode: Annotated[Literal["enforce", "report", "off"], *choice("enforce", "report", "off")] = Field(
        default="enforce",
        description="enforce: refuse; report: record schema faults and forward; off: neither parse nor judge",
    )
    max_bytes: BodyBytes | None = Field(default=None, description="Overrides body.max_bytes")
    when: Annotated[Mapping[HeaderName, HeaderValue], BeforeValidator(_distinct_fields)] = Field(
        default={}, description="Only for requests that have each of these header fields with this value"
    )

    @property
    def pack(self) -> str | None:
        """The shipped pack's name, None when ``openapi`` is a file."""
        return self.openapi.removeprefix("pack:") if self.openapi.startswith("pack:") else None

    @property
    def file(self) -> Path | None:
        """The OpenAPI file's absolute path, None when ``openapi`` is a pack."""
        return None if self.pack is not None else Path(self.openapi)


_DURABILITIES = ("batch", "blocking", "blocking-strict")
_CONTENTS = ("none", "redacted", "full")


class Audit(Section):
    """The audit trail: where its ledger is, when a record has to be on disk, and how long it is kept."""

    directory: Folder = Field(
        default="var/audit",
        validate_default=True,
        description="Folder of the ledger; made at first start",
    )
    durability: Annotated[Literal["batch", "blocking", "blocking-strict"], *choice(*_DURABILITIES)] = Field(
        default="blocking",
        description="batch: nobody waits for a record; blocking: a response ends when its record is on disk; "
        "blocking-strict: an intent is on disk before a request is forwarded, too",
    )
    content: Annotated[Literal["none", "redacted", "full"], *choice(*_CONTENTS)] = Field(
        default="none",
        description="What is kept of bodies: nothing, their structure with strings replaced, or all",
    )
    content_retention: Retention = Field(
        default=7 * 86_400.0, description="Content older than this is erased"
    )
    retention: Retention = Field(
        default=90 * 86_400.0, description="Records older than this are pruned, once the index has them"
    )
    verify_sent: Flag = Field(
        default=False,
        description=(
            "Whether records have sent_hmac, too, of the body as it was handed to the upstream's socket"
        ),
    )
    index: IndexUrl = Field(
        default="sqlite",
        validate_default=True,
        description="sqlite, which is a file beside the ledger, or postgresql://USER:PASSWORD@HOST/DATABASE",
    )


class Config(Section):
    """A whole configuration."""

    listen: Listen = Field(default={}, validate_default=True, description="Where callers connect")
    admin: Admin = Field(default={}, validate_default=True, description="Health, metrics and the console")
    workers: Workers = Field(default=1, description="Processes that serve")
    deadlines: Deadlines = Field(default={}, validate_default=True, description="How long each step may take")
    body: Body = Field(default={}, validate_default=True, description="What a request body may be at most")
    capacity: Capacity = Field(
        default={}, validate_default=True, description="What the whole gateway holds at once"
    )
    trusted_proxies: tuple[Proxies, ...] = Field(
        default=(), description="Networks whose X-Forwarded-* is believed"
    )
    upstreams: Annotated[Mapping[Name, Upstream], Field(min_length=1)] = Field(
        description="Services that requests are forwarded to, by name"
    )
    contracts: Annotated[Mapping[Name, Contract], Field(min_length=1)] = Field(
        description="What is let through, by name"
    )
    policies: Mapping[Name, Policy] = Field(
        default={}, description="What is asked on top of the contracts, by name; default is the one in force"
    )
    unlisted: Annotated[Literal["reject"], *choice("reject", later=("forward",))] = Field(
        default="reject", description="What is done with requests that no contract lists"
    )
    errors: Annotated[Literal["openai", "problem"], *choice("openai", "problem")] = Field(
        default="openai",
        description="How refusals are written; a client's Accept: application/problem+json wins",
    )
    audit: Audit = Field(default={}, validate_default=True, description="The audit trail")


RESTART_ONLY: Final = ("listen", "admin", "workers", "audit", "rate_store")
"""The sections that a running gateway cannot change."""


def restart_only(old: Config, new: Config) -> list[str]:
    """Name the sections that differ and need a restart, in the order of :data:`RESTART_ONLY`."""
    served = [name for name in RESTART_ONLY if name in Config.model_fields]
    return [name for name in served if getattr(old, name) != getattr(new, name)]
