//! The stream of events: everybody has one open while something changes at each client and in each organization.

use std::time::Duration;

use store::auth::OperatorTx;
use store::{TenantTx, audit};
use uuid::Uuid;

use super::{Staff, Whose, World};
use crate::console::events::Stream;

impl World {
    async fn tx_of(&self, tenant: Uuid) -> TenantTx {
        let operator = OperatorTx::begin(&self.console.store, &self.console.db.owner_url()).await.unwrap();
        operator.into_tenant(tenant).await.unwrap()
    }
}

#[tokio::test]
async fn the_stream_tells_every_principal_of_what_is_theirs_and_of_nothing_else() {
    let world = World::new().await;
    let addr = world.console.serve(Duration::from_secs(60)).await;
    let mut streams = Vec::new();
    // What support looks at is told to everybody too: that is over before the others listen.
    let (staff, others): (Vec<_>, Vec<_>) = world.principals.iter().partition(|who| who.staff != Staff::No);
    for principal in staff.into_iter().chain(others) {
        let stream = Stream::open(addr, &principal.seat.cookie).await;
        // A page of support's is read again by itself: a stream is bound to a login's session.
        let member = principal.member.as_ref().filter(|_| principal.staff == Staff::No);
        assert_eq!(stream.got.starts_with("HTTP/1.1 200"), member.is_some(), "{}", principal.name);
        if let Some(member) = member {
            streams.push((principal, member, stream));
        }
    }
    let of_clients: Vec<_> = world
        .targets
        .iter()
        .filter_map(|target| match target.whose {
            Whose::Rows { tenant, client } => Some((tenant, client, target.organization.incident, &target.whose)),
            Whose::Nobodys => None,
        })
        .collect();
    for (tenant, client, incident, _) in &of_clients {
        world.console.decide(&world.console.store, *tenant, *client, *incident).await;
    }
    // Of the whole organization, so for everybody in it; it comes after whatever came before.
    let mut tenants: Vec<Uuid> = of_clients.iter().map(|(tenant, ..)| *tenant).collect();
    tenants.dedup();
    for tenant in tenants {
        let mut tx = world.tx_of(tenant).await;
        audit::insert(&mut tx, None, audit::Entry::done("test", ("tenant", tenant))).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut cells = 0;
    for (principal, member, mut stream) in streams {
        stream.hears("guardrail\n").await;
        for (_, _, incident, whose) in &of_clients {
            let heard = stream.got.contains(&incident.to_string());
            assert_eq!(heard, member.sees(whose), "{} of {incident}: {}", principal.name, stream.got);
            cells += 1;
        }
        assert!(!stream.got.contains("canary"), "{}: {}", principal.name, stream.got);
    }
    assert!(cells >= 60, "matrix cells of the stream: {cells}");
    println!("matrix cells of the stream: {cells}");
}
