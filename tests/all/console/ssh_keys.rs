//! SSH keys: which are taken, and who is told what of one that is not.

use axum::http::StatusCode;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, EcdsaCurve, PrivateKey};
use url::form_urlencoded::byte_serialize;

use super::Console;

const PAGE: &str = "/settings/secrets";
const READS: &str = "This key is no private key that can be read: ed25519 or ECDSA, as OpenSSH or PKCS #8 write it.";
const LOCKED: &str = "This key is locked by a passphrase, which nobody could type here.";
const TYPE: &str = "This key is not of a type that signs in from here: ed25519 or ECDSA.";

/// Made for these tests by `ssh-keygen` and `openssl`, and of use nowhere.
const RSA: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAlwAAAAdzc2gtcn
NhAAAAAwEAAQAAAIEA1p3n0Q2Raoee3Aqw2rM/OW0fcuk1hYj1DmPEd1MgKPIsjbNIgZzd
KTp215/7sZB0Nu+rd/+zCk+7+7PqCwyxCz8Jp6VdAR4aL5WoDdKaZ+G7zGLWIskifyUZf/
IYCPHThG+dwLuEV9A9zOEaUKutJ7SO8ow4IX2pp6rUu1wWFHEAAAH4kyhBpZMoQaUAAAAH
c3NoLXJzYQAAAIEA1p3n0Q2Raoee3Aqw2rM/OW0fcuk1hYj1DmPEd1MgKPIsjbNIgZzdKT
p215/7sZB0Nu+rd/+zCk+7+7PqCwyxCz8Jp6VdAR4aL5WoDdKaZ+G7zGLWIskifyUZf/IY
CPHThG+dwLuEV9A9zOEaUKutJ7SO8ow4IX2pp6rUu1wWFHEAAAADAQABAAAAgQC8AZoo/W
zM2L+mXUsuWuXg5aIuJPO45hBeqbFbIpvCotu6yjqTKJppWojvPXvcwgG8elpIhdwPBWhV
B/fX9CdGayWpzQX8/WCRb9CtN0YgtQV5ArVSBds3j+JKeRkygDLH5bVfETqVa9KEdyno6z
9yX2LbvGERudu4rv9ZeTVM3QAAAEEAwY7fVdoeZNWJG3qzNG1JZdrHf2fiESBL9INd3K1P
EjnF9MwaTA+KJo5bBboBeoLDL4RB8qvOUWGpmCKAxs1QIAAAAEEA65fXc6dEUQ4MgdTRr3
N1mmCmFfa3gH8R6TP9h0WI+PwbSEnwMSzTRS7c7cg7jyS8XLfP67lUD1G5hdUtGBT4owAA
AEEA6TTswGIpNn0apMRS2Py8o80B7B5EOLEQrS4UTZlU9UFN8TFp8Xx+dGpZ/kCrXkRW/0
KCXwPA+QKDpSybrjYr2wAAAAAB
-----END OPENSSH PRIVATE KEY-----
";
const RSA_PKCS8: &str = "\
-----BEGIN PRIVATE KEY-----
MIICdQIBADANBgkqhkiG9w0BAQEFAASCAl8wggJbAgEAAoGBALbNYwIqDiS60H3/
kz0R9lxzNY4QYzGa3V8rcEHwYm7tl92L6+BilO5bnXGGrCYbCHtIIBrfZ7KFkT3k
8rO/KtY6HbQ/6LklMMGxBoSL0EkdOljnkpF+ZM/nvfmbetp1JR0P+DWxOePg1Vnn
6qJKYSuNoxAZicsue6En+u+q9oZTAgMBAAECgYA7rsD1ku99NHUfvhK/bJ7nvkGs
+VK5fltqWA9Vp/srRm0/yxAe+XCwhb7YsuR/qHHTdk/tFiWQFqW99IL9BpwgOiMR
K5acHByhmoSu8rpMICl5ZAXURZNRoM0BavHgTMGzDv4p3czzSgH0Y0R+uM1nzR/S
AoFizeqybKVu8umHeQJBANqlWnrzRyFk9KVHiyAJr6zvzEJFt53JChu7No9j9HJ4
21WqhlqecoyfnhqPFTmwC311giW895VkBBdd4v6FqWUCQQDWCGKXV2/BxKx0DypW
jFXDWiTr2dvVrZK1PDMqS7fI6MY8aZlrjxIOykcNS9SAHSTFUmcl8x7cnNsVbMEm
nVFXAkBOUw+/naisgNLW5nMjTfT9uYVtdDYbsuoJFx6rbT4jR8IixQyOJ9aXI5Lq
prkOyk7DabXuuOvkO0jv6fUoAk+1AkBFtmF2bdJGyKpq+u2NVxQwFtJjx4fk5y4b
vcnkgtkPpVG8J6EC+YymKJhP6l0ChXuOkbJrF+77aFOrfMrEqwTtAkAxC3w3PxkU
uk2A2WH0jehkksFf6gyBDk8Oe44ak2+ef1sdQcZIv2F2Mj1Q6Qj4346NnY36DS4U
6fqV7hAhKniJ
-----END PRIVATE KEY-----
";
const ED25519_PKCS8: &str = "\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ3MqhFz9lLD/zAhTo59ksHuuB9KfEhryuj5GvFY388T
-----END PRIVATE KEY-----
";
const LOCKED_PKCS8: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhk366UwF0jzQICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEC6KTU75f3uuG4wUDdmANt0EQEt8
A74NMuNMNDhKW+D53AhpMiaz4FkuNLqKu0Pnm86ZcEMGFxI1Kv75QP+bIZ/F72ov
eN9AQlBbx9YBy4Awapc=
-----END ENCRYPTED PRIVATE KEY-----
";
const LOCKED_SEC1: &str = "\
-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,705A878BFC6700D1823655381AFD3048

08eAitvlJpFTAMWd9SJBU6jbdSCRRtBxIHo/ol30M4BpL6EItzyvsHQOO5ESFUSJ
TCtWaLZ0MV/5Po3Td11HCttRoAdPYQeQ0AqI15pDax72qXx8fuV0aE8zejT76VDB
pUE1l/QK6W9fnKeWBHFA1RMdGXrTLEPCtUCTSnr5T1Q=
-----END EC PRIVATE KEY-----
";

fn key(algorithm: Algorithm) -> PrivateKey {
    PrivateKey::random(&mut StdRng::seed_from_u64(1), algorithm).unwrap()
}

fn text(key: &PrivateKey) -> String {
    key.to_openssh(LineEnding::LF).unwrap().to_string()
}

/// What is pasted, as a browser sends it.
fn pasted(text: &str) -> String {
    byte_serialize(text.replace('\n', "\r\n").as_bytes()).collect()
}

#[tokio::test]
async fn a_key_that_nobody_could_sign_in_with_is_refused_when_it_is_set() {
    let mut console = Console::new().await;
    let owner = console.sign_in("owner@ours.example").await;
    let good = text(&key(Algorithm::Ed25519));
    let locked = text(&key(Algorithm::Ed25519).encrypt(&mut StdRng::seed_from_u64(2), "a passphrase").unwrap());
    let bad = [
        (RSA.to_owned(), TYPE),
        (RSA_PKCS8.to_owned(), READS),
        ("-----BEGIN RSA PRIVATE KEY-----\ncanary\n-----END RSA PRIVATE KEY-----\n".to_owned(), TYPE),
        (locked, LOCKED),
        (LOCKED_PKCS8.to_owned(), LOCKED),
        (LOCKED_SEC1.to_owned(), LOCKED),
        (good.replacen("b3Blbn", "canary", 1), READS),
        (good.lines().take(3).collect::<Vec<_>>().join("\n"), READS),
        ("-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----".to_owned(), READS),
    ];
    for (text, why) in &bad {
        let form = format!("&name=way-in&kind=ssh_key&value={}", pasted(text));
        let (status, _, page) = console.click(&owner, PAGE, PAGE, &form).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{text}");
        assert!(page.contains(why) && !page.contains("PRIVATE KEY-----"), "{why}: {page}");
    }
    assert_eq!(console.count("secrets").await, 0);
    let ecdsa = |curve| text(&key(Algorithm::Ecdsa { curve }));
    let (p256, p384, p521) = (EcdsaCurve::NistP256, EcdsaCurve::NistP384, EcdsaCurve::NistP521);
    let taken = [good, ED25519_PKCS8.to_owned(), ecdsa(p256), ecdsa(p384), ecdsa(p521)];
    for (n, text) in taken.iter().enumerate() {
        let form = format!("&name=way-in-{n}&kind=ssh_key&value={}", pasted(text));
        let (status, _, page) = console.click(&owner, PAGE, PAGE, &form).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
        assert_eq!(console.says(&format!("way-in-{n}")).await.unwrap().as_deref(), Some(text.as_str()));
    }
    // What replaces one is held to the same.
    let id = console.secret_id("way-in-0").await;
    for (text, why) in &bad {
        let form = format!("&value={}", pasted(text));
        let (status, _, page) = console.click(&owner, PAGE, &format!("{PAGE}/{id}/replace"), &form).await;
        assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains(why), "{why}: {page}");
    }
    assert_eq!(console.says("way-in-0").await.unwrap().as_deref(), Some(taken[0].as_str()));

    // What signs in with it is named, and keeps it.
    let tenant = console.ours.tenant;
    console
        .execute(format!(
            "UPDATE checks SET kind = 'ssh', definition = '{{\"name\": \"lets in\", \"kind\": \"ssh\", \"target\": \"web-1.example:22\",
               \"selector\": {{\"host\": \"h\"}}, \"host_key\": \"SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU\",
               \"user\": \"monitor\", \"key\": {{\"secret\": \"way-in-0\"}}}}' WHERE tenant_id = '{tenant}'"
        ))
        .await;
    let (status, _, page) = console.click(&owner, PAGE, &format!("{PAGE}/{id}/delete"), "").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("“way-in-0” stays: check “lets in” refers to it."), "{page}");
    let rows = console.everything().await;
    for line in taken.iter().flat_map(|text| text.lines()).filter(|line| !line.starts_with('-') && line.len() > 20) {
        assert!(!rows.contains(line), "no row holds it, the audit neither");
    }
}
