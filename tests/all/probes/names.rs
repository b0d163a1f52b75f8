//! A name server that answers as a test wants it to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use probe::Names;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

const A: [u8; 2] = [0, 1];

pub struct Zone {
    addr: SocketAddr,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Zone {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Zone {
    /// Every name has the IPv4 addresses that `answer` gives to the question's number, from 0; no name has another.
    pub async fn new(answer: impl Fn(usize) -> Vec<[u8; 4]> + Send + 'static) -> Zone {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let task = tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let Some((question, kind)) = question(&buffer[..length]) else { continue };
                let addresses = if kind == A { answer(counted.fetch_add(1, Ordering::SeqCst)) } else { Vec::new() };
                let mut reply = buffer[..2].to_vec();
                // An answer, and without addresses: no such name.
                reply.extend_from_slice(&[0x81, if addresses.is_empty() && kind == A { 0x83 } else { 0x80 }]);
                reply.extend_from_slice(&[0, 1, 0, u8::try_from(addresses.len()).unwrap(), 0, 0, 0, 0]);
                reply.extend_from_slice(question);
                for address in addresses {
                    // The question's name, A, IN, for 0 s, four bytes.
                    reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
                    reply.extend_from_slice(&address);
                }
                drop(socket.send_to(&reply, from).await);
            }
        });
        Zone { addr, asked, task }
    }

    pub fn names(&self) -> Names {
        Names::of(self.addr)
    }

    /// How often an address was asked for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// The question's bytes, and its kind.
fn question(message: &[u8]) -> Option<(&[u8], [u8; 2])> {
    let mut end = 12;
    while *message.get(end)? != 0 {
        end += usize::from(message[end]) + 1;
    }
    Some((message.get(12..end + 5)?, message.get(end + 1..end + 3)?.try_into().ok()?))
}
