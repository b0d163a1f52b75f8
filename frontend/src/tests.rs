//! Every page with its sample data: what must hold for each, and what each says, as text.

use crate::{
    Template,
    gallery::{PAGES, Sample},
    mail, samples,
};

fn pages() -> Vec<(&'static str, String)> {
    let page =
        |(name, render): &(&'static str, Sample)| (*name, render().unwrap_or_else(|error| panic!("{name}: {error}")));
    PAGES.iter().map(page).collect()
}

/// A page's words: no tags, one line for each block.
fn words(html: &str) -> String {
    let body = html.split_once("id=\"main\"").map_or(html, |(_, body)| body);
    let (mut out, mut tag) = (String::new(), None::<String>);
    for c in body.chars().skip_while(|c| *c != '>').skip(1) {
        match (&mut tag, c) {
            (None, '<') => tag = Some(String::new()),
            (Some(name), '>') => {
                let name = name.trim_start_matches('/').split_whitespace().next().unwrap_or_default().to_owned();
                if matches!(
                    name.as_str(),
                    "li" | "tr" | "h1" | "h2" | "p" | "div" | "header" | "section" | "footer" | "pre"
                ) {
                    out.push('\n');
                } else if matches!(name.as_str(), "td" | "th" | "dt" | "dd" | "time" | "small") {
                    out.push(' ');
                }
                tag = None;
            }
            (Some(name), c) => name.push(c),
            (None, c) => out.push(c),
        }
    }
    out.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn every_page_says_what_it_said_before() {
    for (name, html) in pages() {
        insta::assert_snapshot!(name.replace('-', "_"), words(&html));
    }
}

/// Every kind of mail, with its name.
fn mails() -> Vec<(&'static str, mail::Rendered)> {
    let mut all = vec![
        ("fixed", mail::samples::fixed().render()),
        ("needs-you", mail::samples::needs_you().render()),
        ("held", mail::samples::held().render()),
    ];
    all.extend(mail::samples::accounts().into_iter().map(|(name, letter)| (name, letter.render())));
    all
}

#[test]
fn every_mail_says_what_it_said_before_and_both_parts_carry_the_same_facts() {
    for (name, letter) in mails() {
        let name = format!("mail_{}", name.replace('-', "_"));
        let signature = |word: &&str| *word != "--";
        for word in letter.text.split_whitespace().filter(signature).map(|word| word.trim_end_matches(':')) {
            assert!(letter.html.contains(word), "{name} says {word} in text only");
        }
        // A link, a hash or a signature is not broken.
        let has_long_word = |line: &str| line.split(' ').any(|word| word.chars().count() > 60);
        assert!(letter.text.lines().all(|line| line.chars().count() <= 72 || has_long_word(line)), "{}", letter.text);
        insta::assert_snapshot!(name, format!("Subject: {}\n\n{}", letter.subject, letter.text));
    }
}

#[test]
fn a_mail_loads_nothing_and_leads_only_to_what_it_tells_of() {
    for (name, mail) in mails() {
        for forbidden in ["src=", "url(", "@import", "<link", "<img", "<script", "{{", "{%"] {
            assert!(!mail.html.contains(forbidden), "{} contains {forbidden}", mail.subject);
        }
        let links: Vec<_> = mail.html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let leads_to = match ["fixed", "needs-you", "held"].contains(&name) {
            true => "https://mend.northwind.example/incidents/01935b00-0000-7000-8000-00000000000b",
            false => "https://mend.northwind.example/sign-in",
        };
        assert_eq!(links, [leads_to], "{name}");
    }
}

#[test]
fn no_page_carries_an_inline_script_style_or_handler() {
    for (name, html) in pages() {
        for forbidden in [" style=", "<style", "<script>", " onclick=", " onload=", "javascript:"] {
            assert!(!html.contains(forbidden), "{name} contains {forbidden}");
        }
        assert_eq!(html.matches("<script").count(), 1, "{name}");
    }
}

#[test]
fn every_form_that_does_something_posts_the_csrf_token() {
    for (name, html) in pages() {
        for form in html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap_or_default();
            // What only asks for a page has its fields in the address, where the token must never be.
            if form.contains("method=\"get\"") {
                assert!(!form.contains("csrf"), "{name}: {form}");
                continue;
            }
            // Who is not signed in has no session that a token could belong to: the request's origin guards these.
            let before_sign_in =
                ["/sign-in/second", "/sign-in/passkey", "/sign-up", "/reset", "/invitation/", "/confirm-address/"];
            if before_sign_in.iter().any(|start| form.contains(&format!("action=\"{start}"))) {
                assert!(form.contains("method=\"post\"") && !form.contains("csrf"), "{name}: {form}");
                continue;
            }
            assert!(
                form.contains("method=\"post\"") && form.contains("name=\"csrf\" value=\"sample-token\""),
                "{name}: {form}"
            );
        }
    }
}

#[test]
fn a_link_leads_only_to_a_route_that_exists() {
    for (name, html) in pages() {
        for link in html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let known = link.starts_with('#')
                || link == "data:,"
                || link == "/"
                || [
                    "/incidents",
                    "/approvals",
                    "/clients",
                    "/hosts",
                    "/guardrails",
                    "/changes",
                    "/platform",
                    "/settings",
                    "/api/docs",
                    "/api/v1/openapi.json",
                    "/sign-in",
                    "/sign-up",
                    "/reset",
                    "/confirm",
                    "/sso/",
                    "otpauth://totp/Mendwright:",
                    "/demo",
                    "/dev/gallery",
                    "/assets/",
                ]
                .iter()
                .any(|start| link.starts_with(start));
            assert!(known, "{name} links to {link}");
        }
    }
}

#[test]
fn what_a_host_says_never_becomes_markup() {
    const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let mut page = samples::fixed();
    page.title = EVIL.to_owned();
    page.client = EVIL.to_owned();
    for entry in &mut page.entries {
        match &mut entry.event {
            crate::story::Event::Detected(e) => e.saw = EVIL.to_owned(),
            crate::story::Event::Run(e) => e.output.iter_mut().for_each(|line| line.text = EVIL.to_owned()),
            _ => {}
        }
    }
    let html = page.render().unwrap_or_default();
    assert!(html.contains("&#60;script&#62;") || html.contains("&lt;script&gt;"));
    assert!(!html.contains("<script>") && !html.contains("<img"));

    let mut letter = mail::samples::needs_you();
    letter.about.host = Some(format!("{EVIL}\r\nBcc: everybody@example.com"));
    let letter = letter.render();
    assert!(!letter.html.contains("<script>") && !letter.html.contains("<img"));
    assert!(!letter.subject.contains(['\r', '\n']));
}

#[test]
fn a_subject_says_the_outcome_first() {
    assert_eq!(mail::samples::fixed().render().subject, "Fixed: shop-web on web-01 (Acme) — back in 4 s");
    assert!(mail::samples::needs_you().render().subject.starts_with("Needs you: "));
    assert_eq!(mail::samples::held().render().subject, "Held: shop-web on web-01 (Acme) — hands off by J. Tanaka");
}

#[test]
fn a_meter_is_full_only_when_the_limit_is_used_up() {
    for of in 1..=300 {
        for used in 0..=of {
            let (lit, all) = crate::Meter { used, of, state: None }.segments();
            assert_eq!(lit == 0, used == 0, "{used} of {of}");
            assert_eq!(lit == all, used == of, "{used} of {of}");
        }
    }
}

#[test]
fn durations_read_as_people_say_them() {
    let ms = std::time::Duration::from_millis;
    let said = [48, 245, 4_200, 62_000, 360_000, 13_800_000].map(|n| crate::took(ms(n)).replace('\u{a0}', " "));
    assert_eq!(said, ["48 ms", "245 ms", "4.2 s", "62 s", "6 min", "3 h 50"]);
    assert_eq!(crate::back_in(ms(402)).replace('\u{a0}', " "), "0.4 s");
    assert_eq!(crate::left(ms(552_000)).replace('\u{a0}', " "), "9:12 left");
}
