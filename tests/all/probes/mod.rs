//! What the server asks over the network itself, on real sockets.

mod guard;
mod loops;
mod names;
mod secrets;
mod site;
mod sockets;
