//! Models on the hub: found by their names, and downloaded from a server on this machine, which also
//! misbehaves.

#[cfg(feature = "hub")]
mod known;
mod names;
#[cfg(feature = "hub")]
pub mod server;
#[cfg(feature = "hub")]
mod downloads;
#[cfg(feature = "hub")]
mod misbehaving;
#[cfg(feature = "hub")]
mod processes;
