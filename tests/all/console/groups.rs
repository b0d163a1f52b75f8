//! Service groups on a client's pages: declared at once, made smaller by two people and in time.

use axum::http::StatusCode;
use jiff::SignedDuration;
use store::remediate::groups::{self, Standing};

use super::people::leads_to;
use super::{Console, Organization};

impl Console {
    /// Our client's groups.
    async fn groups(&self) -> Vec<Standing> {
        let mut tx = self.tx().await;
        let groups = groups::list_standing(&mut tx, self.ours.client).await.unwrap();
        tx.rollback().await.unwrap();
        groups
    }

    /// Sends a form of our client's groups: a new one, or one of them that is there.
    async fn sends(&self, cookie: &str, group: Option<&Standing>, form: &str) -> (StatusCode, String) {
        let client = self.ours.client;
        let path = match group {
            Some(group) => format!("/clients/{client}/groups/{}", group.row.group_id),
            None => format!("/clients/{client}/groups"),
        };
        let (status, _, page) = self.click(cookie, &format!("/clients/{client}/edit"), &path, form).await;
        (status, page)
    }
}

#[tokio::test]
async fn a_group_holds_at_once_and_is_made_smaller_by_a_second_person_in_time() {
    let mut console = Console::new().await;
    let Organization { tenant, client, host, .. } = console.ours;
    console
        .execute(format!("UPDATE memberships SET role = 'owner' WHERE tenant_id = '{tenant}' AND role = 'viewer'"))
        .await;
    let (owner, second) = (console.sign_in("owner@ours.example").await, console.sign_in("viewer@ours.example").await);
    let run = console.run("admitted", "queued").await;

    assert_eq!(console.sends(&owner, None, "&name=Web+pool&tags=pool%3Dweb").await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count("audit WHERE action = 'service_group.declared'").await, 1);
    assert_eq!(console.count(&format!("runs WHERE run_id = '{run}' AND state = 'held'")).await, 1, "decided anew");
    for (form, says) in [
        ("&name=web+POOL&tags=pool%3Dx", "there is a service group “Web pool” already"),
        ("&name=Other&tags=+", "say at least one tag"),
        ("&name=Other&tags=pool", "is no tag"),
        ("&name=+&tags=pool%3Dx", "a name has 1 to 200 characters"),
    ] {
        let (status, page) = console.sends(&owner, None, form).await;
        assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains(says), "{says}: {status}");
    }
    let shown = format!("/clients/{client}");
    assert!(console.get(&shown, &owner).await.2.contains("no host carries these tags"));
    console.execute(format!("UPDATE hosts SET tags = '{{\"pool\": \"web\"}}' WHERE host_id = '{host}'")).await;
    let page = console.get(&shown, &owner).await.2;
    assert!(
        page.contains("Web pool") && page.contains("1 host, 1 at a time") && !page.contains("being fixed"),
        "{page}"
    );
    let pool = console.groups().await.remove(0);
    console
        .execute(format!(
            "INSERT INTO guardrail_buckets (tenant_id, scope_kind, scope_key, rank) VALUES ('{tenant}', 'service_group', '{group}', 3);
             INSERT INTO guardrail_admissions (tenant_id, scope_kind, scope_key, run_id, attempt, slot_no, flight_no, admitted_at, occupied_until)
               VALUES ('{tenant}', 'service_group', '{group}', '{run}', 1, 1, 1, clock_timestamp(), clock_timestamp() + interval '1 hour')",
            group = pool.row.group_id
        ))
        .await;
    assert!(
        console.get(&shown, &owner).await.2.contains(&format!("being fixed: <a href=\"/hosts/{host}\">Ours-host</a>"))
    );

    // Any other membership lets two of the old members be fixed at once: it says why, and changes nothing yet.
    let smaller = "&answer=save&tags=pool%3Dweb%0Arole%3Dfront&targets=shop-web";
    let (status, page) = console.sends(&owner, Some(&pool), smaller).await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("say why, for the second person"), "{status}");
    assert!(page.contains("role=front") && page.contains("shop-web"), "what was typed stands there");
    assert_eq!(console.count("proposed_changes").await, 0);
    let same = "&answer=save&tags=pool%3Dweb";
    assert_eq!(console.sends(&owner, Some(&pool), same).await.0, StatusCode::SEE_OTHER, "nothing is different");
    assert_eq!(console.sends(&owner, Some(&pool), &format!("{smaller}&why=Two+roles")).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.groups().await[0].row.group, pool.row.group);
    let waits = "“pool: web, role: front; fixes of shop-web” waits for a second person";
    assert!(console.get(&shown, &owner).await.2.contains(waits));

    let path = format!("/changes/{}", console.change_id().await);
    assert_eq!(console.click(&owner, "/changes", &path, "&answer=yes").await.0, StatusCode::FORBIDDEN);
    assert_eq!(console.click(&second, "/changes", &path, "&answer=yes").await.0, StatusCode::SEE_OTHER);
    assert!(console.get(&shown, &owner).await.2.contains("is confirmed and waits for its time"));
    console.clock.advance(SignedDuration::from_mins(31));
    console.changes_pass().await;
    let pool = console.groups().await.remove(0);
    assert_eq!((pool.row.group.targets.as_slice(), pool.hosts), (["shop-web".to_owned()].as_slice(), 0));

    // Proposing asks for proving anew; taking back is a proposal too.
    let (status, page) = console.sends(&owner, Some(&pool), "&answer=remove&tags=x&why=Gone").await;
    assert!(status == StatusCode::PRECONDITION_REQUIRED && page.contains("/confirm?next="), "{status}");
    let owner = console.sign_in("owner@ours.example").await;
    let second = console.sign_in("viewer@ours.example").await;
    assert_eq!(console.sends(&owner, Some(&pool), "&answer=remove&tags=x&why=Gone").await.0, StatusCode::SEE_OTHER);
    assert!(console.groups().await[0].row.group.active);
    let path = format!("/changes/{}", console.change_id().await);
    assert_eq!(console.click(&second, "/changes", &path, "&answer=yes").await.0, StatusCode::SEE_OTHER);
    console.clock.advance(SignedDuration::from_mins(31));
    console.changes_pass().await;
    let pool = console.groups().await.remove(0);
    assert!(!pool.row.group.active && !console.get(&shown, &owner).await.2.contains("Web pool"));
    // It may hold again, at once and with other members.
    let owner = console.sign_in("owner@ours.example").await;
    assert_eq!(console.sends(&owner, Some(&pool), "&answer=save&tags=pool%3Dall").await.0, StatusCode::SEE_OTHER);
    assert!(console.groups().await[0].row.group.active);
    assert_eq!(console.count("audit WHERE action = 'service_group.declared'").await, 2);
}

#[tokio::test]
async fn who_is_limited_to_other_clients_or_only_works_incidents_declares_no_group() {
    let mut console = Console::new().await;
    let Organization { tenant, client, .. } = console.ours;
    let other = uuid::Uuid::from_u128(77);
    console.execute(format!(
        "INSERT INTO clients (tenant_id, client_id, name, created_at) VALUES ('{tenant}', '{other}', 'Other', clock_timestamp());
         UPDATE memberships SET role = 'admin', client_ids = ARRAY['{other}'::uuid] WHERE tenant_id = '{tenant}' AND role = 'viewer'"
    ))
    .await;
    let (limited, technician) =
        (console.sign_in("viewer@ours.example").await, console.sign_in("sam@ours.example").await);
    let of = |client| format!("/clients/{client}/groups");
    let form = "&name=Pool&tags=pool%3Dweb";
    assert_eq!(console.click(&technician, "/clients", &of(client), form).await.0, StatusCode::FORBIDDEN);
    assert_eq!(console.click(&limited, "/clients", &of(client), form).await.0, StatusCode::NOT_FOUND);
    assert_eq!(console.click(&limited, "/clients", &of(other), form).await.0, StatusCode::SEE_OTHER);
    assert_eq!(console.count(&format!("service_groups WHERE client_id = '{other}'")).await, 1);
    // A group of another client is none of the client in the address.
    let owner = console.sign_in("owner@ours.example").await;
    let group: uuid::Uuid =
        sqlx::query_scalar("SELECT group_id FROM service_groups").fetch_one(&mut console.rows).await.unwrap();
    let path = format!("/clients/{client}/groups/{group}");
    let (status, ..) = console.click(&owner, "/clients", &path, "&answer=remove&tags=x&why=x").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    // What loosens is told to nobody who sees some clients only; it is proposed all the same.
    let path = format!("/clients/{other}/groups/{group}");
    let (status, ..) = console.click(&limited, "/clients", &path, "&answer=remove&tags=x&why=Gone").await;
    assert_eq!((status, console.count("proposed_changes").await), (StatusCode::SEE_OTHER, 1));
}

#[tokio::test]
async fn tags_that_take_a_host_out_of_a_group_wait_for_a_second_person() {
    let mut console = Console::new().await;
    let Organization { tenant, host, .. } = console.ours;
    console
        .execute(format!(
            "UPDATE memberships SET role = 'owner' WHERE tenant_id = '{tenant}' AND role = 'viewer';
             UPDATE hosts SET tags = '{{\"pool\": \"web\"}}' WHERE host_id = '{host}'"
        ))
        .await;
    let (owner, second) = (console.sign_in("owner@ours.example").await, console.sign_in("viewer@ours.example").await);
    console.sends(&owner, None, "&name=Web+pool&tags=pool%3Dweb").await;
    let page = format!("/hosts/{host}/edit");
    assert!(console.get(&page, &owner).await.2.contains("It stands in for others of “Web pool”"));
    let tags = |tags: &str| format!("hosts WHERE host_id = '{host}' AND tags = '{tags}'");

    let (status, headers, _) = console.click(&owner, &page, &page, "&tags=pool%3Dweb%0Atier%3Da").await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, format!("/hosts/{host}").as_str()));
    assert_eq!(console.count(&tags(r#"{"pool": "web", "tier": "a"}"#)).await, 1, "it stays a member");
    let (status, _, html) = console.click(&owner, &page, &page, "&tags=tier%3Da").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && html.contains("say why, for the second person"), "{status}");
    let (status, headers, _) = console.click(&owner, &page, &page, "&tags=tier%3Da&why=Moved").await;
    assert_eq!((status, leads_to(&headers)), (StatusCode::SEE_OTHER, page.as_str()));
    assert_eq!(console.count(&tags(r#"{"pool": "web", "tier": "a"}"#)).await, 1, "nothing is different yet");
    assert!(console.get(&page, &owner).await.2.contains("“tier: a” waits for a second person"));

    let path = format!("/changes/{}", console.change_id().await);
    let (_, _, html) = console.get("/changes", &second).await;
    assert!(html.contains("Tags of the host “Ours-host”") && html.contains("“Moved”"), "{html}");
    assert_eq!(console.click(&owner, "/changes", &path, "&answer=yes").await.0, StatusCode::FORBIDDEN);
    assert_eq!(console.click(&second, "/changes", &path, "&answer=yes").await.0, StatusCode::SEE_OTHER);
    console.clock.advance(SignedDuration::from_mins(31));
    console.changes_pass().await;
    assert_eq!(console.count(&tags(r#"{"tier": "a"}"#)).await, 1);
    assert_eq!(console.count("audit WHERE action = 'host.retagged'").await, 1);
}
