//! The promises of the guardrails, read from the tables: each is a question whose answer is the list of what breaks it.

use super::world::World;

/// Admissions of now and of before, and what each bucket allows.
const COMMON: &str = "WITH a AS (
  SELECT tenant_id, scope_kind, scope_key, run_id, attempt, slot_no, flight_no, admitted_at, occupied_until, released_at FROM guardrail_admissions
  UNION ALL
  SELECT tenant_id, scope_kind, scope_key, run_id, attempt, slot_no, flight_no, admitted_at, occupied_until, released_at FROM guardrail_history),
allowed AS (
  SELECT b.tenant_id, b.scope_kind, b.scope_key, coalesce(b.max_per_window, d.max_per_window) AS per_window,
    coalesce(b.max_in_flight, d.max_in_flight) AS in_flight
  FROM guardrail_buckets b LEFT JOIN guardrail_buckets d
    ON d.tenant_id = b.tenant_id AND d.scope_kind = b.scope_kind AND d.scope_key = '*' WHERE b.scope_key <> '*')";

/// What must hold at every instant, and what finds where it does not.
pub const INVARIANTS: &[(&str, &str)] = &[
    (
        "in any window, no more slots are taken than there are",
        "SELECT t.scope_kind || ' ' || t.scope_key || ': ' || count(*) || ' of ' || l.per_window FROM a t
         JOIN allowed l USING (tenant_id, scope_kind, scope_key) JOIN a o USING (tenant_id, scope_kind, scope_key)
         WHERE o.admitted_at <= t.admitted_at AND o.occupied_until > t.admitted_at AND l.per_window IS NOT NULL
         GROUP BY t.scope_kind, t.scope_key, t.run_id, t.attempt, t.slot_no, l.per_window HAVING count(*) > l.per_window",
    ),
    (
        "no more are in flight at once than may be",
        "SELECT t.scope_kind || ' ' || t.scope_key || ': ' || count(*) || ' of ' || l.in_flight FROM a t
         JOIN allowed l USING (tenant_id, scope_kind, scope_key) JOIN a o USING (tenant_id, scope_kind, scope_key)
         WHERE o.flight_no IS NOT NULL AND o.admitted_at <= t.admitted_at AND (o.released_at IS NULL OR o.released_at > t.admitted_at)
           AND l.in_flight IS NOT NULL
         GROUP BY t.scope_kind, t.scope_key, t.run_id, t.attempt, t.slot_no, l.in_flight HAVING count(*) > l.in_flight",
    ),
    (
        "a host has one unfinished job",
        "SELECT host_id::text FROM jobs WHERE state IN ('queued', 'leased', 'permitted', 'unknown') AND purpose <> 'diagnostics'
         GROUP BY tenant_id, host_id HAVING count(*) > 1",
    ),
    (
        "what was permitted was admitted before",
        "SELECT j.run_id::text FROM jobs j WHERE j.permitted_at IS NOT NULL AND NOT EXISTS (
           SELECT 1 FROM a WHERE a.tenant_id = j.tenant_id AND a.run_id = j.run_id AND a.admitted_at <= j.permitted_at)",
    ),
    (
        "a run that is under way holds its admission",
        "SELECT j.run_id::text || ' ' || j.state FROM jobs j WHERE j.state IN ('queued', 'leased', 'permitted', 'unknown')
           AND j.purpose <> 'diagnostics' AND NOT EXISTS (
           SELECT 1 FROM a WHERE a.tenant_id = j.tenant_id AND a.run_id = j.run_id AND a.flight_no IS NOT NULL AND a.released_at IS NULL)",
    ),
    (
        "the fences of a host increase",
        "SELECT host_id::text FROM (
           SELECT host_id, fence, lag(fence) OVER (PARTITION BY tenant_id, host_id ORDER BY permitted_at) AS before FROM jobs
           WHERE permitted_at IS NOT NULL) f WHERE fence <= before",
    ),
    (
        "the events of a run have no gap",
        "SELECT run_id::text FROM (
           SELECT run_id, seq, from_state, lag(to_state) OVER (PARTITION BY tenant_id, run_id ORDER BY seq) AS before,
             row_number() OVER (PARTITION BY tenant_id, run_id ORDER BY seq) AS nth FROM run_events) e
         WHERE seq <> nth OR from_state IS DISTINCT FROM before",
    ),
    (
        "an interlock, a freeze or hands off is never overlapped by an admission that came after it",
        "SELECT a.run_id::text FROM a JOIN runs r ON r.tenant_id = a.tenant_id AND r.run_id = a.run_id
         JOIN guardrail_buckets b ON b.tenant_id = a.tenant_id AND b.frozen AND b.frozen_at < a.admitted_at
           AND (b.scope_kind = 'tenant' OR b.scope_key = r.client_id::text OR b.scope_key = r.host_id::text)",
    ),
];

/// Every promise that does not hold, and where.
pub async fn broken(w: &mut World) -> Vec<(&'static str, Vec<String>)> {
    let mut all = Vec::new();
    for (promise, question) in INVARIANTS {
        let found = w.list(&format!("{COMMON} {question}")).await;
        if !found.is_empty() {
            all.push((*promise, found));
        }
    }
    all
}
