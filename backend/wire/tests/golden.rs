//! What goes over the wire, byte for byte. A file of `golden/` that has to change is a new version of the protocol,
//! unless it only gains a field that may be absent.

use std::path::Path;

use wire::v1::*;

/// The message is written as the file has it, and the file is read as the message.
fn golden<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, message: &T) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let written = serde_json::to_string_pretty(message).unwrap() + "\n";
    if std::env::var_os("GOLDEN").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let file = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(written, file, "{name}");
    assert_eq!(&serde_json::from_str::<T>(&file).unwrap(), message);
}

#[test]
fn a_report() {
    let report = Report {
        age_ms: 12,
        over_ms: 10_000,
        cpu: Some(CpuUse { cores: 2, busy: 51.5, nice: 0.0, iowait: 1.25, steal: 0.5 }),
        load: Some([0.52, 0.4, 0.31]),
        memory: Some(MemoryUse {
            total: 8_589_934_592,
            available: 3_221_225_472,
            held: 4_294_967_296,
            swap_total: 1_073_741_824,
            swap_free: 1_073_741_824,
        }),
        mounts: vec![MountUse {
            path: "/".into(),
            total: 42_949_672_960,
            used: 21_474_836_480,
            available: 19_327_352_832,
            inodes: 2_621_440,
            inodes_free: 2_400_000,
        }],
        interfaces: vec![InterfaceUse { name: "eth0".into(), rx: 1_048_576.0, tx: 2048.5 }],
        services: vec![ServiceState { name: "shop-web".into(), state: "running".into(), watched: true }],
    };
    golden("report.json", &Up::Report(report));
}

#[test]
fn what_a_host_could_not_read_is_absent_and_not_zero() {
    golden("report_nothing_read.json", &Up::Report(Report { over_ms: 10_000, ..Report::default() }));
}

#[test]
fn a_succession_of_dispatch_keys_and_its_answer() {
    let certificate = |version: u32| DispatchCertificate {
        body: format!(r#"{{"key":"{}","previous":"{}","version":{version}}}"#, "cd".repeat(32), "ab".repeat(32)),
        signature: "ef".repeat(64),
    };
    golden("dispatch_keys.json", &Down::DispatchKeys { chain: vec![certificate(2), certificate(3)] });
    golden("pinned.json", &Up::Pinned { dispatch_version: 3 });
}

#[test]
fn an_inventory() {
    let found = Found {
        hostname: Some("web-01".into()),
        os: Some("Debian GNU/Linux 12 (bookworm)".into()),
        kernel: Some("6.1.0-18-amd64".into()),
        architecture: Some("x86_64".into()),
        processors: 4,
        processor: Some("A Processor @ 2.40GHz".into()),
        memory: Some(8_589_934_592),
        swap: Some(1_073_741_824),
        boot_id: uuid::Uuid::from_u128(7),
        uptime_secs: 86_400,
        agent_version: "0.1.0".into(),
        file_systems: vec![FileSystem { path: "/".into(), total: 42_949_672_960 }],
        addresses: vec!["192.0.2.7".into(), "2001:db8::7".into()],
        services: vec![
            DeclaredService { name: "shop-web".into(), unit: false },
            DeclaredService { name: "proxy".into(), unit: true },
        ],
        listening: vec![
            Listening {
                address: "0.0.0.0".into(),
                port: 8080,
                process: Some("shop".into()),
                service: Some("shop-web".into()),
            },
            Listening { address: "127.0.0.1".into(), port: 5432, process: None, service: None },
        ],
        left_out: 3,
    };
    golden("found.json", &Up::Found(Box::new(found)));
    let nothing = Found { boot_id: uuid::Uuid::from_u128(7), agent_version: "0.1.0".into(), ..Found::default() };
    golden("found_nothing_read.json", &Up::Found(Box::new(nothing)));
}

#[test]
fn a_server_that_says_no_version_of_its_dispatch_key_has_its_first() {
    let nil = "00000000-0000-0000-0000-000000000000";
    let text = format!(
        r#"{{"tenant_id":"{nil}","client_id":"{nil}","host_id":"{nil}","playbook_keys":[],"dispatch_key":"ab"}}"#
    );
    assert_eq!(serde_json::from_str::<Enrolled>(&text).unwrap().dispatch_version, 1);
}

#[test]
fn a_field_that_a_later_agent_adds_is_passed_over() {
    let up: Up = serde_json::from_str(r#"{"type":"report","age_ms":1,"over_ms":2,"gpu":{"busy":1}}"#).unwrap();
    assert_eq!(up, Up::Report(Report { age_ms: 1, over_ms: 2, ..Report::default() }));
}
