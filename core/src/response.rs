//! what comes back: lists filtered, everything else under limits.
