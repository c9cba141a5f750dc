//! The door over real TCP, with a store in memory. What depends on long times is tested behind the sockets, in virtual
//! time: see `door`.

mod bounds;
mod door;
mod ending;
mod kit;
mod listening;
mod talking;
mod unary;
mod web;
