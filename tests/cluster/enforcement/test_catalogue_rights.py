"""Every runner of the catalogue may do by RBAC what its runbooks say, and nothing of what any other may."""

from collections.abc import Iterator

from tests.support.executions import Place
from tests.support.installation import Installation

from interlock.crds.grants import needed
from interlock.crds.names import RUNNERS_GROUP, RUNNERS_NAMESPACE, runner_account
from interlock.crds.powers import AGENTS_MUST_NOT, EVERY_ACCOUNT, OPERATOR_MUST_NOT, Right
from interlock.crds.runbook import Runbook
from interlock.runbooks.loading import load_catalogue
from interlock.runbooks.rbac import grants_for_family

REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
GROUPS = (RUNNERS_GROUP, *EVERY_ACCOUNT)


def own_rights(book: Runbook, namespace: str | None) -> frozenset[Right]:
    """What a runbook says that its runner needs."""
    return frozenset(grant.right for grant in needed(book, namespace) if RUNNERS_GROUP in grant.groups)


def covers(own: Right, asked: Right) -> bool:
    """Whether one right is another, or that of a whole kind to one that names an object."""
    same = (own.verb, own.resource, own.group, own.subresource, own.namespace)
    return same == (asked.verb, asked.resource, asked.group, asked.subresource, asked.namespace) and own.name in (
        "",
        asked.name,
    )


def wrong(installation: Installation, book: Runbook, namespace: str | None, asked: frozenset[Right]) -> Iterator[str]:
    """Where the authorizer says something else than the runbook."""
    account = runner_account(book.spec.family, namespace)
    user, own = f"system:serviceaccount:{RUNNERS_NAMESPACE}:{account}", own_rights(book, namespace)
    for right in sorted(asked, key=str):
        answer = installation.admin.post(REVIEWS, right.review(user, GROUPS))
        if answer.body["status"]["allowed"] is not any(covers(mine, right) for mine in own):
            yield f"{account}: {right} {right.name}: {answer.body['status']}"


def test_each_runner_may_what_its_runbook_says_and_nothing_that_others_may(shop: Place) -> None:
    installation = shop.installation
    books = [item.runbook for item in load_catalogue() if item.runbook.spec.permissions]
    places = {book.metadata.name: None if book.spec.scope == "Cluster" else shop.namespace for book in books}
    for book in books:
        installation.apply(grants_for_family([book], [places[book.metadata.name]]))
    for book in books:
        *_, last = needed(book, places[book.metadata.name])
        right = last.right
        kind = "/".join(filter(None, (right.resource, right.subresource)))
        asked = ".".join(filter(None, (kind, right.group)))
        installation.wait_for_right(
            last.user, right.verb, asked, right.namespace or None, groups=last.groups, name=right.name
        )
    for place in (None, shop.namespace):
        here = [book for book in books if places[book.metadata.name] == place]
        every = frozenset[Right]().union(
            *(own_rights(book, place) for book in here), AGENTS_MUST_NOT, OPERATOR_MUST_NOT
        )
        found = [line for book in here for line in wrong(installation, book, place, every)]
        assert found == []
        assert len(here) > 2
