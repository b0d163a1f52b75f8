//! The end of a log file that the host declared.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// As much of the end as is read.
const BYTES: u64 = 16 * 1024;

/// The last `most` lines of the file at `path`, or a line that says why there are none.
pub fn tail(path: &Path, most: usize) -> Vec<String> {
    match read(path) {
        Ok(text) => {
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            lines[lines.len().saturating_sub(most)..].iter().map(|line| (*line).to_owned()).collect()
        }
        Err(error) => vec![format!("{} cannot be read: {error}", path.display())],
    }
}

fn read(path: &Path) -> io::Result<String> {
    // A pipe in its place must not make us wait.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut file = File::options().read(true).custom_flags(flags).open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let from = about.len().saturating_sub(BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // Begun in the middle of a line, that one is none.
    Ok(if from == 0 { text } else { text.split_once('\n').map_or(String::new(), |(_, rest)| rest.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_whole_however_long_the_file_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let text: String = (0..5000).map(|n| format!("line {n}\n")).collect();
        std::fs::write(&path, text).unwrap();
        assert_eq!(tail(&path, 2), ["line 4998", "line 4999"]);
        assert!(tail(&path, 100_000).iter().all(|line| line.starts_with("line ")));
    }

    #[test]
    fn what_is_no_file_is_said_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        assert!(tail(dir.path(), 5)[0].contains("no file"));
        assert!(tail(&dir.path().join("missing"), 5)[0].contains("cannot be read"));
    }
}
