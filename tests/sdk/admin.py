"""The administration client of the official OpenAI SDK against this server's organization API.

Run by tests/sdk/main.rs, which gives INSULA_BASE_URL, INSULA_API_KEY (a tenant's) and INSULA_OPERATOR_KEY.
"""

import os
import time

import openai
from openai import OpenAI

BASE_URL = os.environ["INSULA_BASE_URL"]
operator = OpenAI(base_url=BASE_URL, api_key="", admin_api_key=os.environ["INSULA_OPERATOR_KEY"], max_retries=0)
organization = operator.admin.organization
ada = OpenAI(base_url=BASE_URL, api_key=os.environ["INSULA_API_KEY"], max_retries=0)


def raises(kind, call, *arguments, **more):
    try:
        call(*arguments, **more)
    except openai.APIError as error:
        assert type(error) is kind, f"{type(error).__name__} instead of {kind.__name__}: {error}"
        return error
    raise AssertionError(f"no {kind.__name__}")


def projects():
    made = [organization.projects.create(name=f"Shop {n}") for n in range(3)]
    assert made[0].object == "organization.project" and made[0].status == "active" and made[0].archived_at is None
    listed = [project.id for project in organization.projects.list(limit=2) if project.name.startswith("Shop")]
    assert listed == [project.id for project in reversed(made)]
    renamed = organization.projects.update(made[0].id, name="Store")
    assert renamed.name == "Store" and organization.projects.retrieve(made[0].id) == renamed
    assert organization.projects.archive(made[2].id).status == "archived"
    assert made[2].id not in [project.id for project in organization.projects.list()]
    assert made[2].id in [project.id for project in organization.projects.list(include_archived=True)]
    error = raises(openai.BadRequestError, organization.projects.create, name="")
    assert error.param == "name"
    raises(openai.NotFoundError, organization.projects.retrieve, "proj_unknown")
    return made[0].id


def service_accounts(project_id):
    made = organization.projects.service_accounts.create(project_id, name="ci")
    assert made.role == "member" and made.api_key.object == "organization.project.service_account.api_key"
    client = OpenAI(base_url=BASE_URL, api_key=made.api_key.value, max_retries=0)
    assert len(list(client.models.list())) > 0
    keys = list(organization.projects.api_keys.list(project_id))
    assert [key.id for key in keys] == [made.api_key.id]
    assert keys[0].owner.service_account.id == made.id and keys[0].owner_project_access == "active"
    assert organization.projects.api_keys.retrieve(made.api_key.id, project_id=project_id).name == "ci"
    second = organization.projects.service_accounts.api_keys.create(made.id, project_id=project_id, name="two")
    assert organization.projects.api_keys.delete(second.id, project_id=project_id).deleted
    accounts = organization.projects.service_accounts
    assert accounts.update(made.id, project_id=project_id, name="cd").name == "cd"
    assert accounts.retrieve(made.id, project_id=project_id).name == "cd"
    assert [account.id for account in accounts.list(project_id)] == [made.id]
    assert accounts.delete(made.id, project_id=project_id).deleted
    deadline = time.monotonic() + 5
    while True:
        try:
            client.models.list()
        except openai.AuthenticationError:
            return
        assert time.monotonic() < deadline, "the key of a deleted service account works still"
        time.sleep(0.05)


def limits(project_id):
    listed = list(organization.projects.rate_limits.list_rate_limits(project_id, limit=1))
    limit = next(limit for limit in listed if limit.model == "insula/extractive")
    changed = organization.projects.rate_limits.update_rate_limit(
        limit.id, project_id=project_id, max_requests_per_1_minute=7
    )
    assert changed.max_requests_per_1_minute == 7 and changed.model == limit.model
    permissions = organization.projects.model_permissions
    assert permissions.update(project_id, mode="deny_list", model_ids=["x"]).api_model_ids == ["x"]
    assert permissions.retrieve(project_id).mode == "deny_list"
    assert permissions.delete(project_id).deleted
    spend = organization.projects.spend_limit
    assert spend.update(project_id, threshold_amount=500, currency="USD", interval="month").threshold_amount == 500
    assert spend.retrieve(project_id).enforcement.status == "inactive"
    assert spend.delete(project_id).deleted
    alerts = organization.projects.spend_alerts
    channel = {"type": "email", "recipients": ["ops@example.com"]}
    alert = alerts.create(
        project_id, threshold_amount=5, currency="USD", interval="month", notification_channel=channel
    )
    assert [found.id for found in alerts.list(project_id)] == [alert.id]
    assert alerts.retrieve(alert.id, project_id=project_id) == alert
    assert alerts.delete(alert.id, project_id=project_id).deleted


def people(project_id):
    invite = organization.invites.create(
        email="grace@example.com", role="reader", projects=[{"id": project_id, "role": "owner"}]
    )
    assert invite.status == "pending" and invite.projects[0].role == "owner"
    assert [found.id for found in organization.invites.list()] == [invite.id]
    assert organization.invites.retrieve(invite.id).email == "grace@example.com"
    assert list(organization.users.list()) == [] and list(organization.projects.users.list(project_id)) == []
    raises(openai.NotFoundError, organization.users.retrieve, "user-x")
    assert organization.invites.delete(invite.id).deleted


def usage():
    ada.chat.completions.create(model="insula/extractive", messages=[{"role": "user", "content": "Hello?"}])
    ada.embeddings.create(model="all-MiniLM-L6-v2", input="hello world")
    since = int(time.time()) - 3600
    chats = recorded(
        organization.usage.completions, bucket_width="1m", limit=1440, group_by=["project_id", "model"], start_time=since
    )
    assert [(chat.model, chat.num_model_requests) for chat in chats] == [("insula/extractive", 1)]
    embeddings = recorded(organization.usage.embeddings, start_time=since, project_ids=[chats[0].project_id])
    assert sum(result.input_tokens for result in embeddings) > 0
    costs = organization.usage.costs(start_time=since, group_by=["line_item"])
    assert all(result.amount.currency == "usd" for bucket in costs.data for result in bucket.results)
    for report in ("moderations", "vector_stores", "file_search_calls"):
        assert getattr(organization.usage, report)(start_time=since).object == "page"
    # A tenant's own key reads the tenant's own.
    own = OpenAI(base_url=BASE_URL, api_key="", admin_api_key=ada.api_key, max_retries=0).admin.organization
    assert sum(chat.num_model_requests for chat in recorded(own.usage.completions, start_time=since)) == 1
    raises(openai.PermissionDeniedError, own.projects.list)


def recorded(report, **asked):
    """The results of a report, which has what is settled: each call a moment after its answer."""
    deadline = time.monotonic() + 10
    while True:
        page = report(**asked)
        assert page.object == "page"
        results = [result for bucket in page.data for result in bucket.results]
        if results:
            return results
        assert time.monotonic() < deadline, "nothing was recorded"
        time.sleep(0.1)


def audit_logs(project_id):
    entries = list(organization.audit_logs.list(project_ids=[project_id], limit=5))
    types = [entry.type for entry in entries]
    assert types[-1] == "project.created" and "service_account.deleted" in types
    made = next(entry for entry in entries if entry.type == "api_key.created")
    assert made.api_key_created.id.startswith("key_") and made.actor.api_key.id.startswith("opk_")
    assert made.project.id == project_id
    none = organization.audit_logs.list(effective_at={"lt": int(time.time()) - 3600}, event_types=["project.created"])
    assert list(none) == []


def admin_keys():
    made = organization.admin_api_keys.create(name="second")
    second = OpenAI(base_url=BASE_URL, api_key="", admin_api_key=made.value, max_retries=0)
    assert made.id in [key.id for key in second.admin.organization.admin_api_keys.list(order="asc")]
    assert organization.admin_api_keys.delete(made.id).deleted
    raises(openai.AuthenticationError, second.admin.organization.projects.list)


def main():
    print(f"openai {openai.__version__}")
    project_id = projects()
    for story in (service_accounts, limits, people, usage, audit_logs, admin_keys):
        story(*([project_id] if story.__code__.co_argcount else []))
        print(f"{story.__name__}: ok")


if __name__ == "__main__":
    main()
