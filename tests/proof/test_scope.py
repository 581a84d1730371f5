"""Role, boundary and session policy together, for any build and any request, as the embedded
store's evaluator decides: writing at the root and below, listing it, and nothing else.
"""

from collections.abc import Callable, Sequence

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from credentials.rules.policy import SYNC_ACTIONS, WRITE_ACTIONS
from tests.builds.name_samples import buckets, build_slugs, product_slugs
from tests.proof.actions import EVERY_ACTION
from tests.proof.evaluators import Evaluator, Question
from tests.proof.worlds import World, keys_near, kms_key, worlds

OBJECT_ACTIONS = (*WRITE_ACTIONS, *SYNC_ACTIONS)
PROOF = settings(max_examples=100)
PROOF_OF_EVERY_ACTION = settings(max_examples=10)  # some 4,000 questions each


@st.composite
def worlds_and_keys(draw: st.DrawFn) -> tuple[World, list[str]]:
    world = draw(worlds)
    return world, draw(st.lists(keys_near(world), min_size=8, max_size=8))


def hold(evaluator: Evaluator, world: World, questions: Sequence[Question]) -> None:
    """Every answer is the one that the world means."""
    expected = [world.expects(question) for question in questions]
    found = evaluator.answers(questions)
    wrong = [each for each, a, b in zip(questions, expected, found, strict=True) if a is not b]
    assert not wrong


@PROOF
@given(case=worlds_and_keys())
def test_objects_are_reached_exactly_at_the_root_and_below(
    evaluator: Evaluator, case: tuple[World, list[str]]
) -> None:
    world, keys = case
    asked = [world.ask(each, world.object(key)) for key in keys for each in OBJECT_ACTIONS]
    hold(evaluator, world, asked)


@PROOF
@given(case=worlds_and_keys())
def test_listing_is_allowed_exactly_for_the_root_and_below(
    evaluator: Evaluator, case: tuple[World, list[str]]
) -> None:
    world, keys = case
    bucket = world.scope.bucket_arn
    asked = [world.ask("s3:ListBucket", bucket, prefix) for prefix in [*keys, "", None]]
    hold(evaluator, world, asked)
    listing = [world.ask_lister("s3:ListBucket", bucket, prefix) for prefix in [*keys, "", None]]
    hold(evaluator, world, listing)


@PROOF
@given(case=worlds_and_keys())
def test_session_that_lists_reads_below_the_root_alone_and_only_where_it_may_look(
    evaluator: Evaluator, case: tuple[World, list[str]]
) -> None:
    world, keys = case
    asked = [world.ask_lister(each, world.object(key)) for key in keys for each in OBJECT_ACTIONS]
    below = f"{world.object(world.scope.root)}/"
    expected = [
        world.scope.may_look
        and question.action == "s3:GetObject"
        and question.resource.startswith(below)
        for question in asked
    ]
    assert list(evaluator.answers(asked)) == expected


@PROOF_OF_EVERY_ACTION
@given(case=worlds_and_keys())
def test_no_action_is_allowed_that_the_policy_does_not_name_on_purpose(
    evaluator: Evaluator, case: tuple[World, list[str]]
) -> None:
    world, [key, *_] = case
    scope = world.scope
    resources = [
        "*", scope.bucket_arn, world.object(scope.root), world.object(f"{scope.root}/x"),
        world.object(key), kms_key(scope.partition), f"{kms_key(scope.partition)}2",
        f"arn:{scope.partition}:iam::123456789012:role/upload",
    ]  # fmt: skip
    prefix = f"{scope.root}/"
    asked = [world.ask(each, resource, prefix) for each in EVERY_ACTION for resource in resources]
    hold(evaluator, world, asked)


@PROOF
@given(case=worlds_and_keys(), bucket=buckets, partition=st.sampled_from(["aws", "aws-cn"]))
def test_no_other_bucket_is_reached(
    evaluator: Evaluator, case: tuple[World, list[str]], bucket: str, partition: str
) -> None:
    world, [key, *_] = case
    other = f"arn:{partition}:s3:::{bucket}"
    assume(other != world.scope.bucket_arn)
    near = [other, f"{world.scope.bucket_arn}2", world.scope.bucket_arn[:-1]]
    asked = [
        world.ask(action, resource, f"{world.scope.root}/")
        for arn in near
        for resource in (arn, f"{arn}/{world.scope.root}/x", f"{arn}/{key}")
        for action in (*OBJECT_ACTIONS, "s3:ListBucket", "s3:GetBucketLocation")
    ]
    hold(evaluator, world, asked)


@PROOF
@given(world=worlds, product=product_slugs, slug=build_slugs)
def test_no_session_reaches_another_build(
    evaluator: Evaluator, world: World, product: str, slug: str
) -> None:
    ours, _, build = world.scope.root.split("/")
    others = [f"{ours}/builds/{slug}", f"{product}/builds/{build}", f"{product}/builds/{slug}"]
    roots = [root for root in others if root != world.scope.root]
    asked = [
        world.ask(each, world.object(f"{root}/x")) for root in roots for each in OBJECT_ACTIONS
    ]
    asked += [
        world.ask("s3:ListBucket", world.scope.bucket_arn, prefix)
        for root in roots
        for prefix in (root, f"{root}/")
    ]
    assert not any(evaluator.answers(asked))


@PROOF_OF_EVERY_ACTION
@given(world=worlds)
def test_narrow_sessions_only_list_or_only_delete_or_only_write(
    evaluator: Evaluator, world: World
) -> None:
    bucket, prefix, key = world.scope.bucket_arn, f"{world.scope.root}/", world.scope.kms_key_arn
    below = world.object(f"{world.scope.root}/x")
    every = [(each, resource) for each in EVERY_ACTION for resource in (bucket, below, key or "*")]

    def allowed(ask: Callable[..., Question]) -> set[tuple[str, str]]:
        answers = evaluator.answers([ask(*each, prefix) for each in every])
        return {each for each, yes in zip(every, answers, strict=True) if yes}

    encrypting = {("kms:GenerateDataKey", key)} if key else set()
    looking = {("s3:GetObject", below)} if world.scope.may_look else set()
    assert allowed(world.ask_lister) == {("s3:ListBucket", bucket)} | looking
    assert allowed(world.ask_cleaner) == {("s3:DeleteObject", below)}
    assert allowed(world.ask_presigner) == {("s3:PutObject", below)} | encrypting


@PROOF
@given(case=worlds_and_keys())
def test_narrow_sessions_delete_and_write_exactly_at_the_root_and_below(
    evaluator: Evaluator, case: tuple[World, list[str]]
) -> None:
    world, keys = case
    expected = [world.holds(key) for key in keys]
    for ask, action in [
        (world.ask_cleaner, "s3:DeleteObject"),
        (world.ask_presigner, "s3:PutObject"),
    ]:
        assert evaluator.answers([ask(action, world.object(key)) for key in keys]) == expected


HEADERS = {
    "public ACL": {"s3:x-amz-acl": "public-read"},
    "writable by all": {"s3:x-amz-acl": "public-read-write"},
    "for every account": {"s3:x-amz-acl": "authenticated-read"},
    "for EC2": {"s3:x-amz-acl": "aws-exec-read"},
    "grant": {"s3:x-amz-grant-read": "id=1"},
    "full grant": {"s3:x-amz-grant-full-control": "id=1"},
    "redirect": {"s3:x-amz-website-redirect-location": "https://example.org"},
    "private": {"s3:x-amz-acl": "private"},
    "owner": {"s3:x-amz-acl": "bucket-owner-full-control"},
}
HARMLESS = {"private", "owner"}


@PROOF
@given(world=worlds)
def test_nothing_is_made_public_or_redirected(evaluator: Evaluator, world: World) -> None:
    plain = world.ask("s3:PutObject", world.object(f"{world.scope.root}/x"))
    asked = [Question(**(vars(plain) | {"context": context})) for context in HEADERS.values()]
    found = dict(zip(HEADERS, evaluator.answers(asked), strict=True))
    assert {name for name, allowed in found.items() if allowed} == HARMLESS


@PROOF
@given(world=worlds)
def test_it_is_the_session_policy_that_keeps_builds_apart(
    evaluator: Evaluator, world: World
) -> None:
    """The role alone reaches every build: an evaluator that forgot the session would be noticed."""
    sibling = world.object(f"{world.scope.root}2/x")
    unnarrowed = world.question("", "s3:PutObject", sibling)
    assert evaluator.answers([unnarrowed, world.ask("s3:PutObject", sibling)]) == [True, False]
