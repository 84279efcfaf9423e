"""Is a name known: to the system's resolver, or to a server that is named?"""

from __future__ import annotations

from time import perf_counter
from typing import Annotated

import dns.exception
import dns.rdatatype
import dns.resolver
import msgspec

from perf.errors import SettingsError
from perf.health.findings import Findings, failed
from perf.health.options import ProbeOptions
from perf.health.surroundings import Surroundings
from perf.model import ProbeResult, Status
from perf.settingtree import Seconds, says


class DnsOptions(ProbeOptions, frozen=True, kw_only=True):
    """Which name, asked where, and what should come back."""

    name: Annotated[str, msgspec.Meta(min_length=1), says("the name to look up")]
    record: Annotated[str, says("A, AAAA, CNAME, MX, TXT, ...")] = "A"
    server: Annotated[str, says("address of the server to ask; empty: those of the system")] = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535), says("its port")] = 53
    expect: Annotated[tuple[str, ...], says("values that the answer must hold")] = ()
    slow: Annotated[Seconds, says("degraded when it takes longer")] | None = None


class DnsProbe:
    """One lookup, past any cache of this machine's C library."""

    Options = DnsOptions

    def __init__(self, options: DnsOptions, around: Surroundings) -> None:
        """Raises: SettingsError for a kind of record that isn't known, or a server that is no address."""
        self._options, self._around = options, around
        try:
            dns.rdatatype.from_text(options.record)
        except dns.exception.DNSException as error:
            raise SettingsError(f"record: {options.record!r} is no kind of record") from error
        try:
            self._resolver = dns.resolver.Resolver(configure=not options.server)
            if options.server:
                self._resolver.nameservers = [options.server]
        except (ValueError, dns.exception.DNSException) as error:
            raise SettingsError(f"server: {options.server or 'the system has none'}: {error}") from error
        self._resolver.port = options.port
        self._resolver.lifetime = self._resolver.timeout = around.timeout

    def check(self) -> ProbeResult:
        """Unhealthy when the name isn't known, nobody answers, or an expected value is missing."""
        options, clock, began = self._options, self._around.clock, perf_counter()
        try:
            answer = self._resolver.resolve(options.name, options.record, search=False)
        except dns.resolver.NXDOMAIN:
            return failed(Status.UNHEALTHY, f"{options.name} is not known", clock)
        except dns.resolver.NoAnswer:
            return failed(Status.UNHEALTHY, f"{options.name} has no {options.record} record", clock)
        except dns.exception.Timeout:
            return failed(Status.UNHEALTHY, f"no answer within {self._around.timeout:g} s", clock)
        except (dns.exception.DNSException, OSError) as error:
            return failed(Status.UNHEALTHY, f"{options.name}: {error}", clock)
        seconds = perf_counter() - began
        values = sorted(record.to_text().strip('"') for record in answer)
        found = Findings()
        found.evidence |= {"seconds": seconds, "records": float(len(values))}
        if answer.rrset is not None:
            found.evidence["ttl_seconds"] = float(answer.rrset.ttl)
        missing = [value for value in options.expect if value not in values]
        if missing:
            found.add(Status.UNHEALTHY, f"{options.name}: {', '.join(values)} lacks {', '.join(missing)}")
        found.slow(seconds, options.slow)
        return found.result(f"{options.name}: {', '.join(values)}", clock)
