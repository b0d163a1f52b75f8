//! Writes every page with its sample data into a folder, to be looked at in a browser:
//! `cargo run -p views --features gallery --example preview -- FOLDER`, then serve that folder.
#![forbid(unsafe_code)]

use std::{env, fs, io, path::Path};

use views::{Nav, Template, asset, error, gallery, hosts::Trust, mail, samples, signin::SignInPage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = env::args().nth(1).ok_or("the folder to write to is missing")?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder.join("assets"))?;
    let not_yet = Trust::NotYet { reason: "Its journal is older than what it told before.".to_owned() };
    let sign_in = |error: Option<&str>| SignInPage {
        email: String::new(),
        error: error.map(str::to_owned),
        csrf: String::new(),
        next: None,
    };
    let failed =
        |kind| error::ErrorPage { kind, request_id: "0193e5b0-7c1c-7d6a-9b3f-3f2a9a6d4e21".to_owned(), back: None };
    write(folder, "board", &samples::board_page().render()?)?;
    write(folder, "board-empty", &samples::empty_board(0).render()?)?;
    write(folder, "board-blind", &samples::empty_board(2).render()?)?;
    write(folder, "incidents", &samples::incidents_page().render()?)?;
    write(folder, "incidents-filtered", &samples::filtered_incidents_page(true).render()?)?;
    write(folder, "incidents-filtered-none", &samples::filtered_incidents_page(false).render()?)?;
    write(folder, "incidents-misread", &samples::misread_incidents_page().render()?)?;
    write(folder, "incidents-empty", &samples::no_incidents_page(12).render()?)?;
    write(folder, "incident-fixed", &samples::fixed().render()?)?;
    write(folder, "incident-held", &samples::held_then_fixed().render()?)?;
    write(folder, "incident-asks", &samples::asks_first().render()?)?;
    write(folder, "incident-doubt", &samples::in_doubt().render()?)?;
    write(folder, "incident-undone", &samples::undone().render()?)?;
    write(folder, "incident-worse", &samples::made_worse().render()?)?;
    write(folder, "incident-unmapped", &samples::unmapped().render()?)?;
    write(folder, "incident-watching", &samples::watching_only().render()?)?;
    write(folder, "approvals", &samples::approvals_page(2, true).render()?)?;
    write(folder, "approvals-empty", &samples::approvals_page(0, true).render()?)?;
    write(folder, "hosts", &samples::hosts_page(false).render()?)?;
    write(folder, "hosts-empty", &samples::hosts_page(true).render()?)?;
    write(folder, "host", &samples::host_page(Trust::Trusted, false).render()?)?;
    let new =
        views::host::HostPage { metrics: None, services: Vec::new(), ..samples::host_page(Trust::Trusted, false) };
    write(folder, "host-new", &new.render()?)?;
    write(folder, "host-held", &samples::host_page(not_yet, true).render()?)?;
    write(folder, "guardrails", &samples::guardrails_page().render()?)?;
    write(folder, "guardrails-client", &samples::guardrails_of_client(false).render()?)?;
    write(folder, "guardrails-stopped", &samples::guardrails_of_client(true).render()?)?;
    write(folder, "changes", &samples::changes_page(false).render()?)?;
    write(folder, "changes-none", &samples::changes_page(true).render()?)?;
    write(folder, "demo", &samples::demo_page().render()?)?;
    write(folder, "demo-mails", &samples::mails_page(false).render()?)?;
    write(folder, "demo-mail", &samples::mail_page().render()?)?;
    write(folder, "sign-in", &sign_in(Some("That e-mail and password do not belong together.")).render()?)?;
    write(folder, "error-404", &failed(error::Kind::NotFound).render()?)?;
    write(folder, "error-500", &failed(error::Kind::Broken).render()?)?;
    write(
        folder,
        "gallery",
        &gallery::GalleryPage { shell: samples::shell(Nav::Nowhere), clock: samples::clock() }.render()?,
    )?;
    for (name, letter) in [
        ("mail-fixed", mail::samples::fixed().render()),
        ("mail-needs-you", mail::samples::needs_you().render()),
        ("mail-held", mail::samples::held().render()),
    ] {
        write(folder, name, &letter.html)?;
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
