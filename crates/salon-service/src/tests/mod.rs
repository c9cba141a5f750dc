//! Whole conversations with the service, over its link.
