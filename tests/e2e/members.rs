//! `/v1/organization/users`, `…/invites` and `…/projects/{id}/users`: people, and what they are members of.

use insula_tenancy::member::invite;
use insula_tests::{Client, TestApp};
use serde_json::{Value, json};

const USERS: &str = "/v1/organization/users";
const INVITES: &str = "/v1/organization/invites";

fn users(of: &Client) -> String {
    format!("/v1/organization/projects/{}/users", of.tenant_id())
}

/// A person who was invited and has come. Its id.
async fn person(app: &TestApp, operator: &Client, email: &str, role: &str, projects: Value) -> String {
    let body = json!({"email": email, "role": role, "projects": projects});
    let made = operator.post(INVITES, body).await.ok();
    accept(app, made["token"].as_str().unwrap(), None).await.unwrap()
}

/// What the person's browser will do, once there is a page for it.
async fn accept(app: &TestApp, token: &str, name: Option<&str>) -> Option<String> {
    let mut tx = app.services.db.operator().await.unwrap();
    let person = invite::accept(&mut tx, token, name).await.unwrap();
    tx.commit().await.unwrap();
    person.map(|person| person.id.to_string())
}

#[tokio::test]
async fn an_invite_is_accepted_once_until_it_expires_or_is_taken_back() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let operator = app.operator().await;
    let body = json!({
        "email": "Grace@Example.com", "role": "reader",
        "projects": [{"id": ada.tenant_id(), "role": "owner"}, {"id": bob.tenant_id(), "role": "viewer"}],
    });
    let made = operator.post(INVITES, body).await.ok();
    assert_eq!(
        (
            &made["object"],
            &made["email"],
            &made["status"],
            &made["accepted_at"]
        ),
        (
            &json!("organization.invite"),
            &json!("grace@example.com"),
            &json!("pending"),
            &Value::Null
        )
    );
    let week = made["expires_at"].as_i64().unwrap() - made["created_at"].as_i64().unwrap();
    assert_eq!(week, 7 * 24 * 3600);
    assert_eq!(made["projects"][1]["member_role"], "viewer");
    let token = made["token"].as_str().unwrap().to_owned();
    let path = format!("{INVITES}/{}", made["id"].as_str().unwrap());
    let shown = operator.get(&path).await.ok();
    assert!(
        shown.get("token").is_none() && !shown.to_string().contains(&token),
        "shown once"
    );
    let stored: i64 =
        sqlx::query_scalar("select count(*) from invites i where i::text like '%' || $1 || '%'")
            .bind(token.rsplit_once('_').unwrap().1)
            .fetch_one(app.owner())
            .await
            .unwrap();
    assert_eq!(stored, 0, "the token is in the database");
    assert_eq!(
        operator.get(USERS).await.ok()["data"],
        json!([]),
        "nobody has come yet"
    );

    assert!(accept(&app, "iit_nonsense", None).await.is_none());
    let grace = accept(&app, &token, Some("Grace")).await.unwrap();
    assert!(accept(&app, &token, None).await.is_none(), "accepted twice");
    assert_eq!(operator.get(&path).await.ok()["status"], "accepted");
    assert_eq!(
        operator.delete(&path).await.refused(400)["code"],
        "invite_accepted"
    );
    let user = operator.get(&format!("{USERS}/{grace}")).await.ok();
    assert_eq!(
        (&user["object"], &user["email"], &user["name"], &user["role"]),
        (
            &json!("organization.user"),
            &json!("grace@example.com"),
            &json!("Grace"),
            &json!("reader")
        )
    );
    for (client, role, member_role) in [(&ada, "owner", "owner"), (&bob, "member", "viewer")] {
        let members = operator.get(&users(client)).await.ok();
        let member = &members["data"][0];
        assert_eq!(
            (
                &member["object"],
                &member["id"],
                &member["role"],
                &member["member_role"]
            ),
            (
                &json!("organization.project.user"),
                &json!(grace),
                &json!(role),
                &json!(member_role)
            )
        );
        let logged = client.get("/v1/organization/audit_logs?order=asc").await.ok();
        let logged: Vec<&str> = logged["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["type"].as_str().unwrap())
            .collect();
        assert_eq!(logged[2..], ["invite.sent", "user.added", "invite.accepted"]);
    }

    // The same mailbox is the same person.
    let again = person(&app, &operator, "GRACE@example.com", "owner", json!([])).await;
    assert_eq!(again, grace);
    assert_eq!(
        operator.get(&format!("{USERS}/{grace}")).await.ok()["role"],
        "owner"
    );

    let other = operator
        .post(INVITES, json!({"email": "eve@example.com", "role": "reader"}))
        .await
        .ok();
    sqlx::query("update invites set expires_at = now() where email = 'eve@example.com'")
        .execute(app.owner())
        .await
        .unwrap();
    let path = format!("{INVITES}/{}", other["id"].as_str().unwrap());
    assert_eq!(operator.get(&path).await.ok()["status"], "expired");
    assert!(
        accept(&app, other["token"].as_str().unwrap(), None)
            .await
            .is_none()
    );
    assert_eq!(
        operator.delete(&path).await.ok()["object"],
        "organization.invite.deleted"
    );
    operator.get(&path).await.refused(404);
    let back = operator
        .post(INVITES, json!({"email": "eve@example.com", "role": "reader"}))
        .await
        .ok();
    operator
        .delete(&format!("{INVITES}/{}", back["id"].as_str().unwrap()))
        .await
        .ok();
    assert!(
        accept(&app, back["token"].as_str().unwrap(), None)
            .await
            .is_none()
    );
    assert_eq!(
        operator.get(&format!("{INVITES}?limit=1")).await.ok()["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let nobody = insula_tenancy::TenantId::generate();
    for (body, status, param) in [
        (json!({"email": "grace", "role": "reader"}), 400, "email"),
        (json!({"role": "reader"}), 400, "email"),
        (json!({"email": "a@b.c", "role": "emperor"}), 400, "role"),
        (
            json!({"email": "a@b.c", "role": "reader", "projects": [{"id": "proj_x", "role": "owner"}]}),
            404,
            "projects[0].id",
        ),
        (
            json!({"email": "a@b.c", "role": "reader", "projects": [
                {"id": ada.tenant_id(), "role": "owner"}, {"id": ada.tenant_id(), "role": "viewer"}
            ]}),
            400,
            "projects[1].id",
        ),
        (
            json!({"email": "a@b.c", "role": "reader", "projects": [{"id": nobody, "role": "owner"}]}),
            404,
            "projects[0].id",
        ),
    ] {
        assert_eq!(
            operator.post(INVITES, body.clone()).await.refused(status)["param"],
            param,
            "{body}"
        );
    }
}

#[tokio::test]
async fn members_come_change_and_go_but_the_last_owner_stays() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let operator = app.operator().await;
    let grace = person(&app, &operator, "grace@example.com", "owner", json!([])).await;
    let eve = person(&app, &operator, "eve@example.com", "reader", json!([])).await;
    let path = users(&ada);
    let added = operator
        .post(&path, json!({"user_id": grace, "role": "owner"}))
        .await
        .ok();
    assert_eq!(
        (&added["id"], &added["member_role"]),
        (&json!(grace), &json!("owner"))
    );
    let added = operator
        .post(&path, json!({"email": "EVE@example.com", "role": "member"}))
        .await
        .ok();
    assert_eq!(
        (&added["role"], &added["member_role"]),
        (&json!("member"), &json!("developer"))
    );
    for (body, status, param) in [
        (json!({"user_id": eve, "role": "viewer"}), 400, "user_id"),
        (json!({"role": "viewer"}), 400, "user_id"),
        (
            json!({"user_id": eve, "email": "eve@example.com", "role": "viewer"}),
            400,
            "user_id",
        ),
        (
            json!({"email": "nobody@example.com", "role": "viewer"}),
            404,
            "email",
        ),
        (json!({"email": "nobody", "role": "viewer"}), 400, "email"),
        (json!({"user_id": "user-x", "role": "viewer"}), 404, "user_id"),
        (json!({"user_id": eve, "role": "emperor"}), 400, "role"),
    ] {
        assert_eq!(
            operator.post(&path, body.clone()).await.refused(status)["param"],
            param,
            "{body}"
        );
    }
    let (graces, eves) = (format!("{path}/{grace}"), format!("{path}/{eve}"));
    assert_eq!(
        operator
            .post(&graces, json!({"role": "admin"}))
            .await
            .refused(400)["code"],
        "last_owner"
    );
    assert_eq!(operator.delete(&graces).await.refused(400)["code"], "last_owner");
    assert_eq!(
        operator.delete(&format!("{USERS}/{grace}")).await.refused(400)["code"],
        "last_owner"
    );
    let changed = operator.post(&eves, json!({"role": "owner"})).await.ok();
    assert_eq!(changed["role"], "owner");
    assert_eq!(
        operator.post(&graces, json!({"role": "admin"})).await.ok()["member_role"],
        "admin"
    );
    assert_eq!(operator.get(&graces).await.ok()["role"], "member");
    // In another project there is nobody of that name.
    let elsewhere = format!("{}/{eve}", users(&bob));
    operator.get(&elsewhere).await.refused(404);
    operator
        .post(&elsewhere, json!({"role": "owner"}))
        .await
        .refused(404);
    operator.delete(&elsewhere).await.refused(404);

    // The install keeps an owner, too, and a project its own.
    let own = format!("{USERS}/{grace}");
    assert_eq!(
        operator.post(&own, json!({"role": "reader"})).await.refused(400)["code"],
        "last_owner"
    );
    assert_eq!(
        operator
            .post(&format!("{USERS}/{eve}"), json!({"role": "owner"}))
            .await
            .ok()["role"],
        "owner"
    );
    assert_eq!(
        operator.delete(&format!("{USERS}/{eve}")).await.refused(400)["code"],
        "last_owner"
    );
    assert_eq!(
        operator.get(&eves).await.ok()["role"],
        "owner",
        "nothing was removed"
    );
    assert_eq!(
        operator.delete(&own).await.ok()["object"],
        "organization.user.deleted"
    );
    operator.get(&graces).await.refused(404);
    operator.get(&own).await.refused(404);
    let logged = ada
        .get("/v1/organization/audit_logs?event_types[]=user.deleted")
        .await
        .ok();
    assert_eq!(logged["data"][0]["user.deleted"]["id"], json!(grace));

    for at in 0..3 {
        person(
            &app,
            &operator,
            &format!("p{at}@example.com"),
            "reader",
            json!([{"id": ada.tenant_id(), "role": "viewer"}]),
        )
        .await;
    }
    let mut walked = Vec::new();
    let mut after = String::new();
    loop {
        let page = operator.get(&format!("{path}?limit=2{after}")).await.ok();
        walked.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|user| user["email"].as_str().unwrap().to_owned()),
        );
        if page["has_more"] == false {
            break;
        }
        after = format!("&after={}", page["last_id"].as_str().unwrap());
    }
    assert_eq!(
        walked,
        [
            "p2@example.com",
            "p1@example.com",
            "p0@example.com",
            "eve@example.com"
        ]
    );
    let found = operator
        .get(&format!("{USERS}?emails[]=P1@example.com&emails[]=x@y.z"))
        .await
        .ok();
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn two_owners_cannot_leave_at_once() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let operator = app.operator().await;
    for round in 0..5 {
        let mut paths = Vec::new();
        for at in 0..2 {
            let project = json!([{"id": ada.tenant_id(), "role": "owner"}]);
            let id = person(
                &app,
                &operator,
                &format!("o{round}-{at}@example.com"),
                "reader",
                project,
            )
            .await;
            paths.push(format!("{}/{id}", users(&ada)));
        }
        let (first, second) = tokio::join!(operator.delete(&paths[0]), operator.delete(&paths[1]));
        // Whoever stays of the rounds before makes both of this one free to go.
        let gone = [first.status, second.status]
            .iter()
            .filter(|status| **status == 200)
            .count();
        assert_eq!(gone, if round == 0 { 1 } else { 2 });
    }
    let owners: i64 = sqlx::query_scalar("select count(*) from members where role = 'owner'")
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert_eq!(owners, 1);
}
