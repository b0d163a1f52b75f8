//! What was changed last: the names of files below `/etc`, never what is in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How deep it is looked.
const DEPTH: usize = 4;
/// The most entries that are looked at.
const MOST_LOOKED_AT: usize = 20_000;
/// How many are told.
const MOST: usize = 10;

/// The files below `root` that were changed within a day before `now`, newest first.
pub fn newest_below(root: &Path, now: SystemTime) -> Vec<String> {
    let mut found: Vec<(Duration, PathBuf)> = Vec::new();
    let (mut open, mut looked_at) = (vec![(root.to_owned(), 0)], 0);
    while let Some((dir, depth)) = open.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            looked_at += 1;
            if looked_at > MOST_LOOKED_AT {
                break;
            }
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() && depth < DEPTH {
                open.push((entry.path(), depth + 1));
            } else if about.is_file() {
                let age = about.modified().ok().and_then(|at| now.duration_since(at).ok());
                found.extend(age.filter(|age| *age < Duration::from_secs(24 * 3600)).map(|age| (age, entry.path())));
            }
        }
    }
    found.sort();
    found.truncate(MOST);
    found.iter().map(|(age, path)| format!("{} min ago: {}", age.as_secs() / 60, path.display())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_come_first_and_what_is_older_than_a_day_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        fs::create_dir(dir.path().join("sub")).unwrap();
        for (name, minutes) in [("old", 1441), ("sub/edited", 5), ("earlier", 600), ("of tomorrow", 0)] {
            let file = fs::File::create(dir.path().join(name)).unwrap();
            file.set_modified(now - Duration::from_secs(minutes * 60)).unwrap();
        }
        let file = fs::File::create(dir.path().join("of tomorrow")).unwrap();
        file.set_modified(now + Duration::from_secs(60)).unwrap();
        let said = newest_below(dir.path(), now);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("5 min ago: ") && said[0].ends_with("sub/edited"), "{said:?}");
        assert!(said[1].starts_with("600 min ago: "), "{said:?}");
    }
}
