//! A web server that behaves as a test wants it to.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use probe::{Connector, Egress, Names};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

pub struct Site {
    pub addr: SocketAddr,
    hits: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Site {
    /// Reads each request's head, then lets `behave` go on with the connection.
    pub async fn new<F, B>(behave: B) -> Site
    where
        F: Future<Output = ()> + Send,
        B: Fn(TcpStream) -> F + Send + Sync + 'static,
    {
        Site::new_heard(move |_, stream| behave(stream)).await
    }

    /// As [`Site::new`]; `behave` is told the head.
    pub async fn new_heard<F, B>(behave: B) -> Site
    where
        F: Future<Output = ()> + Send,
        B: Fn(String, TcpStream) -> F + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let hits = Arc::new(AtomicUsize::new(0));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (counted, keeps, behave) = (hits.clone(), heard.clone(), Arc::new(behave));
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (behave, keeps) = (behave.clone(), keeps.clone());
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        match stream.read_u8().await {
                            Ok(byte) => head.push(byte),
                            Err(_) => return,
                        }
                    }
                    let head = String::from_utf8_lossy(&head).into_owned();
                    keeps.lock().unwrap().push(head.clone());
                    behave(head, stream).await;
                });
            }
        });
        Site { addr, hits, heard, task }
    }

    /// Always says this.
    pub async fn saying(answer: String) -> Site {
        Site::new(move |mut stream| {
            let answer = answer.clone();
            async move { drop(stream.write_all(answer.as_bytes()).await) }
        })
        .await
    }

    pub fn url(&self) -> Url {
        format!("http://{}/", self.addr).parse().unwrap()
    }

    /// The heads of all requests.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// How often somebody connected.
    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

/// An answer with this status and an empty body.
pub fn answer(status: u16) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n")
}

/// A redirect.
pub fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}

/// A connector whose operator allows `allowed`.
pub fn connector(allowed: &[&str], names: Names) -> Connector {
    let egress = Egress::new(allowed.iter().map(|text| text.parse().unwrap()).collect());
    Connector::new(egress, names, crate::support::monotonic()).unwrap()
}

/// One that may go to all of this machine.
pub fn at_home() -> Connector {
    connector(&["127.0.0.0/8"], Names::system())
}
