//! Metrics on their way from a link to rows: bounded, and lost rather than waited for.

use std::time::Duration;

use domain::metrics::{Due, Ingest, SAMPLES, Sample, Samples, percent};
use jiff::Timestamp;
use serde_json::json;
use store::{Store, host_links, ingest, metrics};
use wire::v1::{MAX_REPORTED, Report};

use crate::Inner;
use crate::hello::Begun;

/// Interfaces that carry what others carry too: counted once.
const CARRIED_TWICE: &[&str] = &["lo", "veth", "docker", "br-", "virbr", "cni", "flannel", "cali", "tap", "tun"];
/// The longest age that is believed.
const MOST_AGE: Duration = Duration::from_secs(86_400);

/// One link's metrics.
pub struct Metrics {
    ingest: Ingest,
    /// Reports that the organization's plan had no room for, since they were last written down.
    not_kept: u32,
}

impl Metrics {
    /// For a link that begins at `received` of the monotonic clock.
    pub fn new(received: Duration) -> Self {
        Self { ingest: Ingest::new(received), not_kept: 0 }
    }

    /// Stores a report received at `now`. What cannot be stored is dropped: the next comes in seconds.
    pub async fn take(&mut self, gateway: &Inner, link: &Begun, report: Report, now: Timestamp, received: Duration) {
        let (store, identity) = (&gateway.store, &link.identity);
        if !gateway.plans.take(store, &identity.scope, identity.host_id, received).await {
            self.not_kept = self.not_kept.saturating_add(1);
            return;
        }
        let at = now - Duration::from_millis(report.age_ms).min(MOST_AGE);
        let samples = samples(&report);
        let due = match self.ingest.take(at, now, received, &samples) {
            Ok(due) => due,
            Err(why) => return tracing::debug!(host_id = %link.identity.host_id, ?why, "a report was dropped"),
        };
        let newest = metrics::Now { at, samples: samples.to_vec(), extra: extra(report) };
        self.save(store, link, Some(&newest), &due).await;
    }

    /// Stores what the link's end closes.
    pub async fn end(&mut self, store: &Store, link: &Begun) {
        let due = self.ingest.end();
        if due != Due::default() || self.not_kept > 0 {
            self.save(store, link, None, &due).await;
        }
    }

    async fn save(&mut self, store: &Store, link: &Begun, newest: Option<&metrics::Now>, due: &Due) {
        match save(store, link, newest, due, self.not_kept).await {
            Ok(()) => self.not_kept = 0,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "metrics could not be stored and are lost");
            }
        }
    }
}

async fn save(
    store: &Store,
    link: &Begun,
    newest: Option<&metrics::Now>,
    due: &Due,
    not_kept: u32,
) -> store::Result<()> {
    let mut tx = store.begin(&link.identity.scope).await?;
    tx.commit_soon().await?;
    // A link that a newer one replaced has nothing newer to tell.
    if !host_links::holds(&mut tx, link.identity.host_id, link.epoch).await? {
        return tx.rollback().await;
    }
    if let Some(newest) = newest {
        metrics::save_now(&mut tx, link.client_id, link.identity.host_id, newest).await?;
    }
    metrics::save_due(&mut tx, link.client_id, link.identity.host_id, due).await?;
    if not_kept > 0 {
        ingest::note_not_kept(&mut tx, link.client_id, not_kept).await?;
    }
    tx.commit().await
}

/// The figures of a row. A host's numbers are believed only where they can be true.
fn samples(report: &Report) -> Samples {
    let mut samples: Samples = [None; SAMPLES];
    let mut set = |sample: Sample, value: Option<f32>| {
        samples[sample as usize] = value.filter(|value| value.is_finite() && *value >= 0.0);
    };
    let share = |percent: f64| Some((percent as f32).clamp(0.0, 100.0));
    if let Some(cpu) = &report.cpu {
        set(Sample::CpuBusy, share(cpu.busy));
        set(Sample::CpuNice, share(cpu.nice));
        set(Sample::CpuIowait, share(cpu.iowait));
        set(Sample::CpuSteal, share(cpu.steal));
    }
    if let Some([one, five, fifteen]) = report.load {
        set(Sample::Load1, Some(one as f32));
        set(Sample::Load5, Some(five as f32));
        set(Sample::Load15, Some(fifteen as f32));
    }
    if let Some(memory) = &report.memory {
        set(Sample::MemoryUsed, percent(memory.total.saturating_sub(memory.available) as f64, memory.total as f64));
        set(Sample::MemoryHeld, Some(memory.held as f32));
        let swapped = memory.swap_total.saturating_sub(memory.swap_free) as f64;
        set(Sample::SwapUsed, percent(swapped, memory.swap_total as f64));
    }
    let fullest = |values: &mut dyn Iterator<Item = f32>| values.max_by(f32::total_cmp);
    let mounts = || report.mounts.iter().take(MAX_REPORTED);
    // As `df` counts: of what users have and may have; what is reserved for root is not theirs.
    let disks = &mut mounts().filter_map(|m| percent(m.used as f64, m.used.saturating_add(m.available) as f64));
    set(Sample::DiskUsed, fullest(disks));
    let inodes = &mut mounts().filter_map(|m| percent(m.inodes.saturating_sub(m.inodes_free) as f64, m.inodes as f64));
    set(Sample::InodesUsed, fullest(inodes));
    let own = || {
        let interfaces = report.interfaces.iter().take(MAX_REPORTED);
        interfaces.filter(|interface| !CARRIED_TWICE.iter().any(|name| interface.name.starts_with(name)))
    };
    if own().next().is_some() {
        set(Sample::NetworkIn, Some(own().map(|interface| interface.rx).sum::<f64>() as f32));
        set(Sample::NetworkOut, Some(own().map(|interface| interface.tx).sum::<f64>() as f32));
    }
    samples
}

/// What has names, cut to size.
fn extra(mut report: Report) -> serde_json::Value {
    report.mounts.truncate(MAX_REPORTED);
    report.interfaces.truncate(MAX_REPORTED);
    report.services.truncate(MAX_REPORTED);
    for mount in &mut report.mounts {
        mount.path = shortened(&mount.path);
    }
    for interface in &mut report.interfaces {
        interface.name = shortened(&interface.name);
    }
    for service in &mut report.services {
        (service.name, service.state) = (shortened(&service.name), shortened(&service.state));
    }
    json!({
        "cores": report.cpu.map(|cpu| cpu.cores),
        "memory": report.memory,
        "mounts": report.mounts,
        "interfaces": report.interfaces,
        "services": report.services,
    })
}

fn shortened(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::v1::{CpuUse, InterfaceUse, MountUse};

    fn mount(path: &str, used: u64, available: u64, inodes: u64) -> MountUse {
        MountUse { path: path.into(), total: 1000, used, available, inodes, inodes_free: inodes / 2 }
    }

    #[test]
    fn the_fullest_disk_counts_the_loopback_does_not_and_nonsense_is_no_figure() {
        let interface = |name: &str, rx| InterfaceUse { name: name.into(), rx, tx: f64::INFINITY };
        let report = Report {
            cpu: Some(CpuUse { cores: 2, busy: 250.0, nice: f64::NAN, iowait: -4.0, steal: 0.0 }),
            mounts: vec![mount("/", 500, 400, 10), mount("/var", 600, 200, 0)],
            interfaces: vec![interface("lo", 9e9), interface("eth0", 100.0), interface("veth1", 100.0)],
            ..Report::default()
        };
        let samples = samples(&report);
        let of = |sample: Sample| sample.of(&samples);
        assert_eq!((of(Sample::CpuBusy), of(Sample::CpuNice), of(Sample::CpuIowait)), (Some(100.0), None, Some(0.0)));
        assert_eq!((of(Sample::DiskUsed), of(Sample::InodesUsed)), (Some(75.0), Some(50.0)));
        assert_eq!((of(Sample::NetworkIn), of(Sample::NetworkOut), of(Sample::Load1)), (Some(100.0), None, None));
    }

    #[test]
    fn what_a_host_names_is_cut_to_size() {
        let mounts = (0..1000).map(|n| mount(&format!("/{n}\n{}", "x".repeat(5000)), 1, 1, 1)).collect();
        let extra = extra(Report { mounts, ..Report::default() });
        let mounts = extra["mounts"].as_array().unwrap();
        assert_eq!(mounts.len(), MAX_REPORTED);
        assert!(mounts.iter().all(|m| m["path"].as_str().unwrap().len() == 200));
    }
}
