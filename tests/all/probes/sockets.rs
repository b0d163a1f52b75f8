//! Targets that misbehave.

use std::time::Duration;

use probe::{BODY_LIMIT, Failure, Headers};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use url::Host;

use super::site::{Site, answer, at_home, redirect};

/// Far more than an answer from this machine takes.
const LIMIT: Duration = Duration::from_secs(10);
/// What a target that never answers is waited for.
const SHORT: Duration = Duration::from_millis(300);

fn down(failure: Failure) -> String {
    match failure {
        Failure::Down(why) => why,
        Failure::NotMade(why) => panic!("the target is at fault: {why}"),
    }
}

async fn http(site: &Site, limit: Duration) -> Result<probe::Answer, Failure> {
    at_home().http(&site.url(), &Headers::default(), 5, limit).await
}

#[tokio::test]
async fn an_answer_comes_with_its_status_and_its_body() {
    let site = Site::saying("HTTP/1.1 500 Broken\r\ncontent-length: 5\r\n\r\nworse".into()).await;
    let answer = http(&site, LIMIT).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (500, &b"worse"[..]));
}

#[tokio::test]
async fn a_port_that_nobody_listens_at_is_down() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let host: Host<String> = Host::Ipv4([127, 0, 0, 1].into());
    at_home().tcp(&host, addr.port(), LIMIT).await.unwrap();
    drop(listener);
    assert!(down(at_home().tcp(&host, addr.port(), LIMIT).await.unwrap_err()).contains("refuses"));
    let url = format!("http://{addr}/").parse().unwrap();
    assert!(down(at_home().http(&url, &Headers::default(), 5, LIMIT).await.unwrap_err()).contains("refuses"));
}

#[tokio::test]
async fn a_service_that_hangs_after_it_took_the_connection_is_down() {
    // Nobody even accepts: the kernel takes the connection, as it does for a frozen process.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let why = down(at_home().http(&url, &Headers::default(), 5, SHORT).await.unwrap_err());
    assert_eq!(why, "it took the connection and gave no whole answer within 300 ms");
}

#[tokio::test]
async fn slow_headers_and_a_slow_body_do_not_hold_us_longer_than_the_limit() {
    for begin in ["HTTP/1.1 200 OK\r\nx: ", "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"] {
        let site = Site::new(move |mut stream| async move {
            drop(stream.write_all(begin.as_bytes()).await);
            while stream.write_all(b"y").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await; // the peer that trickles, not a wait of this test
            }
        })
        .await;
        assert!(down(http(&site, SHORT).await.unwrap_err()).contains("no whole answer"), "{begin}");
    }
}

#[tokio::test]
async fn a_head_without_end_and_what_is_no_http_are_down() {
    let endless = Site::new(|mut stream| async move {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").await);
        while stream.write_all(&[b'y'; 4096]).await.is_ok() {}
    })
    .await;
    assert!(down(http(&endless, LIMIT).await.unwrap_err()).contains("does not end"));
    for (says, why) in [
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", "no HTTP"),
        ("", "without an answer"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfour", "breaks off"),
    ] {
        let site = Site::saying(says.into()).await;
        let found = down(http(&site, LIMIT).await.unwrap_err());
        assert!(found.contains(why), "{says:?}: {found}");
    }
}

#[tokio::test]
async fn no_more_of_a_huge_body_is_read_than_its_beginning() {
    let (tell, told) = oneshot::channel();
    let tell = std::sync::Mutex::new(Some(tell));
    let site = Site::new(move |mut stream| {
        let tell = tell.lock().unwrap().take();
        async move {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n").await);
            let mut sent = 0_u64;
            while stream.write_all(&[b'z'; 65536]).await.is_ok() {
                sent += 65536;
            }
            let _ = tell.map(|tell| tell.send(sent));
        }
    })
    .await;
    let answer = http(&site, LIMIT).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, BODY_LIMIT));
    let sent = tokio::time::timeout(LIMIT, told).await.expect("we hung up").unwrap();
    assert!(sent < 64 << 20, "what the kernel's buffers hold and no more, not {sent}");
}

#[tokio::test]
async fn a_chain_of_redirects_ends_at_its_limit() {
    let last = Site::saying(answer(204)).await;
    let first = Site::saying(redirect(&format!("//{}/there", last.addr))).await;
    assert_eq!(http(&first, LIMIT).await.unwrap().status, 204);
    assert_eq!(
        at_home().http(&first.url(), &Headers::default(), 0, LIMIT).await.unwrap().status,
        302,
        "none is followed: it is the answer"
    );
    let round = Site::saying(redirect("/again")).await;
    assert_eq!(down(http(&round, LIMIT).await.unwrap_err()), "more than 5 redirects");
    assert_eq!(round.hits(), 6);
    let away = Site::saying(redirect("file:///etc/passwd")).await;
    assert!(down(http(&away, LIMIT).await.unwrap_err()).contains("away from the web"));
}

#[tokio::test]
async fn https_to_what_speaks_none_is_down() {
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = plain.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        drop(stream.write_all(b"220 mail ready\r\n").await);
    });
    let url = format!("https://{addr}/").parse().unwrap();
    assert!(down(at_home().http(&url, &Headers::default(), 5, LIMIT).await.unwrap_err()).contains("no TLS"));
}
