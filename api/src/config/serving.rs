//! How tenants' own models are run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use insula_core::prediction::PredictionSettings;
use insula_serving::{ModelLimits, PoolOptions};
use insula_tenancy::Money;

use super::value::{at_least_one, duration, model_memory};

const MIB: u64 = 1024 * 1024;

/// How tenants' own models are run, each in a process of its own.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Tenants' own models")]
pub(crate) struct ServingArgs {
    /// Models that are loaded at once; the one that was asked the longest ago makes room
    #[arg(long, env = "INSULA_SERVING_PROCESSES", default_value_t = 8, value_parser = at_least_one)]
    pub serving_processes: usize,
    /// Of them, those of one tenant
    #[arg(long, env = "INSULA_SERVING_TENANT_PROCESSES", default_value_t = 4, value_parser = at_least_one)]
    pub serving_tenant_processes: usize,
    /// Memory that one model may take, in MiB
    #[arg(long, env = "INSULA_SERVING_MEMORY", default_value_t = 2048, value_parser = model_memory)]
    pub serving_memory: u64,
    /// Memory that all of them may take together, in MiB
    #[arg(long, env = "INSULA_SERVING_TOTAL_MEMORY", default_value_t = 8192, value_parser = model_memory)]
    pub serving_total_memory: u64,
    /// How long a model may take for a request
    #[arg(long, env = "INSULA_SERVING_TIME", default_value = "30s", value_parser = duration)]
    pub serving_time: Duration,
    /// How long a model may take to be loaded
    #[arg(long, env = "INSULA_SERVING_LOAD_TIME", default_value = "120s", value_parser = duration)]
    pub serving_load_time: Duration,
    /// Threads of each model. Absent: half the cores
    #[arg(long, env = "INSULA_SERVING_THREADS", value_parser = at_least_one)]
    pub serving_threads: Option<usize>,
    /// How long a model may have nothing to do before its process is stopped
    #[arg(long, env = "INSULA_SERVING_IDLE", default_value = "10m", value_parser = duration)]
    pub serving_idle: Duration,
    /// Rows of calls that are put together at most, where they came while the model was busy
    #[arg(long, env = "INSULA_SERVING_BATCH_ROWS", default_value_t = 64, value_parser = at_least_one)]
    pub serving_batch_rows: usize,
    /// What a prediction costs the tenant, in US dollars
    #[arg(long, env = "INSULA_PREDICTION_PRICE", default_value = "0", value_name = "USD", value_parser = price)]
    pub prediction_price: Money,
}

fn price(text: &str) -> Result<Money, String> {
    match text.trim().parse::<Money>() {
        Ok(money) if money >= Money::ZERO => Ok(money),
        _ => Err("must be an amount in US dollars, as in 0.0001".into()),
    }
}

impl ServingArgs {
    /// How they are run, by this shared library of ONNX Runtime.
    pub(crate) fn options(&self, library: PathBuf) -> PoolOptions {
        let limits = ModelLimits::default();
        PoolOptions {
            library: full(library),
            limits: ModelLimits {
                memory: self.serving_memory * MIB,
                wall: self.serving_time,
                load: self.serving_load_time,
                threads: self.serving_threads.unwrap_or(limits.threads),
                ..limits
            },
            workers: self.serving_processes,
            workers_per_tenant: self.serving_tenant_processes,
            memory: self.serving_total_memory * MIB,
            idle_for: self.serving_idle,
            batch_rows: self.serving_batch_rows,
            ..PoolOptions::default()
        }
    }

    /// Bounds and prices of what they predict.
    pub(crate) fn predictions(&self) -> PredictionSettings {
        PredictionSettings {
            price: self.prediction_price,
            ..PredictionSettings::default()
        }
    }
}

/// With its full path: it is loaded by a process in another folder.
pub(crate) fn full(library: PathBuf) -> PathBuf {
    std::path::absolute(Path::new(&library)).unwrap_or(library)
}
