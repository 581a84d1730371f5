"""What a session is and what it is asked: any store's role, any build, and keys near its root."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from hypothesis import strategies as st

from builds.names import build_root, new_build_slug
from credentials.rules.account_documents import boundary_policy, upload_policy
from credentials.rules.policy import (
    KMS_ACTIONS,
    SYNC_ACTIONS,
    WRITE_ACTIONS,
    Scope,
    cleaning_policy,
    listing_policy,
    presigning_policy,
    session_policy,
)
from tests.builds.name_samples import buckets, build_slugs, product_slugs
from tests.proof.evaluators import Question

PARTITIONS = ["aws", "aws-cn", "aws-us-gov", "aws-iso-b", "aws-eusc"]
KEY_ID = "123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@dataclass(frozen=True, kw_only=True)
class World:
    """A build's session on a store whose role is exactly what bootstrapping makes."""

    scope: Scope
    role: str
    boundary: str

    @cached_property
    def session(self) -> str:
        return session_policy(self.scope)

    @cached_property
    def lister(self) -> str:
        return listing_policy(self.scope)

    @cached_property
    def cleaner(self) -> str:
        return cleaning_policy(self.scope)

    @cached_property
    def presigner(self) -> str:
        return presigning_policy(self.scope)

    @property
    def policies(self) -> dict[str, str]:
        return {"role": self.role, "boundary": self.boundary}

    def ask(self, action: str, resource: str, prefix: str | None = None) -> Question:
        """A question about the session that uploads."""
        return self.question(self.session, action, resource, prefix)

    def ask_lister(self, action: str, resource: str, prefix: str | None = None) -> Question:
        return self.question(self.lister, action, resource, prefix)

    def ask_cleaner(self, action: str, resource: str, prefix: str | None = None) -> Question:
        return self.question(self.cleaner, action, resource, prefix)

    def ask_presigner(self, action: str, resource: str, prefix: str | None = None) -> Question:
        return self.question(self.presigner, action, resource, prefix)

    def question(
        self, session: str, action: str, resource: str, prefix: str | None = None
    ) -> Question:
        context = {} if prefix is None else {"s3:prefix": prefix}
        return Question(
            **self.policies, session=session, action=action, resource=resource, context=context
        )

    def object(self, key: str) -> str:
        return f"{self.scope.bucket_arn}/{key}"

    def holds(self, key: str) -> bool:
        """Whether the key is the root or lies below it."""
        return key == self.scope.root or key.startswith(f"{self.scope.root}/")

    def may_list(self, prefix: str | None) -> bool:
        if prefix is None:
            return False
        if prefix == self.scope.root:
            return self.scope.may_list_bare_root
        return prefix.startswith(f"{self.scope.root}/")

    def expects(self, question: Question) -> bool:
        """What the uploading session is meant to be allowed: all of it, and nothing else."""
        action, resource = question.action, question.resource
        if action in (*WRITE_ACTIONS, *(SYNC_ACTIONS if self.scope.may_sync else ())):
            bucket, _, key = resource.partition("/")
            return bucket == self.scope.bucket_arn and self.holds(key)
        if action in KMS_ACTIONS:
            return bool(self.scope.kms_key_arn) and resource == self.scope.kms_key_arn
        if action == "s3:ListBucket":
            listed = self.may_list(question.context.get("s3:prefix"))
            return listed and resource == self.scope.bucket_arn
        return action == "s3:GetBucketLocation" and resource == self.scope.bucket_arn


def make_world(scope: Scope) -> World:
    role_arn = f"arn:{scope.partition}:iam::123456789012:role/upload"
    names = {"role_arn": role_arn, "bucket": scope.bucket, "kms_key_arn": scope.kms_key_arn}
    with_sync = scope.may_sync
    return World(
        scope=scope,
        role=upload_policy(**names, with_sync=with_sync),
        boundary=boundary_policy(**names, with_sync=with_sync),
    )


def kms_key(partition: str) -> str:
    return f"arn:{partition}:kms:eu-central-1:{KEY_ID}"


server_made = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda moment: new_build_slug(moment.replace(tzinfo=UTC))
)


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    """Any legal product and build; a client-chosen slug may not list the bare root."""
    partition, is_server_made = draw(st.sampled_from(PARTITIONS)), draw(st.booleans())
    may_sync = draw(st.booleans())
    slug = draw(server_made if is_server_made else build_slugs)
    return Scope(
        partition=partition,
        bucket=draw(buckets),
        root=build_root(draw(product_slugs), slug),
        may_list_bare_root=is_server_made,
        may_sync=may_sync,
        may_look=may_sync,
        kms_key_arn=draw(st.sampled_from(["", kms_key(partition)])),
    )


worlds = scopes().map(make_world)

# No line feed: the store's evaluator reads a key only up to it (`tests/proof/disagreements.py`).
texts = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=24)

LISTED_BELOW = ["", "/", "/index.html", "//", "/./x", "/../x", "/*", "/?", "/${aws:username}"]


@st.composite
def keys_near(draw: st.DrawFn, world: World) -> str:
    """A key that is at, below, or one mistake away from a build's root."""
    root = world.scope.root
    product, _, slug = root.split("/")
    text, cut = draw(texts), draw(st.integers(0, len(root)))
    below = [f"{root}{end}" for end in LISTED_BELOW]
    beside = [
        f"{root}{text}", f"{root}2/{text}", f"{root}-/x", f"{root[:-1]}/x", f"{root}\\{text}",
        f"{root}%2f{text}", f"{root}\u2044{text}", f"{root}\uff0f{text}", f"{root}\0/{text}",
        root.swapcase() if root.swapcase() != root else "x", f"/{root}/{text}", f"./{root}/x",
        f"x{root}/{text}", f"{product}/{root}/x", f"{text}/{root}/x", f"{root}*", f"{root}?",
    ]  # fmt: skip
    sliced = [root[:cut], f"{root[:cut]}{text}", f"{root[cut:]}/x", f"{root[:cut]}*", root[cut:]]
    wild = [
        f"{product}/builds/*", f"{product}/builds/{'?' * len(slug)}", f"*/builds/{slug}/x", "*",
        f"{root[:cut]}?{root[cut + 1 :]}/x", "${aws:username}", "**/builds/**",
    ]  # fmt: skip
    elsewhere = [
        "", "/", "//", ".", "..", f"{product}", f"{product}/builds/", f"{product}/builds//x",
        f"{product}/builds/{text}", f"{product}/builds/../builds/{slug}/x", f"builds/{slug}/x",
        f"{product}/v/main/{text}", f"{product}2/builds/{slug}/x", f"{text}/builds/{slug}", text,
        f"{product}/builds/{slug[1:]}/x", f"{product}/builds/x{slug}/x", "builds/", "/builds/",
    ]  # fmt: skip
    inside = [f"{root}/{text}", f"{root}/{root}", f"{root}/{text}/builds/{text}", f"{root}/{root}/"]
    families = [below, beside, sliced, wild, elsewhere, inside]
    return draw(st.sampled_from(draw(st.sampled_from(families))))
