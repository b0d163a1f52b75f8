//! An organization's own mail relay: signed in with a secret, judged like every target, and never a reason to lose a mail.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::relay::{Login, Relay, Tls};
use domain::secret::Kind;
use engine::letters::Letters;
use engine::notify::{Notify, Own};
use keys::Secret;
use mail::{Mailer, Memory};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use store::{mail_relays, secrets};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::notify::{calling, sent};
use super::world::World;

/// What a relay was told.
#[derive(Default)]
struct Heard {
    logins: Vec<String>,
    mails: Vec<String>,
}

/// A relay that takes mails of whoever knows the password, and tells a wrong one to everybody.
struct Post {
    addr: SocketAddr,
    heard: Arc<Mutex<Heard>>,
}

/// What it does at a message's end.
#[derive(Clone, Copy)]
enum AtEnd {
    Takes,
    Dies,
}

impl Post {
    async fn start(password: &'static str, at_end: AtEnd) -> Post {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let hears = heard.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(dialogue(stream, password, at_end, hears.clone()));
            }
        });
        Post { addr, heard }
    }

    fn logins(&self) -> Vec<String> {
        self.heard.lock().unwrap().logins.clone()
    }

    fn mails(&self) -> Vec<String> {
        self.heard.lock().unwrap().mails.clone()
    }
}

async fn dialogue(stream: TcpStream, password: &str, at_end: AtEnd, heard: Arc<Mutex<Heard>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 post\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let said = line.trim_end();
        let answer = if said.starts_with("EHLO") {
            "250-post\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n".to_owned()
        } else if let Some(told) = said.strip_prefix("AUTH PLAIN ") {
            let told = String::from_utf8(STANDARD.decode(told).unwrap()).unwrap();
            heard.lock().unwrap().logins.push(told.replace('\0', " ").trim().to_owned());
            let shown = told.rsplit('\0').next().unwrap_or_default();
            if shown == password { "235 yes\r\n".to_owned() } else { format!("535 {shown} is wrong\r\n") }
        } else if said == "DATA" {
            stream.write_all(b"354 go on\r\n").await?;
            let mut mail = String::new();
            while !mail.ends_with("\r\n.\r\n") {
                stream.read_line(&mut mail).await?;
            }
            heard.lock().unwrap().mails.push(mail);
            match at_end {
                AtEnd::Takes => "250 taken\r\n".to_owned(),
                AtEnd::Dies => return Ok(()),
            }
        } else {
            "250 yes\r\n".to_owned()
        };
        stream.write_all(answer.as_bytes()).await?;
    }
}

impl World {
    /// The organization's relay is `post`, and its secret says `password`.
    async fn relays(&mut self, notify: &Notify, post: &Post, password: &str) {
        let mut tx = self.tx().await;
        let (value, mut rng) = (Secret::new(password.to_owned()), StdRng::seed_from_u64(2));
        let new = secrets::New { name: "relay", kind: Kind::SmtpPassword, value: &value, by: "Owner" };
        secrets::insert(&mut tx, &notify.own.master, &mut rng, &new).await.unwrap();
        let relay = Relay {
            host: "127.0.0.1".to_owned(),
            port: post.addr.port(),
            tls: Tls::Starttls,
            sender: "alerts@msp.example".to_owned(),
            login: Some(Login { user: "alerts".to_owned(), secret: "relay".to_owned() }),
        };
        mail_relays::set(&mut tx, &relay, "Owner").await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The mail is due once more.
    async fn again(&mut self, notify: &Notify) {
        self.change("UPDATE outbox SET state = 'queued', due_at = created_at, ended_at = NULL, attempts = 0").await;
        self.change(
            "INSERT INTO tenant_wakeups (tenant_id, queue, due_at) SELECT tenant_id, 'notify', created_at FROM tenants",
        )
        .await;
        self.work(notify).await;
    }

    async fn refusal(&mut self) -> Option<String> {
        self.one("SELECT refusal FROM mail_relays").await
    }
}

#[tokio::test]
async fn mails_go_by_the_organizations_own_relay_signed_in_with_its_secret() {
    let (mut w, notify, mailer) = calling().await;
    let post = Post::start("canary-1", AtEnd::Takes).await;
    w.relays(&notify, &post, "canary-1").await;
    w.work(&notify).await;
    assert_eq!(post.logins(), ["alerts canary-1"]);
    let mails = post.mails();
    assert!(
        mails.len() == 1 && mails[0].contains("From: alerts@msp.example") && !mails[0].contains("canary"),
        "{mails:?}"
    );
    assert_eq!(w.list("SELECT state FROM outbox").await, ["sent"]);
    assert!(sent(&mailer).is_empty(), "the server's relay is not needed");
    assert_eq!((w.refusal().await, w.one::<i64>("SELECT count(*) FROM letters").await), (None, 0));
    assert_eq!(w.one::<i64>("SELECT count(*) FROM secrets WHERE used_at IS NOT NULL").await, 1);
}

#[tokio::test]
async fn a_refused_login_loses_no_mail_and_is_told_to_the_owners_once_a_day_without_the_password() {
    let (mut w, notify, mailer) = calling().await;
    let post = Post::start("canary-1", AtEnd::Takes).await;
    w.relays(&notify, &post, "canary-2").await;
    w.work(&notify).await;
    assert!(post.mails().is_empty());
    let mails = sent(&mailer);
    assert_eq!(mails.len(), 1, "it went by the server's relay");
    assert_eq!(mails[0].from, "Mendwright <mend@harbour.example>", "from the server's own address");
    assert_eq!(w.list("SELECT state FROM outbox").await, ["sent"]);
    let refusal = w.refusal().await.unwrap();
    assert!(refusal.contains("is wrong") && !refusal.contains("canary"), "{refusal}");
    let told = "SELECT address || ' ' || (facts->>'what') FROM letters";
    assert_eq!(w.list(told).await, ["owner@harbour.example relay refuses"]);
    let memory = Memory::default();
    let letters = Letters {
        mailer: Arc::new(Mailer::Memory(memory.clone())),
        sender: "mend@harbour.example".to_owned(),
        public_url: "https://mend.harbour.example".to_owned(),
        mint: Arc::new(|kind| keys::token::mint(kind, &mut StdRng::seed_from_u64(1))),
    };
    assert_eq!(letters.pass(&w.store).await.unwrap(), 1);
    let letter = memory.sent().remove(0);
    assert_eq!(letter.subject, "The mail relay of Harbour does not take its mails");
    assert!(letter.text.contains("https://mend.harbour.example/settings/mail") && letter.text.contains("is wrong"));
    assert!(!letter.text.contains("canary") && !letter.html.contains("canary"));
    for table in ["letters", "outbox", "audit", "tenant_audit", "mail_relays"] {
        assert_eq!(w.list(&format!("SELECT t::text FROM {table} t WHERE t::text LIKE '%canary%'")).await, [""; 0]);
    }

    // Another mail within the day is told no more; a day later it is. The next one that is taken ends it.
    for (pass, letters) in [(3_600, 1), (86_400, 2)] {
        w.pass(pass);
        w.again(&notify).await;
        assert_eq!(w.one::<i64>("SELECT count(*) FROM letters").await, letters);
    }
    let mut tx = w.tx().await;
    let stored = secrets::list(&mut tx).await.unwrap().pop().unwrap();
    let (value, mut rng) = (Secret::new("canary-1".to_owned()), StdRng::seed_from_u64(3));
    secrets::replace(&mut tx, &notify.own.master, &mut rng, &stored, &value, "Owner").await.unwrap();
    tx.commit().await.unwrap();
    w.again(&notify).await;
    assert_eq!((post.mails().len(), w.refusal().await), (1, None));
}

#[tokio::test]
async fn a_mail_in_doubt_is_tried_again_there_and_not_sent_twice_by_two_ways() {
    let (mut w, notify, mailer) = calling().await;
    let post = Post::start("canary", AtEnd::Dies).await;
    w.relays(&notify, &post, "canary").await;
    w.work(&notify).await;
    assert_eq!((post.mails().len(), sent(&mailer).len()), (1, 0));
    assert_eq!(w.one::<i64>("SELECT count(*) FROM outbox WHERE ended_at IS NULL").await, 1);
    assert_eq!(w.refusal().await, None);
}

#[tokio::test]
async fn a_relay_inside_and_one_whose_secret_is_missing_are_not_connected_to() {
    let (mut w, notify, mailer) = calling().await;
    let post = Post::start("canary", AtEnd::Takes).await;
    w.relays(&notify, &post, "canary").await;
    let egress = probe::Egress::new(Vec::new());
    let connector = probe::Connector::new(egress, probe::Names::system(), crate::support::monotonic()).unwrap();
    let closed = Notify { own: Own { connector, ..notify.own.clone() }, ..notify.clone() };
    w.work(&closed).await;
    assert!(post.logins().is_empty() && sent(&mailer).len() == 1);
    assert!(w.refusal().await.unwrap().contains("--allow-egress"));

    w.change("DELETE FROM secrets").await;
    w.again(&notify).await;
    assert!(post.logins().is_empty() && sent(&mailer).len() == 2);
    assert_eq!(w.refusal().await.unwrap(), "its secret “relay” is not there: somebody has to set it");
}
