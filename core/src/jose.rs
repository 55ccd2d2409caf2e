//! compact JWS verification and key sets as data.
