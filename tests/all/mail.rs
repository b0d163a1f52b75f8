//! The mailer against a relay that speaks the real dialogue, refuses, and dies at the worst moments.

use std::time::Duration;

use mail::{Envelope, Limits, Mailer, Relay, SendError, Smtp};
use server::demo::sink::{Fault, Received, Sink};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A hang guard only.
const GUARD: Duration = Duration::from_secs(60);

fn envelope(id: &str) -> Envelope {
    Envelope {
        message_id: format!("<{id}@mend.example>"),
        from: "Mendwright <mend@mend.example>".to_owned(),
        to: "Sam <sam@msp.example>".to_owned(),
        subject: "Fixed: Größe überschritten".to_owned(),
        html: "<p>läuft</p>".to_owned(),
        text: "läuft\r\n.\r\n..und weiter".to_owned(),
    }
}

async fn relay() -> (Sink, Mailer) {
    let (addr, sink) = Sink::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    (sink, Mailer::relay(&format!("smtp://{addr}")).unwrap())
}

async fn wait_for(sink: &Sink, n: usize) -> Vec<Received> {
    tokio::time::timeout(GUARD, sink.wait_for(n)).await.expect("the mail arrives")
}

#[tokio::test]
async fn a_mail_arrives_with_its_id_its_receiver_and_every_dot() {
    let (sink, mailer) = relay().await;
    let sent = mailer.send(&envelope("a")).await.unwrap();
    assert_eq!(sent.answer, "kept, delivery 1");
    let message = wait_for(&sink, 1).await.remove(0);
    assert_eq!(message.message_id, "<a@mend.example>");
    assert_eq!((message.from.as_str(), message.to), ("mend@mend.example", vec!["sam@msp.example".to_owned()]));
    assert_eq!(message.header_to, ["sam@msp.example"]);
    assert_eq!(message.subject, "Fixed: Größe überschritten");
    assert_eq!(message.text.trim_end().replace("\r\n", "\n"), "läuft\n.\n..und weiter");
    assert_eq!(message.html.trim_end(), "<p>läuft</p>");
    assert!(String::from_utf8_lossy(&message.raw).contains("Auto-Submitted: auto-generated"));
}

#[tokio::test]
async fn mails_that_are_sent_together_all_arrive() {
    let (sink, mailer) = relay().await;
    let envelopes: Vec<Envelope> = (0..20).map(|n| envelope(&format!("many-{n}"))).collect();
    let sends = envelopes.iter().map(|envelope| mailer.send(envelope));
    assert!(futures_util::future::join_all(sends).await.iter().all(Result::is_ok));
    assert!(wait_for(&sink, 20).await.iter().all(|message| message.deliveries == 1));
}

#[tokio::test]
async fn a_refusal_with_4xx_may_be_tried_again_and_one_with_5xx_not() {
    for fault in [Fault::Recipient, Fault::Data, Fault::Message] {
        let (sink, mailer) = relay().await;
        sink.script(fault(451));
        let later = mailer.send(&envelope("a")).await.unwrap_err();
        assert!(matches!(&later, SendError::Transient { reason } if reason.contains("451")), "{later:?}");
        sink.script(fault(550));
        let never = mailer.send(&envelope("a")).await.unwrap_err();
        assert!(matches!(&never, SendError::Permanent { reason } if reason.contains("550")), "{never:?}");
        assert!(sink.messages().is_empty());
        mailer.send(&envelope("a")).await.unwrap();
        assert_eq!(wait_for(&sink, 1).await[0].deliveries, 1);
    }
}

#[tokio::test]
async fn a_relay_that_dies_before_its_answer_leaves_the_mail_in_doubt_and_a_second_try_shows_as_the_same_mail() {
    let (sink, mailer) = relay().await;
    sink.script(Fault::DeathBeforeAnswer);
    let doubt = mailer.send(&envelope("a")).await.unwrap_err();
    assert!(matches!(doubt, SendError::InDoubt { .. }), "{doubt:?}");
    mailer.send(&envelope("a")).await.unwrap();
    let messages = wait_for(&sink, 1).await;
    assert_eq!((messages.len(), messages[0].deliveries), (1, 2));
}

#[tokio::test]
async fn a_connection_that_died_while_it_waited_is_replaced_unseen() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mailer = Mailer::relay(&format!("smtp://{}", listener.local_addr().unwrap())).unwrap();
    let relay = tokio::spawn(async move {
        for _ in 0..2 {
            let (stream, _) = listener.accept().await.unwrap();
            take_one_mail_and_hang_up(stream).await;
        }
    });
    mailer.send(&envelope("a")).await.unwrap();
    mailer.send(&envelope("b")).await.unwrap();
    relay.await.unwrap();
}

/// A relay of one mail a connection.
async fn take_one_mail_and_hang_up(stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 hello\r\n").await.unwrap();
    let (mut line, mut in_message) = (String::new(), false);
    loop {
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        let answer: &[u8] = match line.trim_end() {
            "." => {
                stream.write_all(b"250 taken\r\n").await.unwrap();
                return;
            }
            _ if in_message => continue,
            "DATA" => {
                in_message = true;
                b"354 go on\r\n"
            }
            _ => b"250 yes\r\n",
        };
        stream.write_all(answer).await.unwrap();
    }
}

#[tokio::test]
async fn a_relay_that_never_answers_the_messages_end_leaves_the_mail_in_doubt_at_the_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay = Relay::parse(&format!("smtp://{}", listener.local_addr().unwrap())).unwrap();
    let limits = Limits { message: Duration::from_millis(300), ..Limits::default() };
    let mailer = Mailer::Smtp(Smtp::new(relay, limits));
    let relay = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 hello\r\n").await.unwrap();
        let mut line = String::new();
        loop {
            line.clear();
            if stream.read_line(&mut line).await.unwrap() == 0 {
                return;
            }
            if line.trim_end() == "DATA" {
                stream.write_all(b"354 go on\r\n").await.unwrap();
                // Reads to the client's end and says nothing.
                stream.read_to_end(&mut Vec::new()).await.unwrap();
                return;
            }
            stream.write_all(b"250 yes\r\n").await.unwrap();
        }
    });
    let doubt = mailer.send(&envelope("a")).await.unwrap_err();
    assert!(matches!(doubt, SendError::InDoubt { .. }), "{doubt:?}");
    relay.await.unwrap();
}

#[tokio::test]
async fn nobody_at_the_relay_is_a_reason_to_try_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mailer = Mailer::relay(&format!("smtp://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let later = mailer.send(&envelope("a")).await.unwrap_err();
    assert!(matches!(later, SendError::Transient { .. }), "{later:?}");
}

#[tokio::test]
async fn the_sink_refuses_what_comes_in_the_wrong_order_or_is_too_large() {
    let (addr, sink) = Sink::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let mut stream = BufReader::new(TcpStream::connect(addr).await.unwrap());
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    let body = "x".repeat(998) + "\r\n";
    let message = body.repeat(1100) + ".\r\n";
    for (said, code) in [
        ("RCPT TO:<a@b.example>\r\n", "503"),
        ("DATA\r\n", "503"),
        ("MAIL FROM:<a@b.example> SIZE=99999999\r\n", "552"),
        ("MAIL FROM:nobody\r\n", "501"),
        ("mail from:<a@b.example>\r\n", "250"),
        ("MAIL FROM:<a@b.example>\r\n", "503"),
        ("RCPT TO:<>\r\n", "501"),
        ("rcpt to:<c@d.example>\r\n", "250"),
        ("DATA\r\n", "354"),
        (message.as_str(), "552"),
        ("MAIL FROM:<a@b.example>\r\n", "250"),
        ("RSET\r\n", "250"),
        ("DATA\r\n", "503"),
        ("HOW ARE YOU\r\n", "500"),
        ("QUIT\r\n", "221"),
    ] {
        stream.write_all(said.as_bytes()).await.unwrap();
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        assert!(line.starts_with(code), "{} was answered with {line}", &said[..said.len().min(40)]);
    }
    assert!(sink.messages().is_empty());
}
