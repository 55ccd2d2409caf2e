//! One immutable bundle of everything a decision reads: trust, policy, catalog, minting keys, denylist.
