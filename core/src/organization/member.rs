//! People of the install, and members of a project.

use insula_tenancy::member::{self, Member, Person};
use insula_tenancy::{OperatorTx, PersonId, TenantId};

use crate::page::{Listing, Page, paged, unknown_cursor};
use crate::{Error, Result};

const PEOPLE: (&str, &str) = paged!(
    select "id, email, name, role, created_at"
    from "people", id "id", cursor "people where true",
    where "($1::text[] is null or email = any($1))", "$2" "$3" "$4"
);

const MEMBERS: (&str, &str) = paged!(
    select "id, email, name, role, created_at"
    from "(select m.person_id as id, p.email, p.name, m.role, m.created_at
           from members m join people p on p.id = m.person_id where m.tenant_id = $1) of_project",
    id "id", cursor "(select person_id as id, created_at from members where tenant_id = $1) at where true",
    where "true", "$2" "$3" "$4"
);

/// A part of the people, or of those with these addresses.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is nobody.
pub async fn people(tx: &mut OperatorTx, emails: Option<&[String]>, page: Page) -> Result<Listing<Person>> {
    for (param, id) in page.cursors() {
        if member::find_person(tx, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "one of your users"));
        }
    }
    let emails: Option<Vec<String>> =
        emails.map(|emails| emails.iter().map(|email| email.to_lowercase()).collect());
    let scan = page.scan();
    let rows = sqlx::query_as(if scan.ascending { PEOPLE.0 } else { PEOPLE.1 })
        .bind(emails)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(scan.finish(rows))
}

/// A part of a project's members.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is none of them.
pub async fn list(tx: &mut OperatorTx, project: TenantId, page: Page) -> Result<Listing<Member>> {
    for (param, id) in page.cursors() {
        if member::find(tx, project, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "one of this project's users"));
        }
    }
    let scan = page.scan();
    let rows = sqlx::query_as(if scan.ascending { MEMBERS.0 } else { MEMBERS.1 })
        .bind(project)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(scan.finish(rows))
}

/// A person.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get_person(tx: &mut OperatorTx, id: PersonId) -> Result<Person> {
    let found = member::find_person(tx, id).await?;
    found.ok_or_else(|| not_found(id))
}

/// A member of a project.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut OperatorTx, project: TenantId, id: PersonId) -> Result<Member> {
    let found = member::find(tx, project, id).await?;
    found.ok_or_else(|| not_found(id))
}

/// The refusal of an id that is nobody's.
pub fn not_found(id: PersonId) -> Error {
    Error::not_found("user", id)
}

/// The refusal of a change that would leave no owner.
pub fn last_owner() -> Error {
    Error::Invalid {
        message: "This is the last owner; make somebody else an owner first.".into(),
        param: None,
        code: Some("last_owner"),
    }
}
