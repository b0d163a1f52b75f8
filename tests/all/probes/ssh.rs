//! Hosts that are asked whether SSH still lets in.

use std::time::Duration;

use probe::{Connector, Failure, Login, Names, SshKey};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use url::Host;

use super::door::{Door, Lets, fingerprint, key, text, users};
use super::names::Zone;
use super::site::{at_home, connector};

/// Far more than a host on this machine takes.
const LIMIT: Duration = Duration::from_secs(10);
/// What a peer that says nothing is waited for.
const SHORT: Duration = Duration::from_millis(300);
/// A hang guard only.
const GUARD: Duration = Duration::from_secs(60);

const P256: Algorithm = Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 };

fn host(seed: u64) -> PrivateKey {
    key(Algorithm::Ed25519, seed)
}

fn pin(key: &PrivateKey) -> [u8; 32] {
    key.fingerprint(HashAlg::Sha256).sha256().unwrap()
}

fn login(user: &str, key: &PrivateKey) -> Option<Login> {
    let key = SshKey::parse(&text(key)).ok().unwrap();
    Some(Login { user: user.to_owned(), key })
}

async fn ask(door: &Door, pinned: &PrivateKey, login: Option<Login>) -> Result<Duration, Failure> {
    ask_within(door, pinned, login, LIMIT).await
}

async fn ask_within(
    door: &Door,
    pinned: &PrivateKey,
    login: Option<Login>,
    limit: Duration,
) -> Result<Duration, Failure> {
    let home = Host::Ipv4([127, 0, 0, 1].into());
    at_home().ssh(&home, door.addr.port(), pin(pinned), login.as_ref(), limit).await
}

fn down(asked: Result<Duration, Failure>) -> String {
    match asked {
        Err(Failure::Down(why)) => why,
        other => panic!("the target is at fault: {other:?}"),
    }
}

#[tokio::test]
async fn whoever_holds_the_key_is_let_in_does_nothing_and_leaves() {
    for (host, user) in [
        (host(1), users(1)),
        (key(P256, 1), key(P256, 2)),
        (host(1), key(Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 }, 3)),
        (key(Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 }, 4), users(1)),
    ] {
        let door = Door::new(host.clone()).await;
        door.lets(Lets::In(Box::new(user.clone())));
        assert!(ask(&door, &host, login("monitor", &user)).await.unwrap() > Duration::ZERO);
        assert_eq!(door.until("said good-bye").await, ["connected", "monitor offers a key", "monitor signs", "is in"]);
    }
}

#[tokio::test]
async fn without_a_user_the_hosts_key_is_all_that_is_asked_for() {
    let door = Door::new(host(1)).await;
    ask(&door, &host(1), None).await.unwrap();
    assert_eq!(door.until("said good-bye").await, ["connected"]);
}

#[tokio::test]
async fn a_key_that_is_refused_and_a_user_that_is_unknown_are_down() {
    let door = Door::new(host(1)).await;
    let refused = "it does not let the user in with this key";
    for login in [login("monitor", &users(2)), login("nobody", &users(1))] {
        assert_eq!(down(ask(&door, &host(1), login).await), refused);
        assert!(!door.heard().iter().any(|heard| heard.ends_with("signs") || heard == "is in"));
    }
    door.lets(Lets::Further);
    let why = down(ask(&door, &host(1), login("monitor", &users(1))).await);
    assert_eq!(why, "it takes the key, and asks for more than a key");
}

#[tokio::test]
async fn a_host_that_does_not_answer_or_hangs_up_while_the_user_signs_in_did_not_refuse_the_key() {
    let door = Door::new(host(1)).await;
    door.lets(Lets::HungUp);
    let why = down(ask(&door, &host(1), login("monitor", &users(1))).await);
    assert_eq!(why, "it broke off while the user signed in");
    door.heard();
    door.lets(Lets::Silent);
    // Long enough for the exchange of keys, in a build for tests too.
    let limit = Duration::from_secs(2);
    let why = down(ask_within(&door, &host(1), login("monitor", &users(1)), limit).await);
    assert_eq!(why, "it neither let the user in nor refused within 2000 ms");
    door.lets(Lets::In(Box::new(users(1))));
    assert_eq!(door.heard(), ["connected", "monitor offers a key"]);
}

#[tokio::test]
async fn to_a_host_whose_key_changed_nobody_signs_in_and_both_fingerprints_are_told() {
    let door = Door::new(host(1)).await;
    door.shows(host(2));
    for user in [login("monitor", &users(1)), None] {
        let (shown, pinned) = (fingerprint(&host(2)), fingerprint(&host(1)));
        assert_eq!(
            down(ask(&door, &host(1), user).await),
            format!("its host key differs: it shows {shown} (ssh-ed25519), and {pinned} is pinned")
        );
        assert_eq!(door.until("broke off").await, ["connected"], "nobody was named to it, and no key was shown");
    }
}

/// A peer that does as it is told with its connection, and tells when we hang up.
async fn peer<F>(does: impl FnOnce(TcpStream) -> F + Send + 'static) -> (u16, oneshot::Receiver<()>)
where
    F: Future<Output = TcpStream> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (tell, told) = oneshot::channel();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = does(stream).await;
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        let _ = tell.send(());
    });
    (port, told)
}

#[tokio::test]
async fn who_says_nothing_something_else_or_no_end_of_it_is_down_and_is_hung_up_on() {
    const GREETING: &[u8] = b"SSH-2.0-Peer\r\n";
    let waited = "it took the connection and gave no whole answer within 300 ms";
    for (first, again, closes, limit, why) in [
        (&b""[..], &b""[..], false, SHORT, waited),
        (GREETING, b"", false, SHORT, waited),
        (b"Welcome to the host\r\n", b"", false, SHORT, waited),
        (b"", b"Another line\r\n", false, LIMIT, "what it answers is no SSH"),
        (b"", b"no line at all ", false, LIMIT, "what it answers is no SSH"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", true, LIMIT, "what it answers is no SSH"),
        (b"SSH-1.5-Old\r\n", b"", false, LIMIT, "it speaks an SSH that is older than 2.0"),
        (b"", b"", true, LIMIT, "it took the connection and closed it without an answer"),
        (b"hello\r\nSSH-2.0-Peer\r\n", b"", true, LIMIT, "it broke off before the keys were exchanged"),
    ] {
        let (port, hung_up) = peer(async move |mut stream| {
            let _ = stream.write_all(first).await;
            while !again.is_empty() && stream.write_all(again).await.is_ok() {}
            if closes {
                let _ = stream.shutdown().await;
            }
            stream
        })
        .await;
        let home = Host::Ipv4([127, 0, 0, 1].into());
        let asked = at_home().ssh(&home, port, pin(&host(1)), login("monitor", &users(1)).as_ref(), limit).await;
        assert_eq!(down(asked), why, "{} {}", first.escape_ascii(), again.escape_ascii());
        tokio::time::timeout(GUARD, hung_up).await.expect("nothing of ours goes on").unwrap();
    }
}

/// A packet of SSH before there are keys that says nothing (`SSH_MSG_IGNORE`).
fn nothing() -> Vec<u8> {
    let mut packet = vec![0, 0, 0, 12, 6, 2];
    packet.extend_from_slice(&[0; 10]);
    packet
}

#[tokio::test]
async fn who_greets_and_talks_on_without_an_end_is_hung_up_on() {
    let (port, hung_up) = peer(async |mut stream| {
        let _ = stream.write_all(b"SSH-2.0-Peer\r\n").await;
        while stream.write_all(&nothing()).await.is_ok() {}
        stream
    })
    .await;
    let home = Host::Ipv4([127, 0, 0, 1].into());
    let why = down(at_home().ssh(&home, port, pin(&host(1)), None, LIMIT).await);
    assert_eq!(why, "it talks without an end");
    tokio::time::timeout(GUARD, hung_up).await.expect("nothing of ours goes on").unwrap();
}

#[tokio::test]
async fn a_port_that_nobody_listens_at_is_down() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let home = Host::Ipv4([127, 0, 0, 1].into());
    let asked = at_home().ssh(&home, port, pin(&host(1)), None, LIMIT).await;
    assert_eq!(down(asked), "it refuses the connection");
}

#[tokio::test]
async fn nobody_signs_in_where_the_operator_does_not_allow_it_nor_where_a_name_leads_later() {
    let door = Door::new(host(1)).await;
    let port = door.addr.port();
    let asks = async |connector: &Connector, to: Host<String>| {
        let user = login("monitor", &users(1));
        connector.ssh(&to, port, pin(&host(1)), user.as_ref(), LIMIT).await
    };
    let stranger = connector(&[], Names::system());
    let why = asks(&stranger, Host::Ipv4([127, 0, 0, 1].into())).await.unwrap_err();
    assert!(matches!(&why, Failure::NotMade(why) if why.contains("--allow-egress")), "{why}");
    let zone = Zone::new(|_| vec![[93, 184, 216, 34], [127, 0, 0, 1]]).await;
    let why = asks(&connector(&[], zone.names()), Host::Domain("way-in.example".into())).await.unwrap_err();
    assert!(matches!(&why, Failure::NotMade(why) if why.starts_with("way-in.example leads to an address inside")));
    assert_eq!(door.heard(), [""; 0], "nobody connected");

    // Whoever looked the name up again would be led to another address.
    let zone = Zone::new(|asked| vec![if asked == 0 { [127, 0, 0, 1] } else { [127, 0, 0, 2] }]).await;
    let once = connector(&[&format!("127.0.0.1:{port}")], zone.names());
    asks(&once, Host::Domain("way-in.example".into())).await.unwrap();
    assert_eq!(zone.asked(), 1);
    assert!(door.until("said good-bye").await.contains(&"is in".to_owned()));
    let why = asks(&once, Host::Domain("way-in.example".into())).await.unwrap_err();
    assert!(matches!(why, Failure::NotMade(_)), "now it leads to where nobody is allowed to go");
}
