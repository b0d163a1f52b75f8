//! Writes every page with its sample data into a folder, to be looked at in a browser:
//! `cargo run -p views --features gallery --example preview -- FOLDER`, then serve that folder.
#![forbid(unsafe_code)]

use std::{env, fs, io, path::Path};

use views::{asset, gallery, mail};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = env::args().nth(1).ok_or("the folder to write to is missing")?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder.join("assets"))?;
    for (name, render) in gallery::PAGES {
        write(folder, name, &render()?)?;
    }
    let mut letters = vec![
        ("fixed", mail::samples::fixed().render()),
        ("needs-you", mail::samples::needs_you().render()),
        ("held", mail::samples::held().render()),
    ];
    letters.extend(mail::samples::accounts().into_iter().map(|(name, letter)| (name, letter.render())));
    for (name, letter) in letters {
        let name = format!("mail-{name}");
        write(folder, &name, &letter.html)?;
        fs::write(folder.join(format!("{name}.txt")), format!("Subject: {}\n\n{}", letter.subject, letter.text))?;
    }
    for path in views::assets::paths() {
        if let Some(file) = asset(&path) {
            fs::write(folder.join("assets").join(&path), file.bytes)?;
        }
    }
    Ok(())
}

fn write(folder: &Path, name: &str, html: &str) -> io::Result<()> {
    fs::write(folder.join(format!("{name}.html")), html)
}
