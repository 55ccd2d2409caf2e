//! MCP eras, methods, headers and the typed operation.
