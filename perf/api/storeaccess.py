"""``/api/v1/store/access/...``: keys, ended sessions and the audit log, for processes elsewhere that let people in, too. Admins only."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from perf.api.endpoint import Endpoint
from perf.api.stores import WINDOW, asked, change, known
from perf.model.access import ApiKey, AuditPage, Revocation, Scope
from perf.ports import AccessStore
from perf.runtime import Runtime
from perf.views.writes import written
from perf.wire import questions


def _change(runtime: Runtime, act: Callable[[AccessStore], None]) -> None:
    access = runtime.store.access
    written(runtime.writer, lambda: act(access), "access")


def _note(runtime: Runtime, given: questions.Noted) -> None:
    _change(runtime, lambda to: to.note(given.entries))


def _audit(runtime: Runtime, given: questions.Audited) -> AuditPage:
    return runtime.store.access.audit(given.window, given.limit, given.offset, action=given.action, who=given.who)


_KEY = (
    '{"id": "0123456789ab", "name": "ci", "scopes": ["ingest"], "author": "Ada", "created": 1800000000, '
    '"digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}'
)
_REVOKED = '{"revocation": {"subject": "name:bob", "since": 1800000000, "until": 1800086400}, "now": 1800000000}'
_NOTED = (
    '{"entries": [{"ts": 1800000000, "who": "Ada", "via": "password", "address": "192.0.2.7", '
    '"action": "rule.change", "subject": "long queue"}]}'
)

_OPEN: tuple[Endpoint, ...] = (
    known("access/keys", lambda runtime: runtime.store.access.api_keys(), list[ApiKey], "Every key, by its digest"),
    known(
        "access/revocations",
        lambda runtime: runtime.store.access.revocations(),
        list[Revocation],
        "Sessions that ended early",
    ),
    asked(
        "access/audit",
        questions.Audited,
        _audit,
        AuditPage,
        "A page of the audit log",
        example=f'{{"window": {WINDOW}, "action": "rule"}}',
    ),
    change(
        "access/keys/put",
        ApiKey,
        lambda runtime, key: _change(runtime, lambda to: to.put_key(key)),
        None,
        "Add or replace a key",
        example=_KEY,
    ),
    change(
        "access/revoke",
        questions.Revoked,
        lambda runtime, given: _change(runtime, lambda to: to.revoke(given.revocation, given.now)),
        None,
        "End sessions early",
        example=_REVOKED,
    ),
    change("access/note", questions.Noted, _note, None, "Add to the audit log", example=_NOTED),
)
ENDPOINTS: tuple[Endpoint, ...] = tuple(msgspec.structs.replace(one, needs=Scope.ADMIN) for one in _OPEN)
