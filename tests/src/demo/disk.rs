//! How fast this machine's disk makes a write durable: what every lag has to be read against.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

/// How long it is measured.
const MEASURED: Duration = Duration::from_millis(500);

/// Durable writes of 4 KiB a second, one after another, in a folder.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn syncs_per_second(folder: &Path) -> Result<f64> {
    let mut file = File::create(folder.join("disk-speed"))?;
    let block = [0x5a; 4096];
    let began = Instant::now();
    let mut syncs = 0_u32;
    while began.elapsed() < MEASURED {
        file.write_all(&block)?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(f64::from(syncs) / began.elapsed().as_secs_f64())
}
