//! systemd itself reads the unit files that we ship.

use std::fs;
use std::path::Path;
use std::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/systemd");

/// What `systemd-analyze verify` says of a unit file of `text`; none where there is no such program.
fn faults(name: &str, text: &str) -> Option<Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    // The program need not be installed here.
    fs::write(&path, text.replace("/usr/local/bin/mendwright-agent", env!("CARGO_BIN_EXE_mendwright-agent"))).unwrap();
    let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output();
    let Ok(output) = output else {
        println!("systemd-analyze is not here (apt-get install systemd): {name} was not verified");
        return None;
    };
    // It reads units of this machine too, which are not ours to judge.
    let said = String::from_utf8(output.stderr).unwrap();
    Some(said.lines().filter(|line| line.contains(name)).map(str::to_owned).collect())
}

#[test]
fn systemd_finds_no_fault_in_our_unit_files() {
    let files = fs::read_dir(Path::new(FOLDER)).unwrap().map(|entry| entry.unwrap().path());
    let units: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "service")).collect();
    assert!(!units.is_empty());
    for path in units {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let Some(found) = faults(name, &text) else { return };
        assert_eq!(found, [""; 0]);
        let misspelled = text.replace("KillMode", "KilMode");
        assert_eq!(faults(name, &misspelled).unwrap().len(), 1, "a fault is seen");
    }
}
