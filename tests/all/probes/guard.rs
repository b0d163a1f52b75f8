//! Where a tenant's check would like this server to go.

use std::time::Duration;

use probe::{Connector, Failure, Headers, Names};
use url::Url;

use super::names::Zone;
use super::site::{Site, answer, connector, redirect};

const LIMIT: Duration = Duration::from_secs(10);

async fn not_made(connector: &Connector, url: &Url) -> String {
    match connector.http(url, &Headers::default(), 5, LIMIT).await {
        Err(Failure::NotMade(why)) => why,
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test]
async fn loopback_is_refused_without_the_operators_word_however_it_is_spelled() {
    let site = Site::saying(answer(200)).await;
    let port = site.addr.port();
    let stranger = connector(&[], Names::system());
    let elsewhere = connector(&[&format!("127.0.0.1:{}", port.wrapping_add(1).max(1)), "10.0.0.0/8"], Names::system());
    for host in ["127.0.0.1", "0x7f.1", "2130706433", "127.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "localhost"] {
        let url = format!("http://{host}:{port}/").parse().unwrap();
        for connector in [&stranger, &elsewhere] {
            let why = not_made(connector, &url).await;
            assert!(why.contains("--allow-egress"), "{host}: {why}");
        }
    }
    assert_eq!(site.hits(), 0, "nobody connected");
    let allowed = connector(&[&format!("127.0.0.1:{port}")], Names::system());
    assert_eq!(allowed.http(&site.url(), &Headers::default(), 5, LIMIT).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_redirect_to_a_metadata_service_is_not_followed_whatever_is_allowed() {
    let everywhere = connector(&["0.0.0.0/0", "::/0"], Names::system());
    for to in [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://0xa9fea9fe/",
        "http://[fd00:ec2::254]/",
        "http://[64:ff9b::169.254.169.254]/",
    ] {
        let site = Site::saying(redirect(to)).await;
        let why = not_made(&everywhere, &site.url()).await;
        assert!(why.starts_with("it redirects to http://") && why.contains("never connects there"), "{to}: {why}");
        assert_eq!(site.hits(), 1);
    }
}

#[tokio::test]
async fn a_redirect_is_a_new_target_and_judged_like_the_first() {
    let inner = Site::saying(answer(200)).await;
    let outer = Site::saying(redirect(inner.url().as_str())).await;
    let outer_only = connector(&[&format!("127.0.0.1:{}", outer.addr.port())], Names::system());
    assert!(not_made(&outer_only, &outer.url()).await.contains("--allow-egress"));
    assert_eq!((outer.hits(), inner.hits()), (1, 0));
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_also_when_only_one_of_its_addresses_does() {
    let zone = Zone::new(|_| vec![[93, 184, 216, 34], [10, 0, 0, 5]]).await;
    let why = not_made(&connector(&[], zone.names()), &"http://intranet.example/".parse().unwrap()).await;
    assert!(why.starts_with("intranet.example leads to an address inside: 10.0.0.5"), "{why}");
    let zone = Zone::new(|_| vec![[169, 254, 169, 254]]).await;
    let everywhere = connector(&["0.0.0.0/0"], zone.names());
    assert!(not_made(&everywhere, &"http://cloud.example/".parse().unwrap()).await.contains("never connects there"));
}

#[tokio::test]
async fn a_name_is_looked_up_once_so_that_it_cannot_change_between_the_judgement_and_the_connection() {
    let site = Site::saying(answer(200)).await;
    let port = site.addr.port();
    // Allowed at first; whoever asks again gets an address that is not.
    let zone = Zone::new(|asked| vec![if asked == 0 { [127, 0, 0, 1] } else { [127, 0, 0, 2] }]).await;
    let connector = connector(&[&format!("127.0.0.1:{port}")], zone.names());
    let url = format!("http://rebinding.example:{port}/").parse().unwrap();
    assert_eq!(connector.http(&url, &Headers::default(), 5, LIMIT).await.unwrap().status, 200);
    assert_eq!((zone.asked(), site.hits()), (1, 1));
    // The next probe is another question, and its answer is judged anew.
    assert!(not_made(&connector, &url).await.contains("127.0.0.2"));
    assert_eq!((zone.asked(), site.hits()), (2, 1));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_says_nothing_of_its_target() {
    let nobody = Zone::new(|_| Vec::new()).await;
    let why = not_made(&connector(&[], nobody.names()), &"http://gone.example/".parse().unwrap()).await;
    assert!(why.contains("gone.example"), "{why}");
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let names = Names::of(silent.local_addr().unwrap());
    let url: Url = "http://slow.example/".parse().unwrap();
    let failure =
        connector(&[], names).http(&url, &Headers::default(), 5, Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(failure, Failure::NotMade("no name server answered within 300 ms".into()));
}
