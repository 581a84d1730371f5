"""Every policy that is made passes parliament, an IAM linter of others; what it finds and is
accepted stands here with its reason.
"""

import importlib
import inspect
import itertools
import json
import subprocess

import pytest

from builds.names import build_root
from credentials.rules.account_documents import (
    auditor_policy,
    boundary_policy,
    post_signer_policy,
    revoker_policy,
    trust_policy,
    unbounded_revoker_policy,
    upload_policy,
    vendor_policy,
)
from credentials.rules.policy import (
    Scope,
    cleaning_policy,
    listing_policy,
    presigning_policy,
    session_policy,
)
from tests.proof.conftest import needed
from tests.proof.mutation import PYTHON
from tests.proof.pure import pure_modules
from tests.proof.worlds import kms_key

# Those that parliament knows: its data is older than the others, which differ in nothing else.
PARTITIONS = ("aws", "aws-cn", "aws-us-gov")
PROGRAM = "tests/proof/linting_program.py"

REDIRECT_BY_ACL = (
    "UNKNOWN_CONDITION_FOR_ACTION: Unknown condition s3:x-amz-website-redirect-location for "
    "action s3:PutObjectAcl"
)
# kind of document, finding -> why it stays
ACCEPTED = {
    (
        "upload",
        REDIRECT_BY_ACL,
    ): "one Deny names both ways of writing; on PutObjectAcl, which cannot redirect, it is idle",
    ("boundary", REDIRECT_BY_ACL): "the same: the boundary is what the role's own policy is",
    (
        "vendor",
        "CREDENTIALS_EXPOSURE",
    ): "handing out sessions of these roles is what the vendor is for; it may do nothing else",
    (
        "revoker",
        "PERMISSIONS_MANAGEMENT_ACTIONS",
    ): "revoking means writing the role's policy; the condition holds it below the boundary",
    (
        "revoker",
        "MISMATCHED_TYPE_BUT_USABLE: Type mismatch: StringEquals requires a value of type String "
        "but given Arn",
    ): "the boundary is one exact ARN, so comparing whole strings is the narrower operator",
    (
        "unbounded_revoker",
        "PERMISSIONS_MANAGEMENT_ACTIONS",
    ): "the same without a condition, for stores that know no boundary: made only when asked for",
    (
        "trust",
        "MALFORMED: Statement contains neither Resource nor NotResource",
    ): "a trust policy has no resource: it is the role it hangs on",
}

# product, build slug: the shortest, the longest, chosen and server-made
NAMES = {
    "short": ("ab", "v", "abc"),
    "longest": ("p" * 63, "s" * 64, "b" * 63),
    "odd": ("a-b-2", "V.1_-", "b.2-c"),
    "server-made": ("guide", "01jd0000000000000000000000", "docs-bucket"),
}


def _sessions(partition: str, key: str) -> dict[str, str]:
    choices = itertools.product(NAMES, (True, False), (True, False))
    documents = {}
    for name, sync, bare in choices:
        product, slug, bucket = NAMES[name]
        scope = Scope(
            partition=partition,
            bucket=bucket,
            root=build_root(product, slug),
            may_list_bare_root=bare,
            may_sync=sync,
            kms_key_arn=key,
        )
        for make in (session_policy, presigning_policy, listing_policy, cleaning_policy):
            documents[f"{make.__name__} {name} {sync} {bare}"] = make(scope)
    return documents


def _identities(partition: str, key: str) -> dict[str, str]:
    account = f"arn:{partition}:iam::123456789012"
    role, boundary = f"{account}:role/upload", f"{account}:policy/boundary"
    documents = {"vendor": vendor_policy(role_arns=[role, f"{role}-2"])}
    for name, external_id, alone in itertools.product(NAMES, ("", "x"), (True, False)):
        names = {"role_arn": role, "bucket": NAMES[name][2]}
        documents |= {
            f"upload {name}": upload_policy(**names, kms_key_arn=key),
            f"boundary {name}": boundary_policy(**names, kms_key_arn=key),
            f"auditor {name} {alone}": auditor_policy(
                **names,
                boundary_arn=boundary,
                vendor_arn=f"{account}:{'user' if alone else 'role'}/vendor",
                kms_key_arn=key,
            ),
            f"post_signer {name} {alone}": post_signer_policy(
                **names,
                kms_key_arn=key,
                signer_arn="" if alone else f"{account}:user/signer",
            ),
            f"revoker {name}": revoker_policy(role_arn=role, boundary_arn=boundary),
            f"unbounded_revoker {name}": unbounded_revoker_policy(role_arn=role),
            f"trust {external_id} {alone}": trust_policy(
                vendor_arn=f"{account}:user/vendor", external_id=external_id, refuse_sessions=alone
            ),
        }
    return documents


def every_document() -> dict[str, str]:
    """Each kind of document in each combination; the first word of its name is the kind."""
    return {
        f"{name} {partition} {bool(key)}": text
        for partition in PARTITIONS
        for key in ("", kms_key(partition))
        for name, text in (_sessions(partition, key) | _identities(partition, key)).items()
    }


def lint(documents: dict[str, str]) -> dict[str, list[str]]:
    needed(PYTHON, "make proof")
    # parliament imports pkg_resources, whose deprecation warning it does not heed.
    command = [str(PYTHON), "-W", "ignore", PROGRAM]
    ran = subprocess.run(command, input=json.dumps(documents).encode(), capture_output=True)  # noqa: PLW1510
    assert ran.returncode == 0, ran.stderr.decode()[-2000:]
    found: dict[str, list[str]] = json.loads(ran.stdout)
    return found


@pytest.fixture(scope="module")
def found() -> set[tuple[str, str]]:
    findings = lint(every_document())
    return {(name.partition(" ")[0], each) for name, told in findings.items() for each in told}


def test_linter_finds_nothing_that_is_not_accepted(found: set[tuple[str, str]]) -> None:
    assert found - set(ACCEPTED) == set()


def test_every_accepted_finding_is_still_found(found: set[tuple[str, str]]) -> None:
    assert set(ACCEPTED) - found == set()


def policy_makers() -> set[str]:
    """Every public function of a pure module that is called a policy's."""
    modules = [importlib.import_module(name) for name in pure_modules()]
    return {
        name
        for module in modules
        for name, made in vars(module).items()
        if inspect.isfunction(made) and name.endswith("_policy") and not name.startswith("_")
    }


def test_no_kind_of_policy_is_left_out() -> None:
    kinds = {name.partition(" ")[0].removesuffix("_policy") for name in every_document()}
    assert {f"{kind}_policy" for kind in kinds} == policy_makers()


def test_no_finding_is_accepted_in_the_policy_of_a_session() -> None:
    assert not any(kind.endswith("_policy") for kind, _ in ACCEPTED)
