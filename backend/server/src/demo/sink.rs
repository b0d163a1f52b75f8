//! An SMTP server that keeps what it is given: the demo's mailbox, and the relay of the tests.
//!
//! It speaks the real dialogue, counts deliveries of one Message-ID as one message, and can be told to refuse or to die
//! at the places where a mailer must know what to do. Depends on nothing else of this crate.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use mail_parser::MessageParser;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// One message; larger ones are refused with 552, as a relay does.
const LARGEST_MESSAGE: usize = 1024 * 1024;
/// One line of a command or a message, with its end.
const LONGEST_LINE: u64 = 4096;
const MOST_RECIPIENTS: usize = 100;
/// Messages kept; the oldest goes first.
const MOST_MESSAGES: usize = 1000;
const MOST_CONNECTIONS: usize = 64;
/// A silent client is dropped.
const SILENCE: Duration = Duration::from_secs(60);

/// What goes wrong, once, at the next dialogue that gets there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// RCPT is answered with this code (4xx or 5xx).
    Recipient(u16),
    /// DATA is answered with this code.
    Data(u16),
    /// The message's end is answered with this code; nothing is kept.
    Message(u16),
    /// The connection dies in the middle of the message; nothing is kept.
    DeathInMessage,
    /// The message is kept, and the connection dies before the 250.
    DeathBeforeAnswer,
}

/// A message that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// With its brackets; empty if it has none.
    pub message_id: String,
    /// The dialogue's sender.
    pub from: String,
    /// The dialogue's receivers.
    pub to: Vec<String>,
    /// The header's receivers, as addresses.
    pub header_to: Vec<String>,
    /// When it was sent, as its header says.
    pub sent_at: Option<Timestamp>,
    /// Decoded.
    pub subject: String,
    /// The plain text, decoded.
    pub text: String,
    /// The page, decoded.
    pub html: String,
    /// As it came, without the dialogue's dots.
    pub raw: Vec<u8>,
    /// How often this Message-ID arrived.
    pub deliveries: u32,
}

#[derive(Debug)]
struct Shared {
    messages: Mutex<VecDeque<Received>>,
    faults: Mutex<VecDeque<Fault>>,
    /// The Message-ID of each message that came whole.
    transmitted: Mutex<VecDeque<String>>,
    /// Distinct messages so far, those that were dropped for room included.
    count: watch::Sender<usize>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running sink; dropping it closes every connection.
#[derive(Debug)]
pub struct Sink {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sink {
    /// Listens on `bind` (port 0: one from the kernel) and says where.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn start(bind: SocketAddr) -> io::Result<(SocketAddr, Self)> {
        let listener = TcpListener::bind(bind).await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            messages: Mutex::default(),
            faults: Mutex::default(),
            transmitted: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let task = tokio::spawn(accept(listener, shared.clone()));
        Ok((addr, Self { shared, task }))
    }

    /// What was kept, oldest first.
    pub fn messages(&self) -> Vec<Received> {
        locked(&self.shared.messages).iter().cloned().collect()
    }

    /// The Message-ID of each message that came whole, kept or refused, in order.
    pub fn transmitted(&self) -> Vec<String> {
        locked(&self.shared.transmitted).iter().cloned().collect()
    }

    /// The next dialogue that gets there meets this fault; several of one kind are met in turn.
    pub fn script(&self, fault: Fault) {
        locked(&self.shared.faults).push_back(fault);
    }

    /// Waits until `n` messages have arrived, each Message-ID counted once.
    pub async fn wait_for(&self, n: usize) -> Vec<Received> {
        // The sender lives in `self`, so this ends only when the condition holds.
        let _ = self.shared.count.subscribe().wait_for(|count| *count >= n).await;
        self.messages()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut dialogues = JoinSet::new();
    loop {
        while dialogues.len() >= MOST_CONNECTIONS {
            dialogues.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let shared = shared.clone();
                    dialogues.spawn(async move {
                        // How a client's connection ends concerns nobody here.
                        let _ = Dialogue::new(stream, shared).run().await;
                    });
                }
            }
            Some(_) = dialogues.join_next() => {}
        }
    }
}

/// What has been said since MAIL.
#[derive(Debug, Default)]
struct Transaction {
    from: Option<String>,
    to: Vec<String>,
}

struct Dialogue {
    stream: BufReader<TcpStream>,
    shared: Arc<Shared>,
    transaction: Transaction,
}

/// Whether the dialogue goes on.
enum Next {
    Command,
    Close,
}

/// How a message's lines ended.
enum Body {
    Whole(Vec<u8>),
    TooLarge,
    Cut,
}

impl Dialogue {
    fn new(stream: TcpStream, shared: Arc<Shared>) -> Self {
        Self { stream: BufReader::new(stream), shared, transaction: Transaction::default() }
    }

    async fn run(mut self) -> io::Result<()> {
        self.say("220 mailbox.localhost ESMTP").await?;
        while let Some(line) = self.line().await? {
            let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            if matches!(self.command(&line).await?, Next::Close) {
                break;
            }
        }
        self.stream.shutdown().await
    }

    async fn command(&mut self, line: &str) -> io::Result<Next> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                self.transaction = Transaction::default();
                let hello = format!(
                    "250-mailbox.localhost\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE {LARGEST_MESSAGE}"
                );
                self.say(&hello).await?;
            }
            "HELO" => {
                self.transaction = Transaction::default();
                self.say("250 mailbox.localhost").await?;
            }
            "MAIL" => self.mail(rest).await?,
            "RCPT" => self.rcpt(rest).await?,
            "DATA" => return self.data().await,
            "RSET" => {
                self.transaction = Transaction::default();
                self.say("250 forgotten").await?;
            }
            "NOOP" => self.say("250 yes").await?,
            "VRFY" => self.say("252 send it, and see").await?,
            "QUIT" => {
                self.say("221 bye").await?;
                return Ok(Next::Close);
            }
            _ => self.say("500 not understood").await?,
        }
        Ok(Next::Command)
    }

    async fn mail(&mut self, rest: &str) -> io::Result<()> {
        if self.transaction.from.is_some() {
            return self.say("503 one sender a mail").await;
        }
        let Some((address, parameters)) = path(rest, "FROM:") else { return self.say("501 MAIL FROM:<address>").await };
        let size = parameters.split_whitespace().find_map(|word| {
            word.to_ascii_uppercase().strip_prefix("SIZE=").and_then(|size| size.parse::<usize>().ok())
        });
        if size.is_some_and(|size| size > LARGEST_MESSAGE) {
            return self.say("552 too large").await;
        }
        self.transaction.from = Some(address);
        self.say("250 go on").await
    }

    async fn rcpt(&mut self, rest: &str) -> io::Result<()> {
        if self.transaction.from.is_none() {
            return self.say("503 MAIL first").await;
        }
        let Some((address, _)) = path(rest, "TO:").filter(|(address, _)| !address.is_empty()) else {
            return self.say("501 RCPT TO:<address>").await;
        };
        if let Some(code) = self.fault(|fault| if let Fault::Recipient(code) = fault { Some(code) } else { None }) {
            return self.say(&format!("{code} scripted at RCPT")).await;
        }
        if self.transaction.to.len() >= MOST_RECIPIENTS {
            return self.say("452 too many receivers").await;
        }
        self.transaction.to.push(address);
        self.say("250 go on").await
    }

    async fn data(&mut self) -> io::Result<Next> {
        if self.transaction.to.is_empty() {
            self.say("503 RCPT first").await?;
            return Ok(Next::Command);
        }
        let transaction = std::mem::take(&mut self.transaction);
        if let Some(code) = self.fault(|fault| if let Fault::Data(code) = fault { Some(code) } else { None }) {
            self.say(&format!("{code} scripted at DATA")).await?;
            return Ok(Next::Command);
        }
        self.say("354 end with a dot alone").await?;
        if self.fault(|fault| (fault == Fault::DeathInMessage).then_some(())).is_some() {
            return Ok(Next::Close);
        }
        let body = match self.body().await? {
            Body::Whole(body) => body,
            Body::TooLarge => {
                self.say("552 too large").await?;
                return Ok(Next::Command);
            }
            Body::Cut => return Ok(Next::Close),
        };
        let message = received(transaction, body);
        self.note(message.message_id.clone());
        if let Some(code) = self.fault(|fault| if let Fault::Message(code) = fault { Some(code) } else { None }) {
            self.say(&format!("{code} scripted at the message's end")).await?;
            return Ok(Next::Command);
        }
        let dies = self.fault(|fault| (fault == Fault::DeathBeforeAnswer).then_some(())).is_some();
        let deliveries = self.keep(message);
        if dies {
            return Ok(Next::Close);
        }
        self.say(&format!("250 kept, delivery {deliveries}")).await?;
        Ok(Next::Command)
    }

    /// Lines up to the dot alone; a dot that begins a line was doubled by the client.
    async fn body(&mut self) -> io::Result<Body> {
        let mut body = Vec::new();
        let mut fits = true;
        loop {
            let Some(line) = self.line().await? else { return Ok(Body::Cut) };
            if line == b".\r\n" || line == b".\n" {
                return Ok(if fits { Body::Whole(body) } else { Body::TooLarge });
            }
            let line = line.strip_prefix(b".").unwrap_or(&line);
            fits = fits && body.len() + line.len() <= LARGEST_MESSAGE;
            if fits {
                body.extend_from_slice(line);
            }
        }
    }

    fn note(&self, message_id: String) {
        let mut transmitted = locked(&self.shared.transmitted);
        if transmitted.len() >= MOST_MESSAGES {
            transmitted.pop_front();
        }
        transmitted.push_back(message_id);
    }

    fn keep(&self, message: Received) -> u32 {
        let mut messages = locked(&self.shared.messages);
        let known =
            messages.iter_mut().find(|known| !known.message_id.is_empty() && known.message_id == message.message_id);
        let (new, deliveries) = match known {
            Some(known) => {
                known.deliveries += 1;
                (0, known.deliveries)
            }
            None => {
                if messages.len() >= MOST_MESSAGES {
                    messages.pop_front();
                }
                messages.push_back(message);
                (1, 1)
            }
        };
        drop(messages);
        self.shared.count.send_modify(|count| *count += new);
        deliveries
    }

    /// Takes the first scripted fault of a kind.
    fn fault<T>(&self, kind: impl Fn(Fault) -> Option<T>) -> Option<T> {
        let mut faults = locked(&self.shared.faults);
        let (index, found) = faults.iter().enumerate().find_map(|(index, fault)| Some((index, kind(*fault)?)))?;
        faults.remove(index);
        Some(found)
    }

    /// `None`: the client is gone, or silent, or sends a line without an end.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LONGEST_LINE);
        let Ok(read) = timeout(SILENCE, limited.read_until(b'\n', &mut line)).await else { return Ok(None) };
        read?;
        Ok(line.ends_with(b"\n").then_some(line))
    }

    async fn say(&mut self, line: &str) -> io::Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }
}

/// `FROM:<a@b> SIZE=1` gives `a@b` and `SIZE=1`.
fn path(rest: &str, keyword: &str) -> Option<(String, String)> {
    let after =
        rest.get(..keyword.len()).filter(|word| word.eq_ignore_ascii_case(keyword)).map(|_| &rest[keyword.len()..])?;
    let (address, parameters) = after.trim_start().strip_prefix('<')?.split_once('>')?;
    Some((address.to_owned(), parameters.trim().to_owned()))
}

fn received(transaction: Transaction, raw: Vec<u8>) -> Received {
    let parsed = MessageParser::default().parse(&raw);
    let text = |value: Option<std::borrow::Cow<'_, str>>| value.map(std::borrow::Cow::into_owned).unwrap_or_default();
    let mut message = Received {
        message_id: String::new(),
        from: transaction.from.unwrap_or_default(),
        to: transaction.to,
        header_to: Vec::new(),
        sent_at: None,
        subject: String::new(),
        text: String::new(),
        html: String::new(),
        raw: Vec::new(),
        deliveries: 1,
    };
    if let Some(mail) = parsed {
        message.message_id = mail.message_id().map(|id| format!("<{id}>")).unwrap_or_default();
        message.subject = mail.subject().unwrap_or_default().to_owned();
        message.sent_at = mail.date().and_then(|date| Timestamp::from_second(date.to_timestamp()).ok());
        message.text = text(mail.body_text(0));
        message.html = text(mail.body_html(0));
        let to = mail.to().into_iter().flat_map(|to| to.iter());
        message.header_to = to.filter_map(|to| to.address().map(str::to_owned)).collect();
    }
    message.raw = raw;
    message
}
