//! REST under `/api/v1` (PROTOCOL §4), as a router that a gateway or the service's own listener calls.
