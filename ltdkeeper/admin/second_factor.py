"""The second factor of people who log in with a password: codes of a device, and recovery codes.

django-otp stores the devices (TOTP, RFC 6238), accepts each code once, and doubles the wait after
each failure. The secret of a device is in the database, since codes are computed from it; of a
recovery code, only a hash is.
"""

import base64
import hashlib
import re
import secrets
from datetime import timedelta
from math import ceil
from typing import Any

import django_otp
import segno
from django.conf import settings
from django.contrib.admin.models import CHANGE
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.safestring import mark_safe
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from credentials.access.clients import log_action

RECOVERY_CODES = 10
# 80 bits, in four groups of four letters and digits.
RECOVERY_BYTES = 10
DEVICE_CODE = re.compile(r"[0-9]{6}", re.ASCII)
SEPARATORS = re.compile(r"[\s-]")
# What django-otp's column takes: 64 bits.
HASH_LENGTH = 16


def is_asked_of(user: User) -> bool:
    """Whether the password alone does not log an account in."""
    return bool(settings.LTD_REQUIRE_SECOND_FACTOR) or is_set_up(user)


def is_set_up(user: User) -> bool:
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


def is_device_code(code: str) -> bool:
    """Whether it has the form of a device's codes; all others may be recovery codes."""
    return DEVICE_CODE.fullmatch(SEPARATORS.sub("", code)) is not None


def use_code(*, user: User, code: str) -> bool:
    """Whether a code of the device or a recovery code is right, which it is once."""
    device = _model_of(code).objects.filter(user=user, confirmed=True).first()
    if device is None:
        return False
    text = SEPARATORS.sub("", code)
    shown = text if is_device_code(code) else _hash(user, text)
    return django_otp.verify_token(user, device.persistent_id, shown) is not None


def _model_of(code: str) -> Any:
    return TOTPDevice if is_device_code(code) else StaticDevice


def seconds_to_wait(*, user: User, code: str) -> int:
    """How long django-otp looks at no further code of that kind of the account's."""
    device = _model_of(code).objects.filter(user=user).order_by("-confirmed").first()
    allowed, why = device.verify_is_allowed() if device else (True, None)
    if allowed or not why or "locked_until" not in why:
        return 0
    wait: timedelta = why["locked_until"] - timezone.now()
    return ceil(wait.total_seconds())


# Setting up.


def unconfirmed_device(user: User) -> dict[str, str]:
    """The device that is being set up, made if there is none: the same until it is confirmed.

    What a person's app needs of it: its secret as a picture, and as text to type.
    """
    device = TOTPDevice.objects.filter(user=user, confirmed=False).first()
    if device is None:
        device = TOTPDevice.objects.create(user=user, confirmed=False, name="app")
    text = base64.b32encode(device.bin_key).decode()
    picture = segno.make(device.config_url, micro=False).svg_inline(scale=5, light="#fff")
    return {
        "picture": mark_safe(picture),  # noqa: S308 - drawn from squares; holds no text
        "secret": " ".join(text[at : at + 4] for at in range(0, len(text), 4)),
    }


def confirm_device(*, user: User, code: str) -> bool:
    """Whether it is a code of the device that is being set up, which is the account's from now."""
    device = TOTPDevice.objects.filter(user=user, confirmed=False).first()
    if device is None or not is_device_code(code):
        return False
    text = SEPARATORS.sub("", code)
    if django_otp.verify_token(user, device.persistent_id, text) is None:
        return False
    TOTPDevice.objects.filter(pk=device.pk).update(confirmed=True)
    log_action(user, user, CHANGE, "Set up a second factor.")
    return True


def make_recovery_codes(user: User) -> list[str]:
    """Ten new codes, to be shown once. Older ones are no longer taken."""
    codes = [
        base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()
        for _ in range(RECOVERY_CODES)
    ]
    with transaction.atomic():
        StaticDevice.objects.filter(user=user).delete()
        device = StaticDevice.objects.create(user=user, name="recovery codes")
        StaticToken.objects.bulk_create(
            StaticToken(device=device, token=_hash(user, code)) for code in codes
        )
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]


def recovery_codes_left(user: User) -> int:
    return int(StaticToken.objects.filter(device__user=user).count())


def reset(*, user: User, actor: User, reason: str) -> bool:
    """Remove device and recovery codes. False where there were none."""
    with transaction.atomic():
        removed = [
            model.objects.filter(user=user).delete()[0] for model in (TOTPDevice, StaticDevice)
        ]
        if any(removed):
            log_action(user, actor, CHANGE, f"Reset the second factor. Reason: {reason}")
    return any(removed)


def _hash(user: User, code: str) -> str:
    """Of a recovery code. It is random, so one round of SHA-256 is enough."""
    return hashlib.sha256(f"{user.pk}:{code.lower()}".encode()).hexdigest()[:HASH_LENGTH]
