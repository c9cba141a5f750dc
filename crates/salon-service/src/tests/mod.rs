//! Whole conversations with the service over its link, on virtual time and a store in memory.

mod delivery;
mod fences;
mod joining;
mod kit;
mod messages;
mod presence;
mod rooms;
mod sessions;
mod unread;
