//! the short-lived token for one server and one tool.
