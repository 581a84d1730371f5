"""Stores, products, clients, issuers, trusted publishers and groups as one document: what is there
as such a document, in what another differs from it, and applying that.

A field that the document leaves out stays as it is, and so does everything of which it has no
section. No secret is in it: keys and tokens are made elsewhere.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import QuerySet
from msgspec import UNSET, Struct, UnsetType

from builds.models import Build, Product, Store
from builds.names import escape_controls, has_controls
from builds.services import new_surrogate_key
from credentials.access.clients import CANARY_PREFIX, log_action
from credentials.models import Client, Grant, OidcIssuer, TrustedPublisher
from credentials.rules.publishers import IssuerKind, default_jwks_url, with_usual_events

Values = str | int | bool | list[str | int | bool]


class Entry(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the document says of one row."""


class StoreEntry(Entry):
    """A store; the field names are those of the admin."""

    bucket: str | UnsetType = UNSET
    region: str | UnsetType = UNSET
    endpoint_url: str | UnsetType = UNSET
    public_endpoint_url: str | UnsetType = UNSET
    role_arn: str | UnsetType = UNSET
    role_max_seconds: int | UnsetType = UNSET
    external_id: str | UnsetType = UNSET
    kms_key_arn: str | UnsetType = UNSET
    addressing: Literal["auto", "path", "virtual"] | UnsetType = UNSET
    with_sync: bool | UnsetType = UNSET
    acl_mode: Literal["none", "public-read"] | UnsetType = UNSET
    post_signer_profile: str | UnsetType = UNSET


class ProductEntry(Entry):
    """A product; `session_seconds` null: the service's setting."""

    store: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    doc_repo: str | UnsetType = UNSET
    root_domain: str | UnsetType = UNSET
    published_url_template: str | UnsetType = UNSET
    access: Literal["upload", "sync"] | UnsetType = UNSET
    session_seconds: int | UnsetType | None = UNSET


class IssuerEntry(Entry):
    """An OIDC issuer, by its `iss`."""

    kind: Literal["github", "gitlab", "other"] | UnsetType = UNSET
    jwks_url: str | UnsetType = UNSET
    identifying_claims: list[str] | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class ClientEntry(Entry):
    """A client; `products` are those that it is granted."""

    may_create_products: bool | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    products: list[str] | UnsetType = UNSET


class PublisherEntry(Entry):
    """A trusted publisher, by its name. `conditions` map a claim to a value, or to several."""

    client: str | UnsetType = UNSET
    issuer: str | UnsetType = UNSET
    products: list[str] | UnsetType = UNSET
    conditions: dict[str, Values] | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class GroupEntry(Entry):
    """A group of people; permissions as `credentials.view_issuedsession`."""

    permissions: list[str] | UnsetType = UNSET


class Configuration(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The document."""

    stores: dict[str, StoreEntry] | UnsetType = UNSET
    products: dict[str, ProductEntry] | UnsetType = UNSET
    issuers: dict[str, IssuerEntry] | UnsetType = UNSET
    clients: dict[str, ClientEntry] | UnsetType = UNSET
    publishers: dict[str, PublisherEntry] | UnsetType = UNSET
    groups: dict[str, GroupEntry] | UnsetType = UNSET


class ConfigurationError(ValueError):
    """The document cannot be applied; `problems` are sentences that begin with a place in it."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


# The sections in the order of what refers to what, each with its rows by name.
NOUNS: dict[str, tuple[str, type[Entry], type[models.Model], str]] = {
    "stores": ("store", StoreEntry, Store, "name"),
    "products": ("product", ProductEntry, Product, "slug"),
    "issuers": ("issuer", IssuerEntry, OidcIssuer, "issuer"),
    "clients": ("client", ClientEntry, Client, "name"),
    "publishers": ("publisher", PublisherEntry, TrustedPublisher, "name"),
    "groups": ("group", GroupEntry, Group, "name"),
}
# What fields refer to, by section.
REFERENCES = {
    "products": {"store": "stores"},
    "clients": {"products": "products"},
    "publishers": {"client": "clients", "issuer": "issuers", "products": "products"},
}
NEEDED = {
    "stores": ("bucket", "role_arn"),
    "products": ("store",),
    "issuers": ("kind",),
    "publishers": ("client", "issuer", "conditions"),
}
CANARY_CLIENT = CANARY_PREFIX.rstrip("-")
# Groups that `migrate` makes are never deleted.
OURS = ("viewer", "operator", "administrator")


@dataclass(kw_only=True)
class Change:
    """What would be done to one row. `fields` map a name to what is there and what is wanted;
    where `frozen` names some of them, `why` nothing changes these any more.
    """

    section: str
    name: str
    kind: Literal["create", "change", "disable", "delete"]
    fields: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()
    why: str = ""

    @property
    def noun(self) -> str:
        return NOUNS[self.section][0]


def parse_configuration(document: object) -> Configuration:
    """The document of plain dictionaries, as YAML has it. Raises ConfigurationError."""
    problems: list[str] = []
    sections: dict[str, Any] = {}
    if not isinstance(document, dict):
        raise ConfigurationError(["The document has to be a mapping of sections."])
    for section, entries in document.items():
        if section not in NOUNS:
            problems.append(f"{section}: no such section. There are {', '.join(NOUNS)}.")
        elif not isinstance(entries, dict | None):
            problems.append(f"{section}: has to map names to fields.")
        else:
            entry = NOUNS[section][1]
            sections[section] = {}
            for name, fields in (entries or {}).items():
                try:
                    name_ = _name(name)
                    sections[section][name_] = msgspec.convert(fields or {}, entry)
                except (msgspec.ValidationError, UnicodeEncodeError) as err:
                    problems.append(escape_controls(f"{section}.{name}: {err}."))
    if problems:
        raise ConfigurationError(problems)
    return Configuration(**sections)


def _name(name: object) -> str:
    """Raises ValidationError, UnicodeEncodeError."""
    if has_controls(text := msgspec.convert(name, str)):
        raise msgspec.ValidationError("The name has control characters")
    return text


def read_configuration(sections: Collection[str] = tuple(NOUNS)) -> Configuration:
    """What is there. Raises ConfigurationError where two publishers have one name."""
    found = {
        section: {
            getattr(row, key): entry(**{name: _read(row, name) for name in entry.__struct_fields__})
            for row in _rows(section)
        }
        for section, (_, entry, _, key) in NOUNS.items()
        if section in sections
    }
    return Configuration(**found)  # type: ignore[arg-type]


def export() -> dict[str, Any]:
    """What is there, as plain dictionaries, without what a new installation has anyway: groups that
    `migrate` makes, and defaults of fields. Raises ConfigurationError.
    """
    found: dict[str, dict[str, Any]] = msgspec.to_builtins(read_configuration())
    found["groups"] = {name: each for name, each in found["groups"].items() if name not in OURS}
    for section, entries in found.items():
        meta: Any = NOUNS[section][2]._meta
        for name, entry in entries.items():
            usual = {each: meta.get_field(each).get_default() for each in entry}
            if section == "issuers":
                usual["jwks_url"] = default_jwks_url(IssuerKind(entry["kind"]), name)
            entries[name] = {each: entry[each] for each in entry if entry[each] != usual[each]}
    return {section: entries for section, entries in found.items() if entries}


def plan(wanted: Configuration, *, prune: bool = False, enable: bool = False) -> list[Change]:
    """What applying the document would do. Raises ConfigurationError.

    What somebody disabled is frozen so unless told to `enable`: no file undoes an emergency.
    With `prune`, clients, issuers and publishers that a section leaves out are disabled, grants
    that a client's `products` leave out are removed, and groups deleted; nothing else ever goes.
    """
    named = {section for section in NOUNS if getattr(wanted, section) is not UNSET}
    referred = {to for section in named for to in REFERENCES.get(section, {}).values()}
    found = read_configuration(named | referred)
    changes: list[Change] = []
    problems = list(_dangling(wanted, found))
    for section in (section for section in NOUNS if section in named):
        here, there = getattr(found, section), getattr(wanted, section)
        for name, entry in there.items():
            fields = dict(_differing(entry, here.get(name), found, wanted, prune=prune))
            kind: Literal["create", "change"] = "change" if name in here else "create"
            problems += _obstacles(section, name, fields) if kind == "create" else []
            if fields or kind == "create":
                change = Change(section=section, name=name, kind=kind, fields=fields)
                changes.append(_with_frozen(change, enable=enable))
        if prune:
            changes += _left_out(section, here, there)
    if problems:
        raise ConfigurationError(problems)
    return changes


def apply(
    wanted: Configuration, *, actor: User, prune: bool = False, enable: bool = False
) -> list[Change]:
    """Do what `plan` says, all or nothing; what was done. Raises ConfigurationError.

    Each change is in the admin's log as `actor`'s. A disabled issuer's rules are disabled too.
    """
    with transaction.atomic():
        changes = plan(wanted, prune=prune, enable=enable)
        places = [
            (f"{one.section}.{one.name}.{name}", one) for one in changes for name in one.frozen
        ]
        if places:
            raise ConfigurationError([f"{place}: frozen, {one.why}." for place, one in places])
        for change in changes:
            _write(change, actor)
    return changes


def rehearse(
    wanted: Configuration, *, actor: User, prune: bool = False, enable: bool = False
) -> list[Change]:
    """What `apply` would do, found by doing and undoing it. Raises ConfigurationError.

    Of frozen fields it only tells.
    """
    changes = plan(wanted, prune=prune, enable=enable)
    if any(change.frozen for change in changes):
        return changes
    with transaction.atomic():
        apply(wanted, actor=actor, prune=prune, enable=enable)
        transaction.set_rollback(True)
    return changes


def _rows(section: str) -> list[Any]:
    model, key = NOUNS[section][2:]
    rows: Any = model._default_manager.order_by(key)  # noqa: SLF001
    if section == "products":
        rows = rows.select_related("store").exclude(slug__startswith=CANARY_PREFIX)
    elif section == "clients":
        rows = rows.prefetch_related("products").exclude(name=CANARY_CLIENT)
    elif section == "publishers":
        rows = rows.select_related("client", "issuer").prefetch_related("products")
    elif section == "groups":
        rows = rows.prefetch_related("permissions__content_type")
    names = Counter(getattr(row, key) for row in rows)  # once, but for publishers
    if twice := [name for name, times in names.items() if times > 1]:
        raise ConfigurationError(
            [f"publishers.{name}: there are two. Rename one in the admin." for name in twice]
        )
    return list(rows)


def _read(row: Any, name: str) -> Any:
    """A field as the document has it; rows that it refers to by name."""
    value = getattr(row, name)
    if name == "permissions":
        return sorted(_permission(each) for each in value.all())
    if isinstance(value, models.Manager):
        return sorted(str(each) for each in value.all())
    return str(value) if isinstance(value, models.Model) else value


def _permission(each: Permission) -> str:
    return f"{each.content_type.app_label}.{each.codename}"


def _dangling(wanted: Configuration, found: Configuration) -> Iterator[str]:
    """What the document refers to and neither it nor the database has."""
    known = {
        section: {*(getattr(found, section) or ()), *(getattr(wanted, section) or ())}
        for section in NOUNS
    }
    for section, of in REFERENCES.items():
        for name, entry in (getattr(wanted, section) or {}).items():
            for each, target in of.items():
                value = getattr(entry, each) or ()
                for one in [value] if isinstance(value, str) else value:
                    if one not in known[target]:
                        noun = NOUNS[target][0]
                        yield f"{section}.{name}.{each}: there is no {noun} {one}."
    rights = {_permission(each) for each in Permission.objects.select_related("content_type")}
    for name, group in (wanted.groups or {}).items():
        for right in set(group.permissions or ()) - rights:
            yield f"groups.{name}.permissions: there is no permission {right}."


def _differing(
    entry: Entry, there: Entry | None, found: Configuration, wanted: Configuration, *, prune: bool
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """The fields in which an entry is not what is there, each with both values."""
    for name in entry.__struct_fields__:
        value, now = getattr(entry, name), getattr(there, name, None)
        if value is UNSET:
            continue
        if name == "conditions":
            value = _conditions(entry, there, found, wanted)
        if isinstance(entry, ClientEntry) and name == "products" and not prune:
            value = sorted({*value, *(now or ())})
        if _in_order(value) != _in_order(now):
            yield name, (now, value)


def _conditions(
    entry: Any, there: Any, found: Configuration, wanted: Configuration
) -> dict[str, list[str]]:
    """A rule's conditions as its row will have them: lists of texts, with the usual events."""
    listed = {
        claim: [_text(each) for each in (values if isinstance(values, list) else [values])]
        for claim, values in entry.conditions.items()
    }
    issuer = entry.issuer or getattr(there, "issuer", "")
    rows = [(each.issuers or {}).get(issuer) for each in (wanted, found)]
    kind = next((row.kind for row in rows if row and row.kind), None)
    claims = next((row.identifying_claims for row in rows if row and row.identifying_claims), [])
    return with_usual_events(IssuerKind(kind), listed, claims) if kind else listed


def _text(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _in_order(value: Any) -> Any:
    """Lists are sets here."""
    if isinstance(value, dict):
        return {name: _in_order(each) for name, each in value.items()}
    return sorted(set(value)) if isinstance(value, list) else value


def _obstacles(section: str, name: str, fields: Mapping[str, Any]) -> list[str]:
    """Why no row can be made of an entry."""
    is_product = section == "products" and name.startswith(CANARY_PREFIX)
    if is_product or (section == "clients" and name == CANARY_CLIENT):
        return [f"{section}.{name}: the name is reserved for isolation checks. Choose another."]
    lacking = [each for each in NEEDED.get(section, ()) if each not in fields]
    return [f"{section}.{name}: needs {', '.join(lacking)}."] if lacking else []


def _left_out(section: str, here: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted(here.keys() - there.keys()):
        if section == "groups" and name not in OURS:
            yield Change(section=section, name=name, kind="delete")
        elif getattr(here[name], "is_active", False):
            fields = {"is_active": (True, False)}
            yield Change(section=section, name=name, kind="disable", fields=fields)


def _write(change: Change, actor: User) -> None:
    row = _row_to_write(change)
    if change.kind == "delete":
        log_action(row, actor, DELETION, "Deleted by manage.py apply.")
        row.delete()
        return
    wanted = {name: value for name, (_, value) in change.fields.items()}
    many = {name: wanted.pop(name) for name in ("products", "permissions") if name in wanted}
    for name, value in wanted.items():
        setattr(row, name, _resolve(change.section, name, value))
    if isinstance(row, Store):
        row.forget_what_was_tried(wanted)
    try:
        row.full_clean()
    except ValidationError as err:
        raise ConfigurationError(_sentences(change, err)) from err
    row.save()
    for name, values in many.items():
        _set_many(row, name, values)
    _hold_to_its_issuer(row, actor)
    flag = ADDITION if change.kind == "create" else CHANGE
    log_action(row, actor, flag, f"By manage.py apply: {', '.join(change.fields) or 'made'}.")


def _hold_to_its_issuer(row: Any, actor: User) -> None:
    """A disabled issuer has no enabled rule."""
    if isinstance(row, OidcIssuer) and not row.is_active:
        for rule in row.publishers.filter(is_active=True):
            rule.is_active = False
            rule.save(update_fields=["is_active"])
            log_action(rule, actor, CHANGE, f"Disabled by manage.py apply, with {row}.")
    if isinstance(row, TrustedPublisher) and row.is_active and not row.issuer.is_active:
        problem = f"publishers.{row}: its issuer is disabled, so is_active has to be false."
        raise ConfigurationError([problem])


def _row_to_write(change: Change) -> Any:
    """The row, locked, or a new one."""
    model, key = NOUNS[change.section][2:]
    if change.kind == "create":
        more = {"surrogate_key": new_surrogate_key()} if model is Product else {}
        return model(**{key: change.name}, **more)
    rows: Any = model._default_manager.select_for_update()  # noqa: SLF001
    return rows.get(**{key: change.name})


def _with_frozen(change: Change, *, enable: bool) -> Change:
    """The same, with the fields of it that are not changed, and why."""
    if change.kind == "change" and change.fields.get("is_active") == (False, True) and not enable:
        change.frozen, change.why = ("is_active",), "since it was disabled: --enable enables it"
        return change
    if change.kind == "change" and change.section in FROZEN:
        fields, rows, why = FROZEN[change.section]
        touched = tuple(name for name in fields if name in change.fields)
        if touched and rows(change.name).exists():
            change.frozen, change.why = touched, why
    return change


FROZEN: dict[str, tuple[tuple[str, ...], Callable[[str], QuerySet[Any]], str]] = {
    "stores": (
        ("bucket",),
        lambda name: Build.objects.filter(product__store__name=name),
        "because builds are in it: create another store",
    ),
    "products": (
        ("store",),
        lambda name: Build.objects.filter(product__slug=name),
        "because it has builds: create another product",
    ),
    "issuers": (
        ("kind", "identifying_claims"),
        lambda name: TrustedPublisher.objects.filter(issuer__issuer=name),
        "because publishers use it: create another issuer",
    ),
}


def _resolve(section: str, name: str, value: Any) -> Any:
    """A row that is referred to by name, or the value itself."""
    if name not in (references := REFERENCES.get(section, {})):
        return value
    model, key = NOUNS[references[name]][2:]
    return model._default_manager.get(**{key: value})  # noqa: SLF001


def _set_many(row: Any, name: str, values: list[str]) -> None:
    if name == "permissions":
        pairs = [value.split(".", 1) for value in values]
        row.permissions.set(
            Permission.objects.get(content_type__app_label=app, codename=codename)
            for app, codename in pairs
        )
    elif isinstance(row, Client):
        row.grants.exclude(product__slug__in=values).delete()
        for product in Product.objects.filter(slug__in=values):
            Grant.objects.get_or_create(client=row, product=product)
    else:
        row.products.set(Product.objects.filter(slug__in=values))


def _sentences(change: Change, err: ValidationError) -> list[str]:
    place = f"{change.section}.{change.name}"
    return [
        f"{place}{'' if name == '__all__' else f'.{name}'}: {' '.join(why)}"
        for name, why in err.message_dict.items()
    ]
