//! What exactly is asked for, in words.

use domain::detect::words::{name, plain};
use serde_json::Value;
use store::remediate::approvals::Plan;
use uuid::Uuid;
use views::{Pair, incident::Ask, story::Versioned};

/// The run that asks.
pub struct Asked<'a> {
    /// Its id.
    pub run_id: Uuid,
    /// The playbook's name, for when its content has no title.
    pub playbook: &'a str,
    /// The playbook's version.
    pub version: i32,
    /// That version's content.
    pub content: &'a str,
    /// Where it would run: "shop on web-01".
    pub place: String,
}

/// The question; none when the run does not wait.
pub fn ask(asked: Asked<'_>, plan: &Plan) -> Option<Ask> {
    let content: Value = serde_json::from_str(asked.content).unwrap_or_default();
    let said = |key: &str| content[key].as_str().map(|word| word.replace('_', " "));
    let step = |step: &Value| {
        let argv = step["argv"].as_array().map(|argv| argv.iter().map(plain).collect::<Vec<_>>().join(" "));
        let script = step["script"]["interpreter"].as_str().zip(step["script"]["text"].as_str());
        match (argv, script) {
            // The whole of it: this is what a yes is for.
            (_, Some((interpreter, text))) => {
                format!("{}: {interpreter} reads\n{}", plain(&step["title"]), text.trim_end())
            }
            (Some(argv), None) => format!("{}: {argv}", plain(&step["title"])),
            (None, None) => plain(&step["title"]),
        }
    };
    let with = plan.parameters.as_object().into_iter().flatten();
    let risk = [said("risk").map(|risk| format!("risk {risk}")), said("effect")];
    Some(Ask {
        run_id: asked.run_id,
        plan: hex::encode(plan.digest),
        playbook: Versioned {
            title: said("title").unwrap_or_else(|| asked.playbook.to_owned()),
            version: u32::try_from(asked.version).unwrap_or(0),
        },
        place: asked.place,
        risk: risk.into_iter().flatten().collect::<Vec<_>>().join(", "),
        steps: content["steps"].as_array().into_iter().flatten().map(step).collect(),
        with: with.map(|(key, value)| Pair { label: name(key), value: plain(value) }).collect(),
        asked_at: plan.asked_at?,
        lapses_at: plan.lapses_at?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use serde_json::json;

    #[test]
    fn whoever_is_asked_reads_the_whole_script() {
        let content = json!({"name": "p", "title": "Trims", "risk": "M", "effect": "once", "steps": [
            {"title": "Trim", "limit_secs": 5, "script": {"interpreter": "/bin/sh", "text": "find /var\nrm -r \"$MW_AT\"\n"}},
            {"title": "Look", "limit_secs": 5, "argv": ["/bin/df", "-h"]},
        ]})
        .to_string();
        let at = Timestamp::from_second(100).ok();
        let plan = Plan { digest: [1; 32], parameters: json!({}), asked_at: at, lapses_at: at };
        let (run_id, place) = (Uuid::nil(), String::new());
        let asked = Asked { run_id, playbook: "p", version: 1, content: &content, place };
        let steps = ask(asked, &plan).map(|ask| ask.steps).unwrap_or_default();
        assert_eq!(steps, ["Trim: /bin/sh reads\nfind /var\nrm -r \"$MW_AT\"", "Look: /bin/df -h"]);
    }
}
