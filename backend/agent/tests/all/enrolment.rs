use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use keys::Digest;
use keys::authority::Authority;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use wire::v1::{Down, Up, close};

use crate::bench::{Bench, TENANT, enrolled, program};
use crate::fake::{Server, challenge, enroll, welcome};

async fn run_enroll(server: &Server, state: &Path, authority: Option<Digest>) -> Output {
    let mut command = program();
    command.args(["enroll", "--server", &server.url(), "--token", "mw_enroll_x", "--profile", "low-risk"]);
    command.arg("--state-dir").arg(state);
    if let Some(fingerprint) = authority {
        command.args(["--authority", &fingerprint.to_string()]);
    }
    command.output().await.unwrap()
}

#[tokio::test]
async fn a_refused_token_is_one_clear_line_and_exit_code_1() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::plain().await);
    let refuse = async {
        let mut peer = server.accept().await;
        assert_eq!(peer.path, "/agent/v1/enroll");
        peer.send(Down::Challenge(challenge(0))).await;
        assert!(matches!(peer.next().await, Some(Up::Enroll(_))));
        peer.close(close::TOKEN, "this token was used up yesterday").await;
    };
    let (output, ()) = tokio::join!(run_enroll(&server, dir.path(), None), refuse);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text, "mendwright-agent: the server refused: this token was used up yesterday\n");
}

#[tokio::test]
async fn an_agent_of_another_version_says_what_the_server_says() {
    const WHY: &str = "the server speaks protocol 2, the agent 1; update the agent";
    let bench = Bench::new("exit 0").await;
    let log = bench.path("log");
    let mut command = program();
    command.arg("run").arg("--state-dir").arg(bench.path("state")).stderr(fs::File::create(&log).unwrap());
    let _agent = command.spawn().unwrap();
    let mut peer = bench.server.accept().await;
    peer.send(Down::Challenge(challenge(1))).await;
    assert!(matches!(peer.next().await, Some(Up::Prove(_))));
    peer.close(close::PROTOCOL, WHY).await;
    let line = format!("the server speaks another version of the protocol: {WHY} (code 4406)");
    bench.until("the log says why", |_| fs::read_to_string(&log).is_ok_and(|said| said.contains(&line))).await;
}

#[tokio::test]
async fn enrolling_again_keeps_the_key_and_everything_is_private() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::plain().await);
    let state = dir.path().join("deep/state");
    let mut keys = Vec::new();
    for _ in 0..2 {
        let serve = async { enroll(&mut server.accept().await, enrolled()).await };
        let (output, sent) = tokio::join!(run_enroll(&server, &state, None), serve);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        keys.push(sent.public_key);
    }
    assert_eq!(keys[0], keys[1]);
    assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
    for name in ["host.key", "identity.json", "journal", "agent.toml"] {
        assert_eq!(fs::metadata(state.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn the_pinned_authority_is_kept_and_any_other_is_refused() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::create("test authority").unwrap();
    let issued = authority.issue_server(&["127.0.0.1".to_owned()]).unwrap();
    let chain = CertificateDer::pem_slice_iter(issued.chain_pem.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let server = Server::tls(Arc::new(config).into()).await;

    let other = Authority::create("test authority").unwrap().fingerprint();
    for wrong in [None, Some(other)] {
        let refused = tokio::select! {
            output = run_enroll(&server, dir.path(), wrong) => output,
            _ = server.accept() => panic!("the agent trusted a stranger"),
        };
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(text.contains("certificate is not accepted"), "{text}");
    }

    let serve = async { enroll(&mut server.accept().await, enrolled()).await };
    let (output, sent) = tokio::join!(run_enroll(&server, dir.path(), Some(authority.fingerprint())), serve);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let kept = fs::read_to_string(dir.path().join("authority.pem")).unwrap();
    assert_eq!(keys::authority::fingerprint(&kept).unwrap(), authority.fingerprint());

    let _agent = program().arg("run").arg("--state-dir").arg(dir.path()).spawn().unwrap();
    let mut peer = server.accept().await;
    welcome(&mut peer, &sent.public_key.parse().unwrap(), TENANT, false).await;
}
