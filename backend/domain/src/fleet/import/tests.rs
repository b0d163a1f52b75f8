use super::*;

fn present() -> Present {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    Present {
        clients: vec![
            ("Acme".to_owned(), "Europe/Berlin".to_owned(), Standing::Active),
            ("Gone".to_owned(), "UTC".to_owned(), Standing::Archived),
        ],
        sites: vec![pair("Acme", "Berlin")],
        contacts: vec![pair("Acme", "ana@acme.example")],
    }
}

fn outcomes(text: &str) -> Vec<String> {
    let lines = read(text, &present(), "UTC", &|zone| zone.contains('/') || zone == "UTC").unwrap();
    lines
        .into_iter()
        .map(|line| {
            let said = match line.outcome {
                Err(wrong) => format!("wrong: {wrong}"),
                Ok(adds) if adds.is_nothing() => format!("{}: nothing", adds.client),
                Ok(adds) => {
                    let parts = [
                        adds.zone.map(|zone| format!("client in {zone}")),
                        adds.site.map(|site| format!("site {site}")),
                        adds.contact.map(|contact| format!("contact {} {:?}", contact.name, contact.phone)),
                    ];
                    format!("{}: {}", adds.client, parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
                }
            };
            format!("{} {said}", line.number)
        })
        .collect()
}

#[test]
fn each_line_says_what_it_adds_to_what_is_there_and_to_the_lines_before() {
    let text = "client,time_zone,site,contact,email,phone\n\
        Dock,Europe/Paris,Quay,Bo,bo@dock.example,+33 1 23\n\
        dock,,Yard,,bo@dock.example,\n\
        ACME,,berlin,,,\n\
        acme,Europe/Berlin,Hamburg,,new@acme.example,\n\
        \"Pine, Oak & Co\",,,,,\n";
    assert_eq!(
        outcomes(text),
        [
            "2 Dock: client in Europe/Paris, site Quay, contact Bo Some(\"+33 1 23\")",
            "3 Dock: site Yard",
            "4 Acme: nothing",
            "5 Acme: site Hamburg, contact new@acme.example None",
            "6 Pine, Oak & Co: client in UTC",
        ]
    );
}

#[test]
fn each_line_says_what_is_wrong_with_it_and_the_others_are_read() {
    let text = "email;client;time_zone;contact;phone;site\n\
        ;Acme;Europe/Paris;;;\n;;UTC;;;\nx;Dock;;;;\n;Dock;Mars;;;\n;Dock;;Bo;;\n;Dock;;;123456;\n;Gone;;;;\n;Dock;;;;a;b\n;Dock;;;;Quay\nb@d;Dock;;;=1+1;\n";
    let said = outcomes(text);
    let wrong = [
        "is in Europe/Berlin, not in Europe/Paris",
        "names no client",
        "“x” is no e-mail address",
        "“Mars” is no time zone",
        "“Bo” has no e-mail address",
        "a number without a contact",
        "“Gone” is archived",
        "7 fields, the heading names 6",
    ];
    for (line, wrong) in said.iter().zip(wrong) {
        assert!(line.contains("wrong: ") && line.contains(wrong), "{line} does not say {wrong}");
    }
    assert_eq!(said[8], "10 Dock: client in UTC, site Quay");
    assert!(said[9].contains("no telephone number"));
}

#[test]
fn what_is_no_table_of_clients_is_told_as_a_whole() {
    let wrong = |text: &str| read(text, &present(), "UTC", &|_| true).unwrap_err();
    assert!(wrong("").contains("no column “client”"));
    assert!(wrong("site\nx\n").contains("no column “client”"));
    assert!(wrong("client,town\nx,y\n").contains("a column “town”"));
    assert!(wrong("client,client\nx,y\n").contains("twice"));
    assert!(wrong("client\n").contains("no line"));
    let many = format!("client\n{}", "x\n".repeat(LINES_MAX + 1));
    assert!(wrong(&many).contains("more than 1000 lines"));
}

#[test]
fn a_spreadsheets_mark_before_the_heading_is_no_part_of_it() {
    assert_eq!(outcomes("\u{feff}Client\r\nDock\r\n"), ["2 Dock: client in UTC"]);
}
