//! what happened, as records that chain.
