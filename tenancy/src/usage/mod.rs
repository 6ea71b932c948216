//! The ledger: one event for each metered act, never lost and never twice.
//!
//! An event lives in three places, in this order. When a call is admitted, its event is written to the server's
//! [`journal`], a file that survives the process: from then on something will be recorded, whatever happens. When the call
//! ends, the event with its real figures goes to the journal as well, and then, in batches, to Postgres, where one
//! transaction records the events, adds them to the hourly sums and to the budgets, and gives back what was set apart. What
//! the database has, the journal forgets. A server that starts reads the journals of those that died and records what they
//! left: recording is idempotent by the event's id.

mod event;
pub(crate) mod journal;
mod record;
mod recorder;
mod retention;
mod trace;

pub use event::{Details, Endpoint, Outcome, Tokens, UsageEvent};
pub(crate) use record::record;
pub(crate) use recorder::{Ended, Recorder, tell, write};
pub use retention::{retention, set_retention, sweep};
pub use trace::{Attempted, Stage, Trace, UsedChunk};
