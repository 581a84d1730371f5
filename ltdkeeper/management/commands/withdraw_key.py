"""The former name of `revoke_key`, for scripts that use it."""

from ltdkeeper.management.commands.revoke_key import Command

__all__ = ["Command"]
