//! HTTP/1.1 and SSE framing.
