//! Which edition this binary is. The one shipped file that knows; everything else holds what is exported here.
//!
//! Both crates export the same names and assert their shape against `clavitor_core::edition`.

cfg_if::cfg_if! {
    if #[cfg(feature = "commercial")] {
        pub use clavitor_commercial::{NAME, REPLICATES};
        pub(crate) use clavitor_commercial::{check_config, offline, open};
    } else {
        pub use clavitor_community::{NAME, REPLICATES};
        pub(crate) use clavitor_community::{check_config, offline, open};
    }
}
