//! What the runner process does: take the record's lock, begin if it still may, perform the steps, say how
//! they ended. It obeys whoever was at the record first and starts nothing it was not told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::{Clock, boot_id};
use crate::confine::{self, Group};
use crate::crash::{Point, reach};
use crate::output::Output;
use crate::record::{Abort, Error, Event, Locked, Order, OrderedStep, Record, Rest, StepEnd, What, output_path};
use crate::script::Script;
use crate::supervise::{End, GRACE, Program, run};

/// What bounds a run beside its order.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The run begins within this of the permit having been asked for.
    pub permit_use: Duration,
    /// The most output that is kept, in bytes.
    pub output_bytes: u64,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Performed {
    /// The steps were performed, as far as they went.
    Run,
    /// Nothing was, and the record says why.
    Aborted,
    /// The record is another job's by now, or the run had begun before.
    NotOurs,
}

/// How often a frozen run looks whether it may go on.
const FROZEN_POLL: Duration = Duration::from_millis(500);

/// Performs the order in slot `slot` below `dir` if its fence is `fence`.
///
/// # Errors
/// The record cannot be read or written. What is written by then still holds.
pub fn perform(dir: &Path, slot: u16, fence: i64, bounds: Bounds, clock: &Clock) -> Result<Performed, Error> {
    perform_in(dir, slot, fence, bounds, clock, || None)
}

/// The same, from a place of its own: `enter` goes there, once, when the run is this process's to begin and before it is
/// judged whether it still may, so that a freeze or a permit that grew old meanwhile is obeyed. It gives the cgroup in which
/// groups for steps are made in place of the order's, if there is a better one.
///
/// # Errors
/// As [`perform`].
pub fn perform_in(
    dir: &Path,
    slot: u16,
    fence: i64,
    bounds: Bounds,
    clock: &Clock,
    enter: impl FnOnce() -> Option<PathBuf>,
) -> Result<Performed, Error> {
    let record = Record::open(dir, slot)?.lock()?;
    let Some(mut order) = record.order()?.filter(|order| order.fence == fence) else {
        return Ok(Performed::NotOurs);
    };
    match record.events(fence)?.first().map(|event| event.what) {
        None => {}
        Some(What::Aborted(_)) => return Ok(Performed::Aborted),
        Some(_) => return Ok(Performed::NotOurs),
    }
    if let Some(cgroup) = enter() {
        order.confinement.cgroup = Some(cgroup);
    }
    reach(Point::BeforeBegin);
    if let Some(why) = forbidden(&record, &order, bounds, clock)? {
        record.append(fence, Event { at: clock.now(), what: What::Aborted(why) })?;
        return Ok(Performed::Aborted);
    }
    let mut output = Output::open(&output_path(dir, slot), bounds.output_bytes)?;
    let over = clock.now().saturating_add(Duration::from_secs(order.limit_secs));
    for (index, step) in order.steps.iter().enumerate() {
        let last = index + 1 == order.steps.len();
        if index > 0 && !may_go_on(&record, over, clock)? {
            let end = End::TimedOut;
            write_end(&record, fence, order.steps[index - 1].step, end, Rest::Over, &mut output, clock)?;
            break;
        }
        let rest = one_step(&record, &order, step, last, over, &mut output, clock)?;
        if rest == Rest::Over {
            break;
        }
    }
    Ok(Performed::Run)
}

/// Why the run must not begin.
fn forbidden(record: &Locked, order: &Order, bounds: Bounds, clock: &Clock) -> Result<Option<Abort>, Error> {
    if boot_id()? != order.boot_id {
        return Ok(Some(Abort::OtherBoot));
    }
    let asked = record.permit_asked()?;
    if asked.is_none_or(|asked| clock.now().saturating_sub(asked) >= bounds.permit_use) {
        return Ok(Some(Abort::PermitTooOld));
    }
    Ok(record.frozen()?.then_some(Abort::Frozen))
}

/// Waits while the run is frozen, at most until `over`.
fn may_go_on(record: &Locked, over: Duration, clock: &Clock) -> Result<bool, Error> {
    while record.frozen()? {
        if clock.now() >= over {
            return Ok(false);
        }
        std::thread::sleep(FROZEN_POLL);
    }
    Ok(clock.now() < over)
}

fn one_step(
    record: &Locked,
    order: &Order,
    step: &OrderedStep,
    last: bool,
    over: Duration,
    output: &mut Output,
    clock: &Clock,
) -> Result<Rest, Error> {
    let began = clock.now();
    record.append(order.fence, Event { at: began, what: What::Begin { step: step.step } })?;
    reach(Point::AfterBegin);
    let mut env = order.env.clone();
    env.push(("MENDWRIGHT_STEP".to_owned(), step.step.to_string()));
    let limit = Duration::from_secs(step.limit_secs).min(over.saturating_sub(began));
    let confinement = if step.confined { order.confinement.clone() } else { confine::Confinement::default() };
    let group = confinement.cgroup.as_deref().and_then(|root| {
        let name = format!("{}-{}", order.fence, step.step);
        let made = Group::make(root, &name);
        made.inspect_err(|error| output.take(format!("no cgroup for this step: {error}\n").as_bytes())).ok()
    });
    let mut argv = step.argv.clone();
    // Held until the step has ended.
    let script = step.script.as_deref().map(Script::hold).transpose();
    if let Ok(Some(script)) = &script {
        argv.push(script.path());
        env.extend(order.script_env.iter().cloned());
    }
    let memory_bytes = confinement.memory_bytes;
    let program = Program { argv: &argv, env: &env, limit, grace: GRACE, memory_bytes, group: group.as_ref() };
    let mut take = |bytes: &[u8]| {
        output.take(bytes);
        // Whoever looks meanwhile sees less; nothing else depends on it.
        let _ = record.set_kept(order.fence, output.kept());
    };
    let end = match &script {
        Ok(_) => run(program, clock, &mut take)?,
        Err(error) => {
            take(format!("the script cannot be handed over: {error}\n").as_bytes());
            End::Exited(126)
        }
    };
    let rest = match end {
        End::Exited(0) if !last => Rest::More,
        _ => Rest::Over,
    };
    reach(Point::BeforeExitStatus);
    write_end(record, order.fence, step.step, end, rest, output, clock)?;
    reach(Point::AfterExitStatus);
    Ok(rest)
}

fn write_end(
    record: &Locked,
    fence: i64,
    step: u16,
    end: End,
    rest: Rest,
    output: &mut Output,
    clock: &Clock,
) -> Result<(), Error> {
    // The exit status is worth more than the output: a failure to keep the output does not hide it.
    let _ = output.sync();
    let how = match end {
        End::Exited(code) => StepEnd::Exited(code),
        End::TimedOut => StepEnd::TimedOut,
    };
    let what = What::End { step, how, rest, output: output.sum() };
    record.append(fence, Event { at: clock.now(), what })
}

#[cfg(test)]
#[path = "perform_tests.rs"]
mod tests;
