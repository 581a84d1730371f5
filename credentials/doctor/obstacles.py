"""What keeps the doctor from looking. None of it is a crash: each has a result. Pure."""

from enum import StrEnum

from credentials.doctor.commands import fragment
from credentials.doctor.findings import Finding, Severity


class Whose(StrEnum):
    """Whose credentials a call is made with."""

    AUDITOR = "auditor"
    VENDOR = "vendor"


class Obstacle(Exception):
    """A check could not be made. Without a finding, its text is the reason."""

    def finding(self, check: str) -> Finding | None:
        """What the operator has to mend before the check can be made."""
        return None

    @property
    def concerns_all(self) -> bool:
        """Whether it is told once and not for every check that it stops."""
        return False


class NotSupported(Obstacle):
    """The store does not know the call."""


class NotLookedAt(Obstacle):
    """There is nothing to look at, for the reason given."""


class NoBucket(NotLookedAt):
    """There is no bucket of the name."""


class NotPermitted(Obstacle):
    """The credentials lack a right to look."""

    def __init__(self, *, whose: Whose, action: str, resource: str = "*") -> None:
        super().__init__(f"could not look: needs {action}")
        self.whose, self.action, self.resource = whose, action, resource

    def finding(self, check: str) -> Finding:
        return Finding(
            id=f"{check}.no-permission",
            what=f"Could not look: the {self.whose} needs {self.action}.",
            why="What nobody has looked at is not known to be right.",
            change=f"Add to the {self.whose}'s policy:\n{self._statement()}",
        )

    def _statement(self) -> str:
        return fragment({"Effect": "Allow", "Action": self.action, "Resource": self.resource})


class Unclear(Obstacle):
    """The store answered something that says neither yes nor no."""

    def __init__(self, *, action: str, answer: str) -> None:
        super().__init__(f"{action}: {answer}")
        self.action, self.answer = action, answer

    def finding(self, check: str) -> Finding:
        return Finding(
            id=f"{check}.unclear",
            what=f"Could not look: {self.action} gave {self.answer}.",
            why="What nobody has looked at is not known to be right.",
            change="Run the doctor again; if it stays, ask whoever runs the store.",
        )


class KeyRefused(Obstacle):
    """There are no credentials, or the store does not take them."""

    CHANGES = {
        Whose.AUDITOR: "Name a profile with the auditor's key: --profile, or LTD_AUDITOR_PROFILE.",
        Whose.VENDOR: "Give the service the vendor's key, as AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY or as a role of its machine.",
    }
    WHYS = {
        Whose.AUDITOR: "Without it nothing of the account can be looked at.",
        Whose.VENDOR: "Without it no job gets credentials.",
    }

    def __init__(self, *, whose: Whose, answer: str) -> None:
        super().__init__(f"the {whose}'s credentials are not usable")
        self.whose, self.answer = whose, answer

    def finding(self, check: str) -> Finding:
        return Finding(
            id=f"{self.whose}.no-credentials",
            what=f"The {self.whose}'s credentials are not usable: {self.answer}.",
            why=self.WHYS[self.whose],
            change=self.CHANGES[self.whose],
        )

    @property
    def concerns_all(self) -> bool:
        return True


class Unreachable(Obstacle):
    """An endpoint does not answer."""

    def __init__(self, *, endpoint: str, reason: str) -> None:
        super().__init__(f"{endpoint} does not answer")
        self.endpoint, self.reason = endpoint, reason

    def finding(self, check: str) -> Finding:
        return Finding(
            id="store.unreachable",
            what=f"{self.endpoint} does not answer ({self.reason}).",
            why="No job gets credentials or uploads anything, and nothing can be looked at.",
            change="Mend the network, proxy or TLS between here and there, or the store's endpoint "
            "and region in the admin.",
            severity=Severity.ERROR,
        )

    @property
    def concerns_all(self) -> bool:
        return True
