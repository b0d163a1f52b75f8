//! Organizations like the one of the seed, of any size: what the agent and the loops made of one crash is copied, so that
//! every row is one that they write.

/// What an organization needs to know what to do.
const KNOWS: [&str; 6] = ["tenant_keys", "checks", "playbooks", "playbook_versions", "mappings", "mapping_versions"];
/// The rows of one incident, parents first.
const STORY: [&str; 12] = [
    "observations",
    "incidents",
    "alerts",
    "signals",
    "remediations",
    "runs",
    "run_events",
    "jobs",
    "verifications",
    "decisions",
    "outbox",
    "audit",
];

/// SQL: more organizations, in the temporary table `t`; that of the seed is in `seed`.
pub fn others(tenants: u32) -> String {
    let knows = KNOWS.map(|table| {
        format!(
            "INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, pg_temp.of_tenant(to_jsonb(o), t.tenant_id))).* FROM t, {table} o, seed s WHERE o.tenant_id = s.tenant_id;"
        )
    });
    format!(
        "{SEED} {OF_TENANT}
         CREATE TEMP TABLE t AS SELECT gen_random_uuid() AS tenant_id FROM generate_series(1, {tenants});
         INSERT INTO tenants (tenant_id, name, created_at) SELECT tenant_id, 'bench', clock_timestamp() - interval '30 days' FROM t;
         {}
         INSERT INTO guardrail_buckets SELECT DISTINCT ON (t.tenant_id, b.scope_kind)
           (jsonb_populate_record(b, jsonb_build_object('tenant_id', t.tenant_id, 'scope_key', '*'))).* FROM t, guardrail_buckets b, seed s
           WHERE b.tenant_id = s.tenant_id ORDER BY t.tenant_id, b.scope_kind, b.max_per_window IS NULL;",
        knows.concat()
    )
}

const SEED: &str =
    "CREATE TEMP TABLE seed AS SELECT min(tenant_id::text)::uuid AS tenant_id FROM hosts WHERE name = 'h1';";

/// A row of the seed's organization as one of another: what it knows has ids of its own there.
const OF_TENANT: &str = "
    CREATE OR REPLACE FUNCTION pg_temp.own(id uuid, tenant uuid) RETURNS uuid LANGUAGE sql AS $$ SELECT md5(id::text || tenant)::uuid $$;
    CREATE OR REPLACE FUNCTION pg_temp.of_tenant(o jsonb, tenant uuid) RETURNS jsonb LANGUAGE plpgsql AS $$
      DECLARE id uuid; told text := o::text; BEGIN
        FOR id IN SELECT check_id FROM checks c JOIN seed s USING (tenant_id) UNION ALL SELECT playbook_id FROM playbooks JOIN seed USING (tenant_id)
            UNION ALL SELECT mapping_id FROM mappings JOIN seed USING (tenant_id) LOOP
          told := replace(told, id::text, pg_temp.own(id, tenant)::text);
        END LOOP;
        RETURN told::jsonb || jsonb_build_object('tenant_id', tenant);
      END $$;";

/// SQL: the organization of the seed itself in the temporary tables `seed` and `t`.
pub fn itself() -> String {
    format!("{SEED} CREATE TEMP TABLE t AS SELECT tenant_id FROM seed;")
}

/// SQL: so many clients and, spread over them, hosts of each organization of `t`; the temporary tables `c` and `h`.
pub fn hosts(clients: u32, hosts: u32) -> String {
    format!(
        "CREATE TEMP TABLE c AS SELECT tenant_id, gen_random_uuid() AS client_id, n FROM t, generate_series(0, {clients} - 1) n;
         CREATE TEMP TABLE h AS SELECT tenant_id, client_id, gen_random_uuid() AS id FROM t JOIN c USING (tenant_id), generate_series(1, {hosts}) g
           WHERE g % {clients} = c.n;
         INSERT INTO clients (tenant_id, client_id, name, time_zone, created_at) SELECT tenant_id, client_id, 'c' || n, 'UTC', clock_timestamp() FROM c;
         INSERT INTO hosts SELECT (jsonb_populate_record(o, jsonb_build_object('tenant_id', h.tenant_id, 'client_id', h.client_id, 'host_id', h.id,
             'name', h.id, 'public_key', '\\x' || replace(h.id::text, '-', '')))).* FROM h, hosts o, seed s WHERE o.tenant_id = s.tenant_id AND o.name = 'h1';
         INSERT INTO host_links (tenant_id, client_id, host_id, node_id, epoch, linked_at, unlinked_at)
           SELECT tenant_id, client_id, id, id, 0, clock_timestamp(), clock_timestamp() FROM h;"
    )
}

/// SQL: what the checks and the agent said last of each host of `h`.
pub const STANDING: &str = "
    INSERT INTO check_states SELECT (jsonb_populate_record(o, jsonb_build_object('tenant_id', h.tenant_id, 'client_id', h.client_id, 'host_id', h.id, 'check_id',
        CASE WHEN h.tenant_id = o.tenant_id THEN o.check_id ELSE pg_temp.own(o.check_id, h.tenant_id) END))).*
      FROM h, check_states o, seed s, hosts k WHERE o.tenant_id = s.tenant_id AND k.tenant_id = o.tenant_id AND k.host_id = o.host_id AND k.name = 'h1';
    INSERT INTO host_now SELECT (jsonb_populate_record(o, jsonb_build_object('tenant_id', h.tenant_id, 'client_id', h.client_id, 'host_id', h.id))).*
      FROM h, host_now o, seed s, hosts k WHERE o.tenant_id = s.tenant_id AND k.tenant_id = o.tenant_id AND k.host_id = o.host_id AND k.name = 'h1';
    INSERT INTO host_metrics (tenant_id, client_id, host_id, at, layout, samples)
      SELECT h.tenant_id, h.client_id, h.id, g, o.layout, o.samples FROM (SELECT * FROM h LIMIT 20) h, host_now o, seed s, hosts k,
        generate_series(date_trunc('day', clock_timestamp()), clock_timestamp(), interval '1 minute') g
      WHERE o.tenant_id = s.tenant_id AND k.tenant_id = o.tenant_id AND k.host_id = o.host_id AND k.name = 'h1';";

/// SQL: each organization of `t` gets so many incidents on its hosts, over so many days: they stand in `i` until
/// [`told`] writes them.
pub fn incidents(each: u32, days: u32) -> String {
    format!(
        "CREATE TEMP TABLE IF NOT EXISTS i (tenant_id uuid, client_id uuid, id uuid, n int, ago interval);
         INSERT INTO i SELECT h.tenant_id, h.client_id, h.id, n, n * interval '{days} days' / {each}
           FROM (SELECT *, row_number() OVER w - 1 AS number, count(*) OVER (PARTITION BY tenant_id) AS of FROM h WINDOW w AS (PARTITION BY tenant_id ORDER BY id)) h
           JOIN generate_series(1, {each}) n ON n % h.of = h.number;
         DROP TABLE seed, t, c, h;"
    )
}

/// SQL: writes what stands in `i` as copies of the story of the seed's one incident.
pub fn told() -> String {
    let story = STORY.map(|table| format!("'{table}'")).join(", ");
    format!(
        "{SEED}
         UPDATE outbox SET state = 'sent', due_at = NULL, ended_at = created_at, sender = 'bench', subject = 'Fixed', html = '', body_text = '';
         DO $$ DECLARE story text; names text; terms text; BEGIN
           FOREACH story IN ARRAY ARRAY[{story}] LOOP
             SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position), string_agg(CASE
                 WHEN column_name IN ('tenant_id', 'client_id') THEN 'i.' || column_name
                 WHEN column_name = 'host_id' THEN 'i.id'
                 WHEN column_name IN ('lease_token', 'owner_login_id') THEN 'o.' || column_name
                 WHEN column_name IN ('check_id', 'mapping_id', 'playbook_id')
                   THEN format('CASE WHEN i.tenant_id = o.tenant_id THEN o.%1$I ELSE pg_temp.own(o.%1$I, i.tenant_id) END', column_name)
                 WHEN data_type = 'uuid' THEN format('md5(o.%1$I::text || i.n || i.tenant_id)::uuid', column_name)
                 WHEN data_type = 'timestamp with time zone' THEN format('o.%1$I - i.ago', column_name)
                 WHEN column_name = 'fingerprint' THEN 'decode(md5(o.fingerprint::text || i.n), ''hex'')'
                 WHEN column_name IN ('state_version', 'newest_version') THEN format('o.%1$I + i.n * 10', column_name)
                 WHEN column_name = 'message_id' THEN 'i.n || o.message_id'
                 ELSE format('o.%1$I', column_name) END, ', ' ORDER BY ordinal_position)
               INTO names, terms FROM information_schema.columns WHERE table_schema = 'public' AND table_name = story;
             EXECUTE format('INSERT INTO %1$I (%2$s) SELECT %3$s FROM %1$I o, i, seed s WHERE o.tenant_id = s.tenant_id', story, names, terms);
           END LOOP;
         END $$;
         DROP TABLE seed, i;"
    )
}

/// SQL: in each organization the newest so many incidents are not over: some wait for a person, one in ten for a yes.
pub fn unsolved(newest: u32) -> String {
    format!(
        "CREATE TEMP TABLE u AS SELECT * FROM (SELECT tenant_id, incident_id, row_number() OVER (PARTITION BY tenant_id ORDER BY opened_at DESC) AS n FROM incidents) i WHERE n <= {newest};
         UPDATE incidents i SET state = CASE WHEN u.n % 3 = 0 THEN 'open' ELSE 'escalated' END, closed_at = NULL, outcome = NULL,
             escalated_at = CASE WHEN u.n % 3 = 0 THEN NULL ELSE i.closed_at END, escalation_reason = CASE WHEN u.n % 3 = 0 THEN NULL ELSE 'The fix did not help.' END
           FROM u WHERE u.tenant_id = i.tenant_id AND u.incident_id = i.incident_id;
         UPDATE alerts a SET state = 'open', closed_at = NULL, close_cause = NULL FROM u WHERE u.tenant_id = a.tenant_id AND u.incident_id = a.incident_id;
         UPDATE runs r SET state = 'not_fixed' FROM u WHERE u.tenant_id = r.tenant_id AND u.incident_id = r.incident_id AND u.n % 3 > 0;
         DELETE FROM verifications v USING u, runs r WHERE u.n % 10 = 0 AND r.tenant_id = u.tenant_id AND r.incident_id = u.incident_id AND v.tenant_id = r.tenant_id AND v.run_id = r.run_id;
         DELETE FROM jobs v USING u, runs r WHERE u.n % 10 = 0 AND r.tenant_id = u.tenant_id AND r.incident_id = u.incident_id AND v.tenant_id = r.tenant_id AND v.run_id = r.run_id;
         UPDATE runs r SET state = 'awaiting_approval', mode = 'approve', admitted_at = NULL, started_at = NULL, ended_at = NULL, end_reason = NULL
           FROM u WHERE u.tenant_id = r.tenant_id AND u.incident_id = r.incident_id AND u.n % 10 = 0;
         INSERT INTO run_events (tenant_id, client_id, run_id, seq, at, from_state, to_state, cause, actor)
           SELECT r.tenant_id, r.client_id, r.run_id, 1000, clock_timestamp(), 'planned', 'awaiting_approval', 'its mapping asks first', 'bench'
           FROM runs r WHERE r.state = 'awaiting_approval';
         DROP TABLE u;"
    )
}
