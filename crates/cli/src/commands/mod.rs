//! The commands: each reads its arguments, makes its calls, and hands what it learnt to `render`.

pub(crate) mod failure;
pub(crate) mod get;
pub(crate) mod init;
pub(crate) mod list;
pub(crate) mod operator;
pub(crate) mod put;
pub(crate) mod rm;
pub(crate) mod status;
pub(crate) mod totp;
pub(crate) mod vault;
