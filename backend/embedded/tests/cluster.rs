//! The table of cases that the cluster must live through, on real servers. Cases about accounts run as root only.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use embedded::{Cluster, Options};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};

const LIMIT: Duration = Duration::from_secs(60);

/// A folder that the server's account can enter.
fn enterable() -> tempfile::TempDir {
    let dir = tempfile::Builder::new().prefix("mw-embedded").tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn options(root: &Path) -> Options {
    Options::new(root).without_fsync()
}

fn is_root() -> bool {
    Uid::effective().is_root()
}

/// psql lies beside the server that runs.
fn psql(cluster: &Cluster, sql: &str) -> String {
    psql_at(cluster.pid(), &cluster.url(embedded::SUPERUSER, "postgres"), sql)
}

fn psql_at(pid: u32, url: &str, sql: &str) -> String {
    let server = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    let output = Command::new(server.with_file_name("psql")).args(["-XAtqc", sql, url]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn lives(pid: u32) -> bool {
    // A zombie is dead: somebody only has not asked yet.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

/// Waits for a condition, with a hang guard ten times longer than anything here takes.
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if condition() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    panic!("never happened: {what}");
}

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}

fn error_of(options: &Options) -> String {
    format!("{:#}", Cluster::start(options).expect_err("the start is refused"))
}

/// The parent that the kill tests kill: this test binary again, holding a cluster until its input ends.
#[test]
fn parent_process() {
    let Some(root) = std::env::var_os("EMBEDDED_TEST_ROOT") else { return };
    let cluster = Cluster::start(&options(Path::new(&root))).unwrap();
    eprintln!("READY {}", cluster.pid());
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// Starts a parent process and returns it with its postmaster's pid.
fn parent(root: &Path, program: &Path, account: Option<&User>) -> (Child, u32) {
    let mut command = Command::new(program);
    command.args(["--exact", "parent_process", "--nocapture"]).env("EMBEDDED_TEST_ROOT", root).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    if let Some(user) = account {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut said = Vec::new();
    for line in lines {
        if let Some(pid) = line.strip_prefix("READY ") {
            return (child, pid.parse().unwrap());
        }
        said.push(line);
    }
    let status = child.wait().unwrap();
    panic!("the parent never got ready: {status}\n{}", said.join("\n"));
}

fn this_program() -> PathBuf {
    std::env::current_exe().unwrap()
}

#[test]
fn rows_survive_a_stop_and_the_second_start_uses_the_same_data() {
    let dir = enterable();
    let root = dir.path().join("with space & more");
    let cluster = Cluster::start(&options(&root)).unwrap();
    psql(&cluster, "create table t as select generate_series(1, 100) as n");
    cluster.stop(LIMIT).unwrap();
    assert!(!root.join("data/postmaster.pid").exists());
    let cluster = Cluster::start(&options(&root)).unwrap();
    assert_eq!(psql(&cluster, "select count(*) from t"), "100");
}

#[test]
fn only_the_socket_is_open_and_fsync_is_on_unless_switched_off() {
    let dir = enterable();
    let mut durable = Options::new(dir.path().join("c"));
    durable.settings.push(("max_connections".to_owned(), "17".to_owned()));
    let cluster = Cluster::start(&durable).unwrap();
    let shown = psql(
        &cluster,
        "select current_setting('listen_addresses'), current_setting('fsync'), current_setting('max_connections'), current_setting('data_checksums'), current_setting('timezone')",
    );
    assert_eq!(shown, "|on|17|on|UTC");
    assert_eq!(fs::metadata(cluster.socket_dir()).unwrap().mode() & 0o777, 0o700);
    assert!(cluster.is_running());
}

#[test]
fn as_root_the_server_runs_as_an_account_without_rights() {
    if !is_root() {
        return;
    }
    let dir = enterable();
    let cluster = Cluster::start(&options(&dir.path().join("c"))).unwrap();
    let uid = fs::metadata(format!("/proc/{}", cluster.pid())).unwrap().uid();
    let expected = User::from_name("postgres").unwrap().or(User::from_name("nobody").unwrap()).unwrap();
    assert_eq!(uid, expected.uid.as_raw());
    // The folder itself, its lock and its log stay root's: the server cannot replace them.
    assert_eq!(fs::metadata(dir.path().join("c")).unwrap().uid(), 0);
}

#[test]
fn without_an_account_postgres_it_runs_as_nobody() {
    if !is_root() {
        return;
    }
    let dir = enterable();
    let mut options = options(&dir.path().join("c"));
    options.account = Some("nobody".to_owned());
    let cluster = Cluster::start(&options).unwrap();
    let nobody = User::from_name("nobody").unwrap().unwrap();
    assert_eq!(fs::metadata(format!("/proc/{}", cluster.pid())).unwrap().uid(), nobody.uid.as_raw());
}

#[test]
fn root_without_any_account_is_told_so() {
    if !is_root() {
        return;
    }
    let dir = enterable();
    let mut options = options(&dir.path().join("c"));
    options.account = Some("no-such-account".to_owned());
    assert!(error_of(&options).contains("no account no-such-account"));
}

#[test]
fn an_ordinary_user_runs_it_as_itself() {
    if !is_root() {
        return; // Every other test is this one then.
    }
    let dir = enterable();
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let program = dir.path().join("tests");
    // Copied by another process: a descriptor of ours that is open for writing would be inherited by a test's child,
    // and the kernel runs no file that somebody writes.
    assert!(Command::new("cp").arg(this_program()).arg(&program).status().unwrap().success());
    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();
    let (mut child, postmaster) = parent(&home.join("c"), &program, Some(&nobody));
    assert_eq!(fs::metadata(format!("/proc/{postmaster}")).unwrap().uid(), nobody.uid.as_raw());
    assert_eq!(fs::metadata(home.join("c")).unwrap().mode() & 0o777, 0o700);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    wait_until("the server ends with its cluster", || !lives(postmaster));
}

#[test]
fn kill_9_of_the_parent_shuts_the_server_down_cleanly() {
    let dir = enterable();
    let root = dir.path().join("c");
    let (mut child, postmaster) = parent(&root, &this_program(), None);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the server ends after its parent", || !lives(postmaster));
    assert!(!root.join("data/postmaster.pid").exists(), "a clean shutdown removes the pid file");
}

#[test]
fn kill_9_of_parent_and_server_is_recovered_with_every_row() {
    let dir = enterable();
    let root = dir.path().join("c");
    let (mut child, postmaster) = parent(&root, &this_program(), None);
    let url = format!("postgres:///postgres?host={}&user=app", root.join("s").display());
    psql_at(postmaster, &url, "create table t as select generate_series(1, 500) as n");
    signal(postmaster, Signal::SIGSTOP);
    child.kill().unwrap();
    child.wait().unwrap();
    signal(postmaster, Signal::SIGKILL);
    wait_until("the server is dead", || !lives(postmaster));
    assert!(root.join("data/postmaster.pid").exists());
    let cluster = Cluster::start(&options(&root)).unwrap();
    assert_eq!(psql(&cluster, "select count(*) from t"), "500");
}

#[test]
fn a_server_that_was_left_on_the_folder_is_stopped_first() {
    let dir = enterable();
    let root = dir.path().join("c");
    let cluster = Cluster::start(&options(&root)).unwrap();
    let server = fs::read_link(format!("/proc/{}/exe", cluster.pid())).unwrap();
    cluster.stop(LIMIT).unwrap();
    let owner = fs::metadata(root.join("data")).unwrap();
    let mut orphan = Command::new(server)
        .arg("-D")
        .arg(root.join("data"))
        .arg("-k")
        .arg(root.join("s"))
        .args(["-c", "listen_addresses="])
        .uid(owner.uid())
        .gid(owner.gid())
        .current_dir(&root)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the orphan is ready", || {
        fs::read_to_string(root.join("data/postmaster.pid")).is_ok_and(|text| text.contains("ready"))
    });
    let cluster = Cluster::start(&options(&root)).unwrap();
    assert!(orphan.wait().unwrap().success(), "the orphan was shut down in order");
    assert_eq!(psql(&cluster, "select 1"), "1");
}

#[test]
fn a_pid_file_that_names_another_program_does_not_stop_the_start() {
    let dir = enterable();
    let root = dir.path().join("c");
    Cluster::start(&options(&root)).unwrap().stop(LIMIT).unwrap();
    let owner = fs::metadata(root.join("data")).unwrap();
    // A program of the server's own account: postgres alone would take it for a living server.
    let mut other = Command::new("cat").stdin(Stdio::piped()).uid(owner.uid()).gid(owner.gid()).spawn().unwrap();
    let text = format!(
        "{}\n{}\n0\n5432\n{}\n\n  0  0\nready   \n",
        other.id(),
        root.join("data").display(),
        root.join("s").display()
    );
    fs::write(root.join("data/postmaster.pid"), text).unwrap();
    let cluster = Cluster::start(&options(&root)).unwrap();
    assert_eq!(psql(&cluster, "select 1"), "1");
    assert!(lives(other.id()), "the other program was left alone");
    drop(other.stdin.take());
    other.wait().unwrap();
}

#[test]
fn a_stale_pid_file_whose_process_is_gone_is_replaced() {
    let dir = enterable();
    let root = dir.path().join("c");
    Cluster::start(&options(&root)).unwrap().stop(LIMIT).unwrap();
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let text = format!("{}\n{}\n0\n5432\n{}\n\n", gone.id(), root.join("data").display(), root.join("s").display());
    fs::write(root.join("data/postmaster.pid"), text).unwrap();
    Cluster::start(&options(&root)).unwrap();
}

#[test]
fn a_panic_of_the_parent_leaves_no_server() {
    let dir = enterable();
    let root = dir.path().join("c");
    let pid = std::sync::atomic::AtomicU32::new(0);
    let result = std::panic::catch_unwind(|| {
        let cluster = Cluster::start(&options(&root)).unwrap();
        pid.store(cluster.pid(), std::sync::atomic::Ordering::SeqCst);
        panic!("expected: the parent fails");
    });
    assert!(result.is_err());
    assert!(!lives(pid.into_inner()));
}

#[test]
fn a_second_instance_on_the_folder_is_refused() {
    let dir = enterable();
    let root = dir.path().join("c");
    let cluster = Cluster::start(&options(&root)).unwrap();
    assert!(error_of(&options(&root)).contains("another process uses the data folder"));
    assert_eq!(psql(&cluster, "select 1"), "1");
}

#[test]
fn a_folder_that_is_not_ours_is_refused_and_left_as_it_is() {
    let dir = enterable();
    fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
    let before = fs::metadata(dir.path()).unwrap();
    let error = error_of(&options(dir.path()));
    assert!(error.contains("is not a cluster's folder of ours"), "{error}");
    let after = fs::metadata(dir.path()).unwrap();
    assert_eq!((before.uid(), before.mode()), (after.uid(), after.mode()));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_that_the_account_cannot_enter_is_named_in_the_message() {
    if !is_root() {
        return;
    }
    let dir = enterable();
    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    let error = error_of(&options(&home.join("c")));
    assert!(error.contains(&format!("lies below {}", home.display())), "{error}");
    assert!(error.contains("cannot enter"), "{error}");
}

#[test]
fn data_of_another_major_version_are_refused_with_both_numbers() {
    let dir = enterable();
    let root = dir.path().join("c");
    Cluster::start(&options(&root)).unwrap().stop(LIMIT).unwrap();
    fs::write(root.join("data/PG_VERSION"), "9\n").unwrap();
    let error = error_of(&options(&root));
    assert!(error.contains("were made by PostgreSQL 9"), "{error}");
}

#[test]
fn what_a_killed_initdb_left_is_removed() {
    let dir = enterable();
    let root = dir.path().join("c");
    fs::create_dir_all(root.join("data.new/base")).unwrap();
    fs::write(root.join("cluster.lock"), "").unwrap();
    let cluster = Cluster::start(&options(&root)).unwrap();
    assert!(!root.join("data.new").exists());
    assert_eq!(psql(&cluster, "select 1"), "1");
}

#[test]
fn a_server_that_cannot_start_is_reported_with_its_own_words() {
    let dir = enterable();
    let mut options = options(&dir.path().join("c"));
    options.settings.push(("no_such_setting".to_owned(), "1".to_owned()));
    assert!(error_of(&options).contains("unrecognized configuration parameter"));
}

#[test]
fn a_path_too_long_for_a_socket_is_refused_before_anything_is_made() {
    let dir = enterable();
    let error = error_of(&options(&dir.path().join("x".repeat(100))));
    assert!(error.contains("too long for a Unix socket"), "{error}");
}
