//! The classes of attack, one file for each theme.

mod accepted;
mod algorithm;
mod claims;
mod form;
mod key;
mod signature;
mod time;
mod typ;

use crate::forge::Forge;

/// Adds every case.
pub(crate) fn all(forge: &mut Forge<'_>) {
    accepted::add(forge);
    algorithm::add(forge);
    key::add(forge);
    signature::add(forge);
    form::add(forge);
    typ::add(forge);
    time::add(forge);
    claims::add(forge);
}
