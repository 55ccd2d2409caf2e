//! who calls: agent and user, each verified alone, then the link between them.
