//! A host's metrics and services, from what it reported last and the rows of its past.

use domain::metrics::{Sample, Span, percent};
use jiff::Timestamp;
use serde_json::Value;
use store::metrics::{Now, Point};
use views::incidents::{IncidentRow, Standing};
use views::metrics::{Disk, Figure, Metrics, Service, Unit, bytes};

/// Everything the page shows of it.
pub fn metrics(newest: &Now, span: Span, past: &[Point], incidents: &[IncidentRow], now: Timestamp) -> Metrics {
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_u64);
    let memory = newest.extra.get("memory").unwrap_or(&Value::Null);
    let cores = match number(&newest.extra, "cores") {
        Some(1) => "of 1 core".to_owned(),
        Some(cores) => format!("of {cores} cores"),
        None => String::new(),
    };
    let of_memory = number(memory, "total").map(|total| format!("of {}", bytes(total as f64)));
    let disks = disks(&newest.extra);
    let fullest = disks.first().map(|disk| disk.path.clone()).unwrap_or_default();
    let figure = |title: &str, unit, of: String, sample: Sample| Figure {
        title: title.to_owned(),
        unit,
        of,
        now: sample.of(&newest.samples),
        points: past.iter().map(|point| (point.at, sample.of(&point.samples))).collect(),
    };
    let mut figures = vec![
        figure("Processor", Unit::Percent, cores, Sample::CpuBusy),
        figure("Memory", Unit::Percent, of_memory.unwrap_or_default(), Sample::MemoryUsed),
        figure("Load", Unit::Load, String::new(), Sample::Load1),
        figure("Disk, fullest", Unit::Percent, fullest, Sample::DiskUsed),
        figure("Network in", Unit::Rate, String::new(), Sample::NetworkIn),
        figure("Network out", Unit::Rate, String::new(), Sample::NetworkOut),
    ];
    if let Some(total) = number(memory, "swap_total").filter(|total| *total > 0) {
        figures.push(figure("Swap", Unit::Percent, format!("of {}", bytes(total as f64)), Sample::SwapUsed));
        figures.push(figure("Waiting for disks", Unit::Percent, String::new(), Sample::CpuIowait));
        figures.push(figure("Stolen", Unit::Percent, String::new(), Sample::CpuSteal));
    }
    Metrics { at: newest.at, span, figures, disks, fixes: incidents.iter().filter_map(fixed_at).collect(), now }
}

/// When a fix of this incident was verified.
fn fixed_at(row: &IncidentRow) -> Option<Timestamp> {
    row.closed_at.filter(|_| row.standing == Standing::Fixed)
}

/// The file systems, fullest first.
fn disks(extra: &Value) -> Vec<Disk> {
    let list = extra.get("mounts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let one = |mount: &Value| {
        let number = |key: &str| mount.get(key).and_then(Value::as_u64);
        let (used, available) = (number("used")?, number("available")?);
        let (inodes, free) = (number("inodes")?, number("inodes_free")?);
        Some(Disk {
            path: mount.get("path")?.as_str()?.to_owned(),
            used: percent(used as f64, used.saturating_add(available) as f64)?,
            available,
            total: number("total")?,
            inodes: percent(inodes.saturating_sub(free) as f64, inodes as f64),
        })
    };
    let mut disks: Vec<Disk> = list.iter().filter_map(one).collect();
    disks.sort_by(|a, b| b.used.total_cmp(&a.used));
    disks
}

/// Its services as it reported them.
pub fn services(extra: &Value) -> Vec<Service> {
    let list = extra.get("services").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let one = |service: &Value| {
        Some(Service {
            name: service.get("name")?.as_str()?.to_owned(),
            state: service.get("state")?.as_str()?.to_owned(),
            watched: service.get("watched")?.as_bool()?,
        })
    };
    list.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_disk_is_as_full_as_its_users_find_it_and_what_is_malformed_is_left_out() {
        let extra = json!({"mounts": [
            {"path": "/", "total": 1000, "used": 200, "available": 700, "inodes": 0, "inodes_free": 0},
            {"path": "/var", "total": 1000, "used": 900, "available": 0, "inodes": 100, "inodes_free": 25},
            {"path": "/x", "total": "many"}, 7,
        ]});
        let seen: Vec<_> = disks(&extra).into_iter().map(|d| (d.path, d.used.round(), d.inodes)).collect();
        assert_eq!(seen, [("/var".to_owned(), 100.0, Some(75.0)), ("/".to_owned(), 22.0, None)]);
        assert!(services(&json!({"services": [{"name": "a"}]})).is_empty());
    }
}
