//! A device that holds passkeys, in software: P-256 keys, "none" attestation, a counter, and whatever lies a test wants.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

/// The device was there, has verified its user, and (when it makes a key) carries the key's data.
const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

/// One passkey, and what its device says.
pub struct Authenticator {
    key: EcdsaKeyPair,
    id: Vec<u8>,
    /// The user that it was made for.
    user: String,
    /// Goes on with each use.
    pub counter: u32,
    /// What the browser says where it is.
    pub origin: &'static str,
    /// Whether it says that it has verified its user.
    pub verifies: bool,
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The head of a CBOR item of this major type.
fn head(major: u8, n: usize) -> Vec<u8> {
    let major = major << 5;
    match n {
        0..24 => vec![major | n as u8],
        24..256 => vec![major | 24, n as u8],
        _ => vec![major | 25, (n >> 8) as u8, n as u8],
    }
}

fn text(text: &str) -> Vec<u8> {
    [head(3, text.len()), text.as_bytes().to_vec()].concat()
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    [head(2, bytes.len()), bytes.to_vec()].concat()
}

impl Authenticator {
    /// Makes a passkey as the site's `options` want it; the device, and what the browser sends.
    pub fn create(id: u8, options: &Value) -> (Authenticator, String) {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random).unwrap();
        let user = options["publicKey"]["user"]["id"].as_str().unwrap().to_owned();
        let mut device =
            Authenticator { key, id: vec![id; 32], user, counter: 0, origin: "https://mend.example", verifies: true };
        let sent = device.attest(options);
        (device, sent)
    }

    /// What the browser sends about the passkey that was made.
    pub fn attest(&mut self, options: &Value) -> String {
        // An uncompressed point: 0x04, x, y.
        let point = self.key.public_key().as_ref();
        let cose = [
            head(5, 5),
            vec![0x01, 0x02], // kty: EC2
            vec![0x03, 0x26], // alg: ES256
            vec![0x20, 0x01], // crv: P-256
            [vec![0x21], bytes(&point[1..33])].concat(),
            [vec![0x22], bytes(&point[33..65])].concat(),
        ]
        .concat();
        let of_site = options["publicKey"]["rp"]["id"].as_str().unwrap();
        let length = (self.id.len() as u16).to_be_bytes();
        let attested = [&[0; 16][..], &length[..], &self.id[..], &cose[..]].concat();
        let data = [self.data(of_site, ATTESTED), attested].concat();
        let object =
            [head(5, 3), text("fmt"), text("none"), text("attStmt"), head(5, 0), text("authData"), bytes(&data)]
                .concat();
        let client = self.client("webauthn.create", options);
        json!({
            "id": encoded(&self.id), "rawId": encoded(&self.id), "type": "public-key", "extensions": {},
            "response": { "attestationObject": encoded(&object), "clientDataJSON": encoded(&client), "transports": ["internal"] },
        })
        .to_string()
    }

    /// What the browser sends when the passkey is used as the site's `options` want it.
    pub fn get(&mut self, options: &Value) -> String {
        self.counter += 1;
        let data = self.data(options["publicKey"]["rpId"].as_str().unwrap(), 0);
        let client = self.client("webauthn.get", options);
        let signed = [&data[..], &keys::digest(&client).0[..]].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": encoded(&self.id), "rawId": encoded(&self.id), "type": "public-key", "extensions": {},
            "response": { "authenticatorData": encoded(&data), "clientDataJSON": encoded(&client),
                "signature": encoded(signature.as_ref()), "userHandle": self.user },
        })
        .to_string()
    }

    fn data(&self, of_site: &str, flags: u8) -> Vec<u8> {
        let verified = if self.verifies { VERIFIED } else { 0 };
        let flags = [PRESENT | verified | flags];
        [&keys::digest(of_site.as_bytes()).0[..], &flags[..], &self.counter.to_be_bytes()[..]].concat()
    }

    fn client(&self, kind: &str, options: &Value) -> Vec<u8> {
        let challenge = &options["publicKey"]["challenge"];
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false })
            .to_string()
            .into_bytes()
    }
}
