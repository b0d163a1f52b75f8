//! Known loads, made by real processes, and what the collector finds of them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use agent::collect::{Collected, Collector};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use runner::Clock;
use tokio::net::unix::pipe;
use wire::v1::Up;

use crate::bench::Bench;
use crate::fake::GUARD;

const MIB: f64 = 1024.0 * 1024.0;
/// How often a figure that the rest of the machine also moves is taken; the middle one, or the nearest, counts.
const ROUNDS: usize = 9;

struct Load(Child);

impl Load {
    fn begin(program: &str, args: &[&str]) -> Self {
        let mut command = Command::new(program);
        Self(command.args(args).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// The processor time it has used, in seconds.
    fn used(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        ticks / rustix::param::clock_ticks_per_second() as f64
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_near(found: f64, known: f64) -> bool {
    (found - known).abs() <= known / 10.0
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let poll = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(GUARD, poll).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Others use this machine too, but seldom with a low priority: the load has one, and its share is known of itself.
#[tokio::test]
async fn a_busy_core_is_found() {
    let load = Load::begin("nice", &["-n", "1", "sh", "-c", "while :; do :; done"]);
    until("the load runs", || load.used() >= 0.1).await;
    let mut collector = Collector::new(Clock::system());
    let mut seen = Vec::new();
    for _ in 0..ROUNDS {
        collector.collect();
        let before = load.used();
        until("the load has used half a second", || load.used() - before >= 0.5).await;
        let (Collected { cpu, over, .. }, known) = (collector.collect(), load.used() - before);
        let cpu = cpu.unwrap();
        assert!(cpu.busy >= cpu.nice && cpu.busy <= 100.0, "{cpu:?}");
        let found = cpu.nice / 100.0 * f64::from(cpu.cores) * over.as_secs_f64();
        if is_near(found, known) {
            return;
        }
        seen.push((found, known));
    }
    panic!("processor seconds found and known: {seen:?}");
}

/// What is available is the kernel's estimate, and lags behind what it keeps at hand for each core; what is held is counted.
#[tokio::test]
async fn held_memory_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut collector = Collector::new(Clock::system());
    let mut held = move || collector.collect().memory.unwrap().held as f64;
    let mut found = Vec::new();
    for round in 0..ROUNDS {
        let fifo = dir.path().join(round.to_string());
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let before = held();
        let reader = pipe::OpenOptions::new().open_receiver(&fifo).unwrap();
        let mut byte = [0];
        // It reads zeros into its whole buffer, begins to write them, and nobody takes them.
        let load = Load::begin("dd", &["if=/dev/zero", &format!("of={}", fifo.display()), "bs=64M", "count=1"]);
        until("the first byte", || reader.try_read(&mut byte).is_ok_and(|bytes| bytes == 1)).await;
        found.push(held() - before);
        drop(load);
    }
    found.sort_by(f64::total_cmp);
    assert!(is_near(found[ROUNDS / 2], 64.0 * MIB), "{found:?}");
}

fn ip(args: &str) -> bool {
    let ran = Command::new("ip").args(args.split(' ')).stdin(Stdio::null()).stdout(Stdio::null()).status();
    ran.is_ok_and(|status| status.success())
}

/// The other end: takes everything that comes, and ends with the connection.
fn take_all(listener: &TcpListener) {
    let mut from = listener.accept().unwrap().0;
    let mut buffer = vec![0; 64 * 1024];
    while from.read(&mut buffer).unwrap() > 0 {}
}

/// What the collector finds sent over `interface` while 10 MiB go to `to`; `taken` returns once they arrived.
fn sent(interface: &str, to: std::net::SocketAddr, taken: impl FnOnce()) -> f64 {
    let mut collector = Collector::new(Clock::system());
    collector.collect();
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(&vec![7; 10 * 1024 * 1024]).unwrap();
    drop(stream);
    taken();
    let collected = collector.collect();
    let seen = collected.interfaces.iter().find(|seen| seen.name == interface).expect(interface);
    seen.tx * collected.over.as_secs_f64()
}

/// A pair of interfaces between this thread's namespace and another thread's; none where that is not allowed.
fn sent_through_a_pair() -> Option<f64> {
    unshare(CloneFlags::CLONE_NEWNET).ok()?;
    let ((here, there), (go, gone)) = (mpsc::channel(), mpsc::channel::<()>());
    let far = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        here.send(Err(rustix::thread::gettid())).unwrap();
        gone.recv().ok()?;
        (ip("addr add 10.91.0.2/24 dev mw1") && ip("link set mw1 up")).then_some(())?;
        let listener = TcpListener::bind("10.91.0.2:0").unwrap();
        here.send(Ok(listener.local_addr().unwrap())).unwrap();
        take_all(&listener);
        Some(())
    });
    let Ok(Err(tid)) = there.recv() else { return None };
    let made = ip("link add mw0 type veth peer name mw1")
        && ip(&format!("link set mw1 netns {}", tid.as_raw_nonzero()))
        && ip("addr add 10.91.0.1/24 dev mw0")
        && ip("link set mw0 up");
    if !made {
        return None;
    }
    go.send(()).unwrap();
    let Ok(Ok(address)) = there.recv() else { return None };
    Some(sent("mw0", address, || assert!(far.join().unwrap().is_some())))
}

fn sent_over_the_loopback() -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let far = std::thread::spawn(move || take_all(&listener));
    sent("lo", address, || far.join().unwrap())
}

#[test]
fn sent_bytes_are_found() {
    let known = 10.0 * MIB;
    // Namespaces are the thread's: they end with it, and with them everything made in them.
    if let Some(found) = std::thread::spawn(sent_through_a_pair).join().unwrap() {
        assert!(is_near(found, known), "{found}");
        return;
    }
    // Others use the loopback too, and only add to it.
    let found: Vec<f64> = (0..ROUNDS).map(|_| sent_over_the_loopback()).collect();
    assert!(found.iter().any(|found| is_near(*found, known)), "{found:?}");
}

/// What a file of 64 MiB and 100 empty ones change in `dir`: bytes used, bytes available, inodes.
fn filled(dir: &Path, mount: &str) -> [f64; 3] {
    let mut collector = Collector::new(Clock::system());
    let mut look = || {
        let collected = collector.collect();
        let seen = collected.mounts.iter().find(|seen| seen.path == mount).expect(mount);
        [seen.used as f64, seen.available as f64, seen.inodes_free as f64]
    };
    let before = look();
    let mut file = fs::File::create(dir.join("known")).unwrap();
    for _ in 0..64 {
        file.write_all(&vec![7; 1024 * 1024]).unwrap();
    }
    file.sync_all().unwrap();
    for n in 0..100 {
        fs::File::create(dir.join(n.to_string())).unwrap();
    }
    let after = look();
    for entry in fs::read_dir(dir).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    [after[0] - before[0], before[1] - after[1], before[2] - after[2]]
}

/// On a file system of its own; none where mounting is not allowed.
fn filled_on_its_own(dir: &Path) -> Option<[f64; 3]> {
    unshare(CloneFlags::CLONE_NEWNS).ok()?;
    let no = None::<&str>;
    mount(no, "/", no, MsFlags::MS_REC | MsFlags::MS_PRIVATE, no).ok()?;
    mount(Some("tmpfs"), dir, Some("tmpfs"), MsFlags::empty(), Some("size=256m")).ok()?;
    Some(filled(dir, dir.to_str().unwrap()))
}

#[test]
fn a_file_of_known_size_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let known =
        |found: &[f64; 3]| is_near(found[0], 64.0 * MIB) && is_near(found[1], 64.0 * MIB) && is_near(found[2], 101.0);
    if let Some(found) = std::thread::spawn(move || filled_on_its_own(&path)).join().unwrap() {
        assert!(known(&found), "{found:?}");
        return;
    }
    // Others write to this file system too, in both directions.
    let mount = Collector::new(Clock::system()).collect().mounts.into_iter().map(|seen| seen.path);
    let mount = mount.filter(|path| dir.path().starts_with(path)).max_by_key(String::len).expect("a mount");
    let found: Vec<[f64; 3]> = (0..ROUNDS).map(|_| filled(dir.path(), &mount)).collect();
    assert!(found.iter().any(known), "{found:?}");
}

#[tokio::test]
async fn the_agent_reports_metrics_and_how_its_declared_services_stand() {
    let bench = Bench::new("exit 3").await;
    let mut agent = bench.run(&[]).await;
    let report = |up| if let Up::Report(report) = up { Some(report) } else { None };
    let first = agent.peer.until(report).await;
    assert!(first.cpu.is_some() && first.memory.is_some() && first.over_ms > 0, "{first:?}");
    let state = |report: &wire::v1::Report| {
        let [service] = report.services.as_slice() else { panic!("{:?}", report.services) };
        (service.state.clone(), service.watched)
    };
    // No check looks at it: its pid file says how it stands.
    assert_eq!(state(&first), ("stopped".to_owned(), false));
    fs::write(bench.path("pid"), std::process::id().to_string()).unwrap();
    let running = |up| report(up).filter(|seen| state(seen).0 == "running");
    assert_eq!(state(&agent.peer.until(running).await), ("running".to_owned(), false));
    // A check looks at it: what it last saw counts.
    agent.configure().await;
    let watched = |up| report(up).filter(|seen| state(seen).1);
    assert_eq!(state(&agent.peer.until(watched).await), ("stopped".to_owned(), true));
}
