//! What technicians call a limit, on every page the same.

/// The name of a limit over a scope: "Client, 10 min".
pub fn label(limit: &str, scope: &str, window_secs: Option<u32>) -> String {
    let place = match scope {
        "tenant" => "Organization",
        "client" => "Client",
        "service_group" => "Service group",
        "undo" => "Undos",
        "host" => "Host",
        "host_playbook" | "host_playbook_day" => "This fix here",
        other => other,
    };
    match limit {
        "platform" => "Stopped for everybody".to_owned(),
        "platform_storm" => "Storm on the platform".to_owned(),
        "frozen" => format!("{place} stopped"),
        "clock" => "Clock behind".to_owned(),
        "quarantine" => "Host not trusted".to_owned(),
        "clock_jump" => "Clock jumped".to_owned(),
        "hands_off" => "Hands off".to_owned(),
        "interlock" => "Interlock".to_owned(),
        "maintenance" => "Maintenance".to_owned(),
        "unproven" => format!("{place}, not verified yet"),
        "bad" => format!("{place}, went badly, 1\u{a0}day"),
        "wave" => "This version, tried on".to_owned(),
        "storm" if scope == "tenant" => "Clients with this check, critical".to_owned(),
        "storm" => "Hosts turned critical".to_owned(),
        "share" => format!("{place}, its share"),
        "breaker" => format!("Breaker, {}", place.to_lowercase()),
        "host_lock" => "Unfinished on host".to_owned(),
        "in_flight" => format!("{place}, at once"),
        _ => match window_secs {
            Some(86_400) => format!("{place}, 1\u{a0}day"),
            Some(secs) if secs >= 3_600 => format!("{place}, {}\u{a0}h", secs / 3_600),
            Some(secs) if secs >= 60 => format!("{place}, {}\u{a0}min", secs / 60),
            Some(secs) => format!("{place}, {secs}\u{a0}s"),
            None => place.to_owned(),
        },
    }
}
