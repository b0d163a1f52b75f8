//! What the server asks over the network itself, on real sockets.

mod door;
mod guard;
mod loops;
mod names;
mod secrets;
mod site;
mod sockets;
mod ssh;
mod way_in;
