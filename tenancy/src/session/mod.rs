//! The door of people: whoever has signed in becomes the context of a member, or of the operator.
//!
//! A session is a random token in a cookie, whose hash is a row: it is looked up at every request, so that ending it is
//! effective at once and everywhere. A person works in one of its tenants at a time, which the row says; what it may do there
//! follows from its role, read anew each time.

mod attempts;
pub mod invitation;
mod manage;
pub mod oidc;
pub mod password;
pub mod reset;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use sqlx::postgres::PgConnection;

use crate::access::{self, OpenAccess};
use crate::member::{OrganizationRole, Role};
use crate::secret::{self, Kind};
use crate::{
    AccessError, AccessId, Actor, Authenticator, Db, OperatorContext, PersonId, Result, Scope, SessionId,
    TenantContext, TenantId,
};

pub use manage::{
    Membership, SessionInfo, change_password, choose_tenant, end, list, memberships, sign_out, update_profile,
};

/// How long a session lives in all.
pub const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long it lives without being used.
pub const IDLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Longest note of a browser that is kept.
const USER_AGENT: usize = 256;

/// Where somebody comes from, as far as is known.
#[derive(Debug, Clone, Default)]
pub struct Visit {
    /// The network address.
    pub address: Option<IpAddr>,
    /// What the browser says that it is.
    pub user_agent: Option<String>,
}

/// A person's own settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Who.
    pub id: PersonId,
    /// Its address.
    pub email: String,
    /// What people call it.
    pub name: Option<String>,
    /// What it is on the install.
    pub role: OrganizationRole,
    /// The language of its pages, `en` or `ar`; `None`: as its browser says.
    pub language: Option<String>,
}

/// The tenant that somebody works in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentTenant {
    /// Which.
    pub id: TenantId,
    /// What people call it.
    pub title: String,
    /// What the person may do there.
    pub role: Role,
    /// What lets somebody look in who runs the install and is no member; `None`: it is one.
    pub access: Option<OpenAccess>,
    suspended: bool,
}

impl CurrentTenant {
    /// All that the person may do there.
    pub fn scopes(&self) -> Vec<Scope> {
        match self.access {
            None => self.role.scopes(),
            Some(_) => access::scopes(),
        }
    }
}

/// A person who is signed in. As with [`TenantContext`], holding one is the proof.
#[derive(Debug, Clone)]
pub struct SignedIn {
    session: SessionId,
    profile: Profile,
    tenant: Option<CurrentTenant>,
    expires_at: DateTime<Utc>,
    address: Option<IpAddr>,
}

/// A session that was just begun.
pub struct NewSession {
    /// What the cookie holds. This is the only time that anybody sees it.
    pub token: SecretString,
    /// Who has it.
    pub signed_in: SignedIn,
}

impl SignedIn {
    /// Which session.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Who it is.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Where the person works; `None`: in no tenant, or not any more.
    pub fn tenant(&self) -> Option<&CurrentTenant> {
        self.tenant.as_ref()
    }

    /// When the session ends, however much it is used.
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// Whether the person runs the install.
    pub fn is_operator(&self) -> bool {
        self.profile.role == OrganizationRole::Owner
    }

    /// The same person, known to come from this address: the audit log says it.
    pub fn from_address(self, address: IpAddr) -> Self {
        Self {
            address: Some(address),
            ..self
        }
    }

    /// The member that the person is where it works.
    ///
    /// # Errors
    /// [`AccessError::NoTenant`]; [`AccessError::Suspended`].
    pub fn member(&self) -> Result<TenantContext> {
        let tenant = self.tenant.as_ref().ok_or(AccessError::NoTenant)?;
        if tenant.suspended {
            return Err(AccessError::Suspended.into());
        }
        let (person, session) = (self.profile.id, self.session);
        let actor = match &tenant.access {
            None => Actor::Member { person, session },
            Some(access) => Actor::Guest {
                person,
                session,
                access: access.id,
            },
        };
        let context = TenantContext::new(tenant.id, actor, Arc::from(tenant.scopes()));
        Ok(match self.address {
            Some(address) => context.from_address(address),
            None => context,
        })
    }

    /// The operator that the person is.
    ///
    /// # Errors
    /// [`AccessError::NotOperator`].
    pub fn operator(&self) -> Result<OperatorContext> {
        if !self.is_operator() {
            return Err(AccessError::NotOperator.into());
        }
        let context = OperatorContext::of_person(self.profile.id);
        Ok(match self.address {
            Some(address) => context.from_address(address),
            None => context,
        })
    }
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    id: SessionId,
    person_id: PersonId,
    email: String,
    name: Option<String>,
    person_role: OrganizationRole,
    language: Option<String>,
    tenant_id: Option<TenantId>,
    title: Option<String>,
    role: Option<Role>,
    access_id: Option<AccessId>,
    access_reason: Option<String>,
    access_expires_at: Option<DateTime<Utc>>,
    suspended: Option<bool>,
    expires_at: DateTime<Utc>,
    note_use: bool,
}

impl From<SessionRow> for SignedIn {
    fn from(row: SessionRow) -> Self {
        let access = row.access_id.zip(row.access_reason).zip(row.access_expires_at);
        let access = access.map(|((id, reason), expires_at)| OpenAccess {
            id,
            reason,
            expires_at,
        });
        // Whoever is a member no more, and has no access, works nowhere.
        let role = row.role.or(access.as_ref().map(|_| Role::Viewer));
        let tenant = row.tenant_id.zip(role).map(|(id, role)| CurrentTenant {
            id,
            title: row.title.unwrap_or_default(),
            role,
            access: access.filter(|_| row.role.is_none()),
            suspended: row.suspended.unwrap_or(true),
        });
        Self {
            session: row.id,
            profile: Profile {
                id: row.person_id,
                email: row.email,
                name: row.name,
                role: row.person_role,
                language: row.language,
            },
            tenant,
            expires_at: row.expires_at,
            address: None,
        }
    }
}

impl Authenticator {
    /// The same session, as it is now.
    ///
    /// # Errors
    /// [`AccessError::NotSignedIn`] if it was ended meanwhile; when the database is away.
    pub async fn reread(&self, who: &SignedIn) -> Result<SignedIn> {
        let mut tx = self.db.system().await?;
        let token: Option<Vec<u8>> = sqlx::query_scalar("select token_sha256 from sessions where id = $1")
            .bind(who.session)
            .fetch_optional(&mut *tx)
            .await?;
        let token: Option<[u8; 32]> = token.and_then(|token| token.try_into().ok());
        let token = token.ok_or(AccessError::NotSignedIn)?;
        let row = find(&mut tx, &token).await?.ok_or(AccessError::NotSignedIn)?;
        Ok(SignedIn {
            address: who.address,
            ..row.into()
        })
    }

    /// Whoever has the session of this token.
    ///
    /// # Errors
    /// [`AccessError::NotSignedIn`] for what is no session, or none any more; when the database is away.
    pub async fn session(&self, token: &str) -> Result<SignedIn> {
        let presented = secret::parse(Kind::Session, token).ok_or(AccessError::NotSignedIn)?;
        let mut tx = self.db.system().await?;
        let row = find(&mut tx, presented.hash())
            .await?
            .ok_or(AccessError::NotSignedIn)?;
        if row.note_use {
            sqlx::query("update sessions set last_seen_at = now() where id = $1")
                .bind(row.id)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(row.into())
    }
}

/// Begins a session of somebody whose identity is established. It works where it worked last, or else in the tenant that it
/// has been a member of for the longest time.
async fn begin(db: &Db, person: PersonId, visit: &Visit) -> Result<NewSession> {
    let secret = secret::generate(Kind::Session);
    let user_agent = visit.user_agent.as_ref().map(|text| {
        text.chars()
            .filter(|c| !c.is_control())
            .take(USER_AGENT)
            .collect::<String>()
    });
    let mut tx = db.system().await?;
    sqlx::query(
        "delete from sessions where expires_at < now() or last_seen_at < now() - make_interval(secs => $1)",
    )
    .bind(IDLE.as_secs_f64())
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "insert into sessions (id, person_id, token_sha256, current_tenant, address, user_agent, expires_at)
         values ($1, $2, $3,
                 coalesce((select s.current_tenant from sessions s
                           join members m on m.person_id = s.person_id and m.tenant_id = s.current_tenant
                           where s.person_id = $2 order by s.last_seen_at desc limit 1),
                          (select m.tenant_id from members m join tenants t on t.id = m.tenant_id
                           where m.person_id = $2 order by t.status, m.tenant_id limit 1)),
                 $4, $5, now() + make_interval(secs => $6))",
    )
    .bind(SessionId::generate())
    .bind(person)
    .bind(secret.hash.as_slice())
    .bind(visit.address.map(|address| address.to_string()))
    .bind(user_agent)
    .bind(LIFETIME.as_secs_f64())
    .execute(&mut *tx)
    .await?;
    let row = find(&mut tx, &secret.hash)
        .await?
        .ok_or(AccessError::NotSignedIn)?;
    tx.commit().await?;
    let signed_in = SignedIn::from(row);
    Ok(NewSession {
        token: secret.into_key(),
        signed_in: match visit.address {
            Some(address) => signed_in.from_address(address),
            None => signed_in,
        },
    })
}

async fn find(connection: &mut PgConnection, token_sha256: &[u8; 32]) -> Result<Option<SessionRow>> {
    Ok(sqlx::query_as(
        "select s.id, s.person_id, p.email, p.name, p.role as person_role, p.language, t.id as tenant_id,
                coalesce(t.title, t.name) as title, m.role, a.id as access_id, a.reason as access_reason,
                a.expires_at as access_expires_at, t.status = 'suspended' as suspended, s.expires_at,
                s.last_seen_at < now() - interval '1 minute' as note_use
         from sessions s join people p on p.id = s.person_id
         left join tenants t on t.id = s.current_tenant
         left join members m on m.person_id = s.person_id and m.tenant_id = s.current_tenant
         left join lateral (
           select id, reason, expires_at from tenant_accesses
           where person_id = s.person_id and tenant_id = s.current_tenant and ended_at is null and expires_at > now()
             and p.role = 'owner'
           order by expires_at desc limit 1
         ) a on m.person_id is null
         where s.token_sha256 = $1 and s.expires_at > now() and s.last_seen_at > now() - make_interval(secs => $2)",
    )
    .bind(token_sha256.as_slice())
    .bind(IDLE.as_secs_f64())
    .fetch_optional(connection)
    .await?)
}
