//! SQL of the lines of batches.

use insula_tenancy::{RequestBatchId, TenantTx};

use crate::Result;

/// Bytes of answers that are read at once.
const PAGE_BYTES: i64 = 4 * 1024 * 1024;

/// What is left of batches that failed for our reasons, and that nobody has tried again. For housekeeping: `$1` rows at most,
/// of batches that failed longer than `$2` ago.
pub(crate) const ENDED_BATCH_LINES: &str = "delete from batch_lines where (batch_id, line) in (
   select l.batch_id, l.line from batch_lines l join batches b on b.tenant_id = l.tenant_id and b.id = l.batch_id
   where b.failed_at < now() - $2::text::interval and l.events is null limit $1)";

/// What became of a line.
pub(super) struct Written {
    pub(super) line: i64,
    pub(super) attempts: i32,
    /// The status and the line of the answer, if it is one to keep.
    pub(super) done: Option<(i32, String)>,
    /// What is charged for it.
    pub(super) events: Option<String>,
}

/// Writes lines down. The calls of an attempt are added to those of the ones before.
pub(super) async fn write(tx: &mut TenantTx, id: RequestBatchId, lines: &[Written]) -> Result<()> {
    let statuses = lines
        .iter()
        .map(|line| line.done.as_ref().map(|(status, _)| *status));
    let outputs = lines
        .iter()
        .map(|line| line.done.as_ref().map(|(_, output)| output.as_str()));
    sqlx::query(
        "insert into batch_lines as l (batch_id, line, attempts, status_code, output, events)
         select $1, u.line, u.attempts, u.status_code, u.output, u.events
         from unnest($2::bigint[], $3::int[], $4::int[], $5::text[], $6::text[])
              as u (line, attempts, status_code, output, events)
         on conflict (tenant_id, batch_id, line) do update set
           attempts = excluded.attempts, status_code = excluded.status_code, output = excluded.output,
           events = nullif(concat_ws(e'\\n', l.events, excluded.events), '')",
    )
    .bind(id)
    .bind(lines.iter().map(|line| line.line).collect::<Vec<i64>>())
    .bind(lines.iter().map(|line| line.attempts).collect::<Vec<i32>>())
    .bind(statuses.collect::<Vec<Option<i32>>>())
    .bind(outputs.collect::<Vec<Option<&str>>>())
    .bind(
        lines
            .iter()
            .map(|line| line.events.as_deref())
            .collect::<Vec<Option<&str>>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What is known of a line that was tried.
#[derive(sqlx::FromRow)]
pub(super) struct Tried {
    pub(super) line: i64,
    pub(super) attempts: i32,
    pub(super) is_done: bool,
}

/// What is known of the lines from one on.
pub(super) async fn tried(tx: &mut TenantTx, id: RequestBatchId, from: i64) -> Result<Vec<Tried>> {
    Ok(sqlx::query_as(
        "select line, attempts, output is not null as is_done from batch_lines where batch_id = $1 and line >= $2",
    )
    .bind(id)
    .bind(from)
    .fetch_all(&mut **tx)
    .await?)
}

/// Lines whose calls are not known to be on the ledger, some of them: each with a list of calls per attempt.
pub(super) async fn unrecorded(tx: &mut TenantTx, id: RequestBatchId) -> Result<Vec<(i64, String)>> {
    Ok(sqlx::query_as(
        "select line, events from batch_lines where batch_id = $1 and events is not null order by line limit 500",
    )
    .bind(id)
    .fetch_all(&mut **tx)
    .await?)
}

/// Forgets calls that are on the ledger.
pub(super) async fn forget_events(tx: &mut TenantTx, id: RequestBatchId, lines: &[i64]) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    sqlx::query("update batch_lines set events = null where batch_id = $1 and line = any ($2)")
        .bind(id)
        .bind(lines)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The next answers of one sort in the order of their lines: at least one, and not many more bytes than [`PAGE_BYTES`].
pub(super) async fn answers(
    tx: &mut TenantTx,
    id: RequestBatchId,
    good: bool,
    after: i64,
) -> Result<Vec<(i64, String)>> {
    Ok(sqlx::query_as(
        "with sized as (
           select line, sum(octet_length(output)) over (order by line) - octet_length(output) as before
           from (select line, output from batch_lines
                 where batch_id = $1 and line > $2 and output is not null and (status_code = 200) = $3
                 order by line limit 1000) next)
         select l.line, l.output from sized s join batch_lines l on l.batch_id = $1 and l.line = s.line
         where s.before < $4 order by l.line",
    )
    .bind(id)
    .bind(after)
    .bind(good)
    .bind(PAGE_BYTES)
    .fetch_all(&mut **tx)
    .await?)
}

/// The lines that are done.
pub(super) async fn done(tx: &mut TenantTx, id: RequestBatchId) -> Result<Vec<i64>> {
    Ok(
        sqlx::query_scalar("select line from batch_lines where batch_id = $1 and output is not null")
            .bind(id)
            .fetch_all(&mut **tx)
            .await?,
    )
}

/// Forgets all lines: they are in the batch's files.
pub(super) async fn delete(tx: &mut TenantTx, id: RequestBatchId) -> Result<()> {
    sqlx::query("delete from batch_lines where batch_id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
