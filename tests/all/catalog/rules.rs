//! The rules of the catalog: each is a question to PostgreSQL's own tables whose answer is the list of what breaks it.

/// One rule.
pub struct Rule {
    /// What must be so.
    pub says: &'static str,
    /// Selects one text a fault, below [`COMMON`]; `$1` is the list of grants.
    pub faults: &'static str,
}

/// What the rules stand on: our relations, those with `tenant_id`, keys and indexes with their columns' names.
pub const COMMON: &str = r"
WITH ours AS (
  SELECT c.*, c.oid AS id, c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')),
columns AS (SELECT a.attrelid AS id, a.attname AS name, a.* FROM pg_attribute a WHERE a.attnum > 0 AND NOT a.attisdropped),
tables AS (
  SELECT o.*, EXISTS (SELECT 1 FROM columns a WHERE a.id = o.id AND a.name = 'tenant_id') AS of_tenant,
    EXISTS (SELECT 1 FROM columns a WHERE a.id = o.id AND a.name = 'client_id') AS of_client
  FROM ours o WHERE o.relkind IN ('r', 'p')),
routines AS (
  SELECT p.*, p.oid::regprocedure::text AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')),
schemas AS (SELECT n.* FROM pg_namespace n WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'),
foreign_keys AS (
  SELECT con.conname AS name, con.conrelid, con.confrelid,
    (SELECT array_agg(a.name ORDER BY k.n) FROM unnest(con.conkey) WITH ORDINALITY k(num, n) JOIN columns a ON a.id = con.conrelid AND a.attnum = k.num) AS own,
    (SELECT array_agg(a.name ORDER BY k.n) FROM unnest(con.confkey) WITH ORDINALITY k(num, n) JOIN columns a ON a.id = con.confrelid AND a.attnum = k.num) AS theirs
  FROM pg_constraint con WHERE con.contype = 'f'),
indexes AS (
  SELECT i.*, i.indexrelid::regclass::text AS name, coalesce(a.name, '') AS leads
  FROM pg_index i LEFT JOIN columns a ON a.id = i.indrelid AND a.attnum = i.indkey[0]),
policies AS (
  SELECT p.*, pg_get_expr(p.polqual, p.polrelid) AS sees,
    p.polroles && ARRAY[0::oid, 'app_tenant'::regrole::oid, 'app_all_clients'::regrole::oid] AS for_tenants
  FROM pg_policy p)
";

/// The policies as they must be, in the words of the design; the server prints both the same way.
pub const REFERENCE: &str = r"
CREATE TEMP TABLE of_tenant (tenant_id uuid);
CREATE POLICY isolation ON of_tenant USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
CREATE TEMP TABLE of_client (tenant_id uuid, client_id uuid);
CREATE POLICY isolation ON of_client USING (
  tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid
  AND client_id = ANY (coalesce(nullif(current_setting('app.client_ids', true), ''), '{}')::uuid[]));
";

pub const TABLES: &str = "a table without tenant_id stands in the written list";
pub const COLUMNS: &str = "tenant_id and client_id are uuids and never null";
pub const FORCED: &str = "row-level security is on and forced, on partitions too";
pub const POLICY: &str =
    "one permissive policy a role, the written one, holds tenants to their rows; partitions have none";
pub const SYSTEM: &str = "policies of others than tenants stand in the written list";
pub const PRIMARY: &str = "the primary key starts with tenant_id";
pub const UNIQUE: &str = "what is unique or excludes starts with tenant_id";
pub const INDEXES: &str = "every other index starts with tenant_id";
pub const FOREIGN: &str = "a foreign key from or to a tenant's table starts with tenant_id on both sides";
pub const CLIENT_KEY: &str = "a foreign key between rows of clients carries client_id";
pub const CLIENT_TIED: &str = "a row of a client is tied to the client by a foreign key";
pub const GRANTS: &str = "grants are those of grants.txt";
pub const OWNER: &str = "everything belongs to app_owner";
pub const DEFINER: &str = "no routine runs with its owner's rights but the listed, with a fixed search_path";
pub const VIEWS: &str = "no view shows rows with its owner's rights";
pub const SEQUENCES: &str = "no number is drawn from a sequence that tenants share, but the wake-ups'";
pub const TIME: &str = "no default asks for the time";
pub const ROLES: &str = "the five roles can no more than is meant";

/// The rules.
pub const RULES: &[Rule] = &[
    Rule {
        says: TABLES,
        faults: "SELECT t.name FROM tables t WHERE NOT t.of_tenant AND t.name NOT IN
          ('logins', 'sessions', 'letters', 'links', 'sources', 'recovery_codes', 'passkeys', 'ceremonies', 'platform_state', 'plans', 'operators', 'operator_links', 'platform_audit', 'server_keys', 'nodes', '_sqlx_migrations')",
    },
    Rule {
        says: COLUMNS,
        faults: "SELECT t.name || '.' || a.name FROM tables t JOIN columns a USING (id)
          WHERE t.of_tenant AND a.name IN ('tenant_id', 'client_id') AND NOT (a.attnotnull AND a.atttypid = 'uuid'::regtype)",
    },
    Rule {
        says: FORCED,
        faults: "SELECT t.name FROM tables t WHERE t.of_tenant AND NOT (t.relrowsecurity AND t.relforcerowsecurity)",
    },
    Rule {
        says: POLICY,
        faults: "SELECT t.name FROM tables t WHERE t.of_tenant AND NOT t.relispartition AND NOT (
            (SELECT count(*) = CASE WHEN t.of_client THEN 2 ELSE 1 END FROM policies p WHERE p.polrelid = t.id AND p.for_tenants)
            AND (SELECT count(DISTINCT p.polname) = CASE WHEN t.of_client THEN 2 ELSE 1 END
              FROM policies p JOIN policies r ON r.sees = p.sees
              WHERE p.polrelid = t.id AND p.polpermissive AND p.polcmd = '*' AND p.polwithcheck IS NULL
                AND (p.polname, p.polroles, r.polrelid) IN (
                  (CASE WHEN t.of_client THEN 'isolation' END, ARRAY['app_tenant'::regrole::oid], 'pg_temp.of_client'::regclass),
                  (CASE WHEN t.of_client THEN 'isolation_of_all' END, ARRAY['app_all_clients'::regrole::oid], 'pg_temp.of_tenant'::regclass),
                  (CASE WHEN NOT t.of_client THEN 'isolation' END, ARRAY['app_tenant'::regrole::oid, 'app_all_clients'::regrole::oid], 'pg_temp.of_tenant'::regclass))))
          UNION ALL SELECT t.name FROM tables t JOIN policies p ON p.polrelid = t.id WHERE t.relispartition AND p.for_tenants",
    },
    Rule {
        says: SYSTEM,
        faults: "SELECT t.name || ' ' || p.polname || ' ' || p.polcmd::text FROM tables t JOIN policies p ON p.polrelid = t.id
          WHERE NOT p.for_tenants AND NOT (p.polpermissive AND p.polroles = ARRAY['app_system'::regrole::oid]
            AND (t.name, p.polname::text, p.polcmd::text) IN (('tenants', 'system_door', '*'), ('credentials', 'system_door', '*'),
              ('memberships', 'system_lookup', 'r'), ('memberships', 'system_email', 'w'), ('tenant_wakeups', 'system_door', '*'),
              ('deletions', 'system_lookup', 'r'), ('platform_signs', 'system_door', '*')))",
    },
    // Global by written decision: a credential's hash is the question (ARCHITECTURE.md).
    Rule {
        says: PRIMARY,
        faults: "SELECT t.name FROM tables t WHERE t.of_tenant AND NOT EXISTS
          (SELECT 1 FROM indexes i WHERE i.indrelid = t.id AND i.indisprimary AND (i.leads = 'tenant_id' OR i.name = 'credentials_pkey'))",
    },
    Rule {
        says: UNIQUE,
        faults: "SELECT i.name FROM tables t JOIN indexes i ON i.indrelid = t.id
          WHERE t.of_tenant AND (i.indisunique OR i.indisexclusion) AND NOT i.indisprimary AND i.leads <> 'tenant_id'",
    },
    // Both exceptions are app_system's, which asks before a tenant is known.
    Rule {
        says: INDEXES,
        faults: "SELECT i.name FROM tables t JOIN indexes i ON i.indrelid = t.id
          WHERE t.of_tenant AND NOT (i.indisunique OR i.indisexclusion) AND i.leads <> 'tenant_id'
            AND i.name NOT IN ('memberships_login', 'tenant_wakeups_due')",
    },
    // A login is not a tenant's: the one person may belong to several.
    Rule {
        says: FOREIGN,
        faults: "SELECT k.name::text FROM foreign_keys k JOIN tables own ON own.id = k.conrelid JOIN tables other ON other.id = k.confrelid
          WHERE (own.of_tenant OR other.of_tenant) AND NOT (k.own[1] = 'tenant_id' AND k.theirs[1] = 'tenant_id')
            AND k.name <> 'memberships_login_fkey'",
    },
    Rule {
        says: CLIENT_KEY,
        faults: "SELECT k.name::text FROM foreign_keys k JOIN tables own ON own.id = k.conrelid JOIN tables other ON other.id = k.confrelid
          WHERE own.of_client AND other.of_client
            AND coalesce(array_position(k.own, 'client_id') <> array_position(k.theirs, 'client_id'), true)",
    },
    // The daily tables are written in bulk; their rows are reached through the host or the run. The audit outlives the client.
    Rule {
        says: CLIENT_TIED,
        faults: "SELECT t.name FROM tables t WHERE t.of_client AND NOT t.relispartition
          AND t.name NOT IN ('clients', 'audit', 'host_metrics', 'host_metrics_5m', 'host_metrics_1h', 'run_output')
          AND NOT EXISTS (SELECT 1 FROM foreign_keys k WHERE k.conrelid = t.id AND 'client_id' = ANY (k.own))",
    },
    Rule {
        says: GRANTS,
        faults: "SELECT CASE WHEN meant THEN 'missing: ' ELSE 'not meant: ' END || line FROM (
            SELECT line, bool_or(meant) AS meant FROM (
              SELECT line, true AS meant FROM unnest($1::text[]) line
              UNION ALL SELECT g.what || ' ' || coalesce(r.rolname, 'PUBLIC') || ' '
                || string_agg(g.can, ', ' ORDER BY g.can) AS line, false
              FROM (
                SELECT o.name AS what, o.relowner AS owner, x.grantee, x.privilege_type || CASE WHEN x.is_grantable THEN ' and may grant it' ELSE '' END AS can
                FROM ours o, aclexplode(o.relacl) x
                UNION ALL SELECT o.name, o.relowner, x.grantee, x.privilege_type || ' (' || string_agg(a.name, ', ' ORDER BY a.attnum) || ')'
                FROM ours o JOIN columns a USING (id), aclexplode(a.attacl) x GROUP BY o.name, o.relowner, x.grantee, x.privilege_type
                UNION ALL SELECT 'schema ' || s.nspname, s.nspowner, x.grantee, x.privilege_type FROM schemas s, aclexplode(s.nspacl) x
                UNION ALL SELECT p.name, p.proowner, x.grantee, x.privilege_type
                FROM routines p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
                UNION ALL SELECT 'by default', d.defaclrole, x.grantee, x.privilege_type FROM pg_default_acl d, aclexplode(d.defaclacl) x
              ) g LEFT JOIN pg_roles r ON r.oid = g.grantee WHERE g.grantee <> g.owner GROUP BY g.what, r.rolname
            ) every GROUP BY line HAVING count(*) = 1
          ) odd ORDER BY 1",
    },
    Rule {
        says: OWNER,
        faults: "SELECT o.name FROM ours o WHERE o.relowner <> 'app_owner'::regrole
          UNION ALL SELECT p.name FROM routines p WHERE p.proowner <> 'app_owner'::regrole
          UNION ALL SELECT s.nspname FROM schemas s WHERE s.nspowner NOT IN ('app_owner'::regrole, 'pg_database_owner'::regrole)",
    },
    Rule {
        says: DEFINER,
        faults: "SELECT p.name FROM routines p WHERE p.prosecdef
          AND NOT (p.name IN ('maintenance.ensure_day(text,date,date)', 'maintenance.drop_day(text,date,integer,date)',
              'maintenance.erase(uuid,uuid,integer,timestamp with time zone)', 'maintenance.prune(uuid,date)',
              'maintenance.survey(uuid)', 'maintenance.move_channel(uuid,uuid,text,text,timestamp with time zone)',
              'maintenance.end_tokens(uuid,text,timestamp with time zone,timestamp with time zone,text,uuid)',
              'maintenance.note_account(uuid,uuid,text,jsonb,timestamp with time zone,timestamp with time zone,text,uuid)',
              'maintenance.note_operator(uuid,text,jsonb,timestamp with time zone,timestamp with time zone,uuid)',
              'maintenance.survey(uuid,timestamp with time zone)',
              'maintenance.note_account(uuid,uuid,text,jsonb,jsonb,jsonb,timestamp with time zone,timestamp with time zone,text,uuid)',
              'maintenance.note_operator(uuid,text,jsonb,jsonb,jsonb,timestamp with time zone,timestamp with time zone,uuid)')
            AND 'search_path=pg_catalog, pg_temp' = ANY (p.proconfig))",
    },
    Rule {
        says: VIEWS,
        faults: "SELECT o.name FROM ours o
          WHERE o.relkind IN ('m', 'f') OR o.relkind = 'v' AND NOT coalesce(o.reloptions @> ARRAY['security_invoker=true'], false)",
    },
    // app_tenant can insert a wake-up and read none of its columns, the number least of all.
    Rule {
        says: SEQUENCES,
        faults: "SELECT o.name FROM ours o WHERE o.relkind = 'S' AND o.name <> 'tenant_wakeups_wakeup_id_seq'",
    },
    Rule {
        says: TIME,
        faults: r"SELECT t.name || ' ' || pg_get_expr(d.adbin, d.adrelid) FROM tables t JOIN pg_attrdef d ON d.adrelid = t.id
          WHERE t.name <> '_sqlx_migrations'
            AND pg_get_expr(d.adbin, d.adrelid) ~* '\m(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\(|current_(date|time)|local(time|timestamp)\M|''(now|today|tomorrow|yesterday)'''",
    },
    Rule {
        says: ROLES,
        faults: "SELECT r.rolname::text FROM pg_roles r WHERE r.rolname IN ('app_owner', 'app_tenant', 'app_all_clients', 'app_system', 'app_login')
            AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
              OR r.rolcanlogin = (r.rolname IN ('app_tenant', 'app_all_clients')) OR r.rolinherit = (r.rolname = 'app_login'))
          UNION ALL SELECT m.member::regrole || ' is a member of ' || m.roleid::regrole FROM pg_auth_members m
          WHERE (m.roleid::regrole::text, m.member::regrole::text) NOT IN
              (('app_tenant', 'app_login'), ('app_tenant', 'app_owner'), ('app_all_clients', 'app_login'), ('app_all_clients', 'app_owner'), ('app_system', 'app_owner'))
            AND (m.roleid::regrole::text LIKE 'app\\_%' OR m.member::regrole::text LIKE 'app\\_%')",
    },
];
