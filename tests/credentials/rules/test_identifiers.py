"""Pasted texts and what they may be, by their form alone."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from credentials.rules.identifiers import AROUND, LONGEST, MOST, Identifier, Kind, recognise
from tests.builds.name_samples import build_slugs, product_slugs

LEDGER_ID = "01kb0zdjqbn7dy9bt33wk8h4xa"
NAME = f"{LEDGER_ID}-guide"
ROOT, KEY = "guide/builds/v1", "guide/builds/v1/a/index.html"
ASIA, ROLE_ID = "ASIA5YGZIDLCJQ2VM7PX", "AROA3XFRBF535PLBIFPI4"
TOKEN, JOB = "ltdk_y8jw59d6g3it", "ltdj_0123456789ab"
SECRET = "0f" * 32
SIGNATURE = "f0e1d2c3" * 8
ARN = f"arn:aws:sts::123456789012:assumed-role/upload/{NAME}"
UUID = "c6104cbe-af31-11e0-8154-cbc7ccf896c7"
COMMIT = "c040cae0f0dc81641728557b80f09cfa23b83fe5"
REPOSITORY = "octo-org/octo-repo"
SIGNED = (
    f"https://docs-bucket.s3.eu-central-1.amazonaws.com/{KEY}?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    f"&X-Amz-Credential={ASIA}%2F20261126%2Feu-central-1%2Fs3%2Faws4_request&X-Amz-Expires=3600"
    f"&X-Amz-Security-Token=IQoJb3JpZ2luX2VjEA&X-Amz-Signature={SIGNATURE}"
)
CLOUDTRAIL = (
    f'{{"userIdentity": {{"type": "AssumedRole", "principalId": "{ROLE_ID}:{NAME}", "arn": '
    f'"{ARN}", "accessKeyId": "{ASIA}"}}, "sourceIPAddress": "192.0.2.7"}}'
)
BASIC = base64.b64encode(f"ci:{TOKEN}_{SECRET}".encode()).decode()

NAMED = [Kind.WORKFLOW, Kind.PRODUCT, Kind.CLIENT, Kind.PERSON]
WORD = [Kind.BUILD_SLUG, Kind.GIT_REF, *NAMED]
LONG_WORD = [Kind.ACCESS_KEY_ID, Kind.REQUEST_ID, *WORD]
PATH = [Kind.REPOSITORY, Kind.GIT_REF, *NAMED]

Expected = Identifier | list[Kind]


def one(kind: Kind, text: str, bucket: str = "", repository: str = "") -> Identifier:
    return Identifier(kind=kind, text=text, bucket=bucket, repository=repository)


def key(bucket: str = "") -> Identifier:
    return one(Kind.OBJECT_KEY, ROOT, bucket)


ACCESS_KEY, SESSION = one(Kind.ACCESS_KEY_ID, ASIA), one(Kind.SESSION_NAME, NAME)
WRITER = one(Kind.ASSUMED_ROLE_ARN, ARN)
ADDRESS = one(Kind.NETWORK, "192.0.2.7")
RUN = one(Kind.RUN, "22259804324", repository=REPOSITORY)

# What is pasted -> what it is: identifiers, or the kinds that the pasted text may be of.
PASTES: dict[str, tuple[str, list[Identifier] | list[Kind]]] = {
    "access key id of a session": (ASIA, [ACCESS_KEY]),
    "access key id of a user": ("AKIAIOSFODNN7EXAMPLE", [Kind.ACCESS_KEY_ID]),
    "access key id of another store": ("k3y+with==k3y+with==", [Kind.ACCESS_KEY_ID]),
    "access key id in a line": (f"access_key_id={ASIA}", [ACCESS_KEY]),
    "access key id in JSON": (f'  "accessKeyId": "{ASIA}",', [ACCESS_KEY]),
    "access key id in dense JSON": (f'{{"accessKeyId":"{ASIA}"}}', [ACCESS_KEY]),
    "access key id in a sentence": (f"Who is {ASIA}? It wrote to us.", [ACCESS_KEY]),
    "access key id before a colon": (f"{ASIA}: denied", [ACCESS_KEY]),
    "access key id in a shell": (f"export AWS_ACCESS_KEY_ID='{ASIA}'", [ACCESS_KEY]),
    "longest access key id": ("A" * 128, [Kind.ACCESS_KEY_ID, Kind.REQUEST_ID, Kind.GIT_REF]),
    "ledger id": (LEDGER_ID, [Kind.LEDGER_ID, Kind.BUILD_SLUG]),
    "session name": (NAME, [SESSION]),
    "session name that was cut": (f"{LEDGER_ID}-{'g' * 36}-", [Kind.SESSION_NAME]),
    "session name in brackets": (f"[{NAME}].", [SESSION]),
    "assumed-role id": (f"{ROLE_ID}:{NAME}", [Kind.ASSUMED_ROLE_ID]),
    "assumed-role id of somebody else": (f"{ROLE_ID}:jdoe@example.org", [Kind.ASSUMED_ROLE_ID]),
    "assumed-role id of Ceph": (f"{UUID}:{NAME}", [Kind.ASSUMED_ROLE_ID]),
    "assumed-role ARN": (ARN, [WRITER]),
    "assumed-role ARN with blanks": (f" {ARN}  \n", [WRITER]),
    "assumed-role ARN in China": (ARN.replace("aws", "aws-cn", 1), [Kind.ASSUMED_ROLE_ARN]),
    "assumed-role ARN of Ceph": (ARN.replace("123456789012", ""), [Kind.ASSUMED_ROLE_ARN]),
    "event of CloudTrail": (
        CLOUDTRAIL,
        [one(Kind.ASSUMED_ROLE_ID, f"{ROLE_ID}:{NAME}"), WRITER, ACCESS_KEY],
    ),
    "line of a log": (
        f"2026-11-26T23:00:00Z [info] session_issued root={ROOT} session={NAME} address=192.0.2.7",
        [SESSION],
    ),
    "request id of AWS": (UUID, [Kind.REQUEST_ID, Kind.RUN, Kind.WORKFLOW, Kind.BUILD_SLUG]),
    "request id of Ceph": ("tx00000d5-006926f-1037-default", LONG_WORD),
    "build root": (ROOT, [Kind.BUILD_ROOT]),
    "build root as a folder": (f"{ROOT}/", [one(Kind.BUILD_ROOT, ROOT)]),
    "object key": (KEY, [key()]),
    "object key in quotes": (f'"{KEY}"', [key()]),
    "object key after a slash": (f"/{KEY}", [key()]),
    "object key that is encoded": (KEY.replace("/", "%2F") + "%20x", [key()]),
    "object key with anything below": (f"{ROOT}/\u00fc b\n?*", [key()]),
    "object key in a message": (f"AccessDenied: {KEY}", [key()]),
    "object key in its bucket": (f"docs-bucket/{KEY}", [key("docs-bucket")]),
    "S3 address": (f"s3://docs-bucket/{KEY}", [key("docs-bucket")]),
    "S3 address of a build": (
        f"s3://docs-bucket/{ROOT}/",
        [one(Kind.BUILD_ROOT, ROOT, "docs-bucket")],
    ),
    "S3 address in a command": (f"aws s3 cp a.html s3://docs-bucket/{KEY}", [key("docs-bucket")]),
    "ARN of an object": (f"arn:aws:s3:::docs-bucket/{KEY}", [key("docs-bucket")]),
    "address by path": (f"https://s3.example.org/docs-bucket/{KEY}", [key("docs-bucket")]),
    "address by host": (
        f"https://docs-bucket.s3.eu-central-1.amazonaws.com/{KEY}",
        [key("docs-bucket")],
    ),
    "address at another store's host": (f"http://docs-bucket.s3.example.org:9000/{KEY}", [key()]),
    "address in angle brackets": (
        f"<https://s3.example.org/docs-bucket/{KEY}>",
        [key("docs-bucket")],
    ),
    "presigned address": (SIGNED, [ACCESS_KEY, key("docs-bucket")]),
    "console of S3": (
        f"https://console.aws.amazon.com/s3/object/docs-bucket?region=x&prefix={KEY}",
        [key()],
    ),
    "build on its product's host": (
        "https://guide.example.org/builds/v1/index.html",
        [one(Kind.BUILD_ROOT, ROOT)],
    ),
    "edition on its product's host": (
        "https://guide.example.org/v/main/",
        [one(Kind.PRODUCT, "guide")],
    ),
    "build of this API": (
        "https://keeper.example.org/builds/17/credentials",
        [one(Kind.BUILD_ID, "17"), one(Kind.BUILD_ROOT, "keeper/builds/17")],
    ),
    "product of this API": (
        "https://keeper.example.org/products/guide",
        [one(Kind.PRODUCT, "guide")],
    ),
    "run at GitHub": (f"https://github.com/{REPOSITORY}/actions/runs/22259804324/job/7", [RUN]),
    "job at GitLab": (
        "https://gitlab.example.org/group/sub/docs/-/jobs/302",
        [one(Kind.RUN, "302", repository="group/sub/docs")],
    ),
    "run at Buildkite": (
        "https://buildkite.com/acme/docs-site/builds/12#0184990a",
        [one(Kind.RUN, "12", repository="acme/docs-site")],
    ),
    "workflow at CircleCI": (
        f"https://app.circleci.com/pipelines/github/acme/docs/7/workflows/{UUID}",
        [one(Kind.WORKFLOW, UUID)],
    ),
    "commit at GitHub": (
        f"https://github.com/{REPOSITORY}/commit/{COMMIT}",
        [one(Kind.COMMIT, COMMIT, repository=REPOSITORY)],
    ),
    "branch at GitHub": (
        f"https://github.com/{REPOSITORY}/tree/tickets/FIX",
        [one(Kind.GIT_REF, "tickets/FIX")],
    ),
    "repository's address": (
        f"https://github.com/{REPOSITORY}.git",
        [one(Kind.REPOSITORY, REPOSITORY)],
    ),
    "job as the ledger shows it": (f"{REPOSITORY} push refs/heads/main 22259804324 2", [RUN]),
    "page of a repository": (
        f"https://github.com/{REPOSITORY}/issues/5",
        [one(Kind.REPOSITORY, REPOSITORY)],
    ),
    "branch at GitLab": (
        "https://gitlab.com/group/docs/-/tree/main/?ref_type=heads",
        [one(Kind.GIT_REF, "main")],
    ),
    "repository or branch": (REPOSITORY, PATH),
    "number": (
        "17",
        [Kind.RUN, Kind.BUILD_ID, Kind.BUILD_SLUG, Kind.GIT_REF, Kind.PRODUCT, Kind.CLIENT],
    ),
    "commit": (
        COMMIT,
        [Kind.COMMIT, Kind.ACCESS_KEY_ID, Kind.REQUEST_ID, Kind.BUILD_SLUG],
    ),
    "beginning of a commit": (COMMIT[:8], [Kind.COMMIT, *WORD]),
    "ref": (
        "refs/heads/main",
        [one(Kind.GIT_REF, "main"), *(one(k, "refs/heads/main") for k in NAMED)],
    ),
    "name": ("v1.0", WORD),
    "name in a line": ('workflow="Build docs"', [one(kind, "Build docs") for kind in NAMED]),
    "name of several words": ("Build docs", NAMED),
    "name of a person": ("J\u00fcrgen Dvo\u0159\u00e1k", NAMED),
    "address": ("192.0.2.7", [Kind.NETWORK, Kind.BUILD_SLUG]),
    "address with a port": ("192.0.2.7:443", [ADDRESS]),
    "address in a line": (
        "client 192.0.2.7 was refused",
        [ADDRESS, one(Kind.BUILD_SLUG, "192.0.2.7")][:1],
    ),
    "network with host bits": ("192.0.2.7/24", [one(Kind.NETWORK, "192.0.2.0/24")]),
    "IPv6 address in brackets": ("[2001:DB8::1]:443", [one(Kind.NETWORK, "2001:db8::1")]),
    "IPv6 network": ("2001:db8::/32", [Kind.NETWORK]),
    "name of a key": (TOKEN, [Kind.TOKEN]),
    "name of an access token": ("ltds_y8jw59d6g3it", [Kind.TOKEN]),
    "name in the ledger": (f"{TOKEN}/{JOB}", [Kind.TOKEN]),
    "whole token": (f"{TOKEN}_{SECRET}", [one(Kind.TOKEN, TOKEN)]),
    "whole token in a header": (
        f"Authorization: Bearer {TOKEN}_{SECRET}",
        [one(Kind.TOKEN, TOKEN)],
    ),
    "whole token in Basic": (f"Authorization: Basic {BASIC}", [one(Kind.TOKEN, TOKEN)]),
    "whole token in Basic after a long name": (
        base64.b64encode(b"\xff" * 300 + f":{TOKEN}_{SECRET}"[:40].encode()).decode(),
        [one(Kind.TOKEN, TOKEN)],
    ),
    "whole token in Basic after what looks like a part of it": (
        "x/" + base64.b64encode(f"{TOKEN}_{SECRET}:".encode()).decode(),
        [one(Kind.TOKEN, TOKEN)],
    ),
    "whole token in an address": (
        f"https://ci:{TOKEN}_{SECRET}@keeper.example.org/token",
        [one(Kind.TOKEN, TOKEN)],
    ),
    "whole token that is encoded": (f"ltdk%5Fy8jw59d6g3it%5F{SECRET}", [one(Kind.TOKEN, TOKEN)]),
    "secret of a token": (SECRET, []),
    "secret access key": ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", []),
    "ARN of a role": ("arn:aws:iam::123456789012:role/upload", NAMED),
    "nothing": ("", []),
    "blanks": (" \n", []),
    "digits that are not ASCII": ("\u0660" * 65, [Kind.GIT_REF]),
}


def test_form_says_what_a_paste_may_be() -> None:
    found = {case: list(recognise(text)) for case, (text, _) in PASTES.items()}
    assert found == {
        case: [each if isinstance(each, Identifier) else one(each, text) for each in expected]
        for case, (text, expected) in PASTES.items()
    }


NO_OBJECTS = [
    *("s3://docs-bucket", "s3://docs-bucket/", "s3://", "s3:/guide", "s3://guide/builds/v1/a"),
    *("arn:aws:s3:::guide/builds/v1/a", "NO-BUCKET/guide/builds/v1/a"),
    *("https:///guide/builds/v1/a", "https://[::1/guide/builds/v1/a"),
]


def test_address_of_no_build_is_no_object() -> None:
    for text in NO_OBJECTS:
        assert not {Kind.BUILD_ROOT, Kind.OBJECT_KEY} & {each.kind for each in recognise(text)}, (
            text
        )


@given(st.text() | st.text("/:.[]@%=?&- sltdk_https", max_size=200))
def test_any_text_is_recognised_or_not_without_an_error(text: str) -> None:
    found = recognise(text)
    assert all(each.text.isprintable() for each in found)
    assert len({each.kind for each in found}) == len(found) <= MOST


@given(st.sampled_from(sorted(PASTES)), st.text(AROUND, max_size=9), st.text(AROUND, max_size=9))
def test_what_surrounds_a_paste_does_not_matter(case: str, before: str, after: str) -> None:
    text, _ = PASTES[case]
    assert recognise(f"{before}{text}{after}") == recognise(text)


@given(product_slugs, build_slugs, st.text())
def test_every_key_below_a_root_leads_to_it(product: str, build: str, rest: str) -> None:
    root = f"{product}/builds/{build}"
    assert {each.text for each in recognise(f"{root}/x{rest}")} == {root}


@given(st.text(), st.sampled_from("ksj"), st.text())
def test_secret_is_dropped_wherever_the_token_stands(before: str, kind: str, after: str) -> None:
    name = f"ltd{kind}_y8jw59d6g3it"
    assert recognise(f"{before}{name}_{SECRET}{after}") == (one(Kind.TOKEN, name),)


@given(st.text(max_size=40), st.text(max_size=40))
def test_signature_is_never_kept(before: str, after: str) -> None:
    found = recognise(f"{before} {SIGNED} {after}")
    assert SIGNATURE not in repr(found)
    assert "IQoJ" not in repr(found)


def test_what_is_too_long_is_cut() -> None:
    assert recognise(f"{' ' * LONGEST}{ASIA}") == ()
